"""What the rendered media keep of the true behaviour: numbers and pictures."""

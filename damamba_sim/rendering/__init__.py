"""What the rendered media keep of the true channels: correlations with measurements, and pictures."""

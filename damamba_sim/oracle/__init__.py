"""The ceiling: how well readers of the true channels predict engagement, and from which channels."""

"""The known answer: how much of engagement the true channels of behaviour let one read, and from which of them."""

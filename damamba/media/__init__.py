"""Reading video and sound files."""

"""Media: probe video and sound, decode them."""

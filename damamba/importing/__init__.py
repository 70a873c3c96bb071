"""Feature files of other programs, read into streams of the project."""

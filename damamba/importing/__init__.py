"""Feature files of other programs, read into streams of the project: one file of `formats` a format."""

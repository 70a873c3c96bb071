"""One cue = one file; heavy packages are imported when an encoder is loaded."""

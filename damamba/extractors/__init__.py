"""The cues that come with damamba: one file is one cue, found by its name."""

"""Feature streams: rows of one cue of one participant, in memory and on disk."""

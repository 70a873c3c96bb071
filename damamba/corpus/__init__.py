"""Sessions, participants, labels: what a corpus is, whatever its source."""

"""From media to feature streams: base class of the extractors, the loop over participants, face tracking."""

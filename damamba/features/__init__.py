"""From media to feature streams: decode, find faces, extract, store."""

"""Corpus sources: one file each, found by its name in `corpus.sources`."""

"""The three simulated corpora: sessions, splits, languages and people, in the folders and names of the release."""

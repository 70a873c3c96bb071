"""The built-in corpus: people in conversation, their video, voices and annotated engagement."""

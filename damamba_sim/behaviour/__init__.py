"""Who does what and when: a model of engagement, speech and movement in conversation, and its annotators."""

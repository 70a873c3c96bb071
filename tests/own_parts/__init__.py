"""One cue, architecture, corpus source, metric and loss, as a project outside the repository would write them."""

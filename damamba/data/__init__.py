"""From feature streams to batches: grid, shards, windows."""

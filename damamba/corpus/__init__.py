"""Sessions, participants and labels: readers of manifests, annotations and releases."""

"""One file = one stage of dvc.yaml: where from, what, where to."""

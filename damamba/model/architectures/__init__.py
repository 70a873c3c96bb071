"""One file an architecture, found by its name: `architecture: da_mamba` is da_mamba.py."""

"""The campaign of faults: kills, disks, damage, malformed inputs, bad parameters.

``python -m benchmarks.faults`` runs all of it, in about an hour on two cores; `--parts kills` a part.
"""

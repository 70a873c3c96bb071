"""Predictions against labels: pairing, scores and their numbers, prediction folders."""

"""Predictions against labels: prediction folders, pairing, scores, and all numbers behind tables."""

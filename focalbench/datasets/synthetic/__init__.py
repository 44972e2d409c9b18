"""Synthetic families with a known Bayes score."""

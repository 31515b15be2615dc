"""Distances between the distribution of a field and its baseline."""

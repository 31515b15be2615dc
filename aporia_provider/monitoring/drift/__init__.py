"""Distances between the distribution of a field and that of its baseline."""

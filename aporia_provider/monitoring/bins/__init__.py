"""Bins of numbers and scores, determined by a baseline."""

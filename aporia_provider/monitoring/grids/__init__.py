"""Bins of numbers and scores, fixed by a baseline."""

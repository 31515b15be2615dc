"""Conversion of predictions and labels in Arrow arrays, independent of their physical types."""

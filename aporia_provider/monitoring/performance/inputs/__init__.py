"""Predictions and labels in Arrow arrays, read alike whatever their physical type."""

"""Additive states of predictions and their labels."""

"""Additive states of predictions and labels."""

"""Additive states of the values of fields."""

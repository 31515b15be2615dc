"""Additive states of the rows of tables, and metrics computed from them."""

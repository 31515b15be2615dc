"""Data of the views, without HTML."""

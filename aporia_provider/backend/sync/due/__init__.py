"""Search for datasets that are due for a sync."""

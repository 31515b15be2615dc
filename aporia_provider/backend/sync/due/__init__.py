"""Finding the datasets that are due for a sync."""

"""Freshness and volume of Delta tables, from their logs alone."""

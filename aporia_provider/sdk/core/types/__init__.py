"""Data sources, and the words that calls take."""

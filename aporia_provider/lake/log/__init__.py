"""Logs of Delta tables, read without the data files."""

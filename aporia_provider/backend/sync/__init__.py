"""Syncs: updates of stored profiles to the current versions of the tables."""

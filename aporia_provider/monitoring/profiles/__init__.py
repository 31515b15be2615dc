"""Profiles: the states of all fields, computed from Arrow batches."""

"""Profiles: the states of all fields, made from Arrow batches."""

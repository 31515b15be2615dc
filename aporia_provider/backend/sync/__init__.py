"""Bringing the profiles of datasets up to the versions that their tables have."""

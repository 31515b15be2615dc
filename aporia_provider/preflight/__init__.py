"""Validation of data against the schema of a version. All problems are reported at once."""

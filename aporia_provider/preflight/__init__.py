"""Checks of data against the schema of a version, which report all problems at once."""

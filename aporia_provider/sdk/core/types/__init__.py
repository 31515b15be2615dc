"""Data sources and enumerations used as parameters."""

"""Validation of the Spark SQL expressions of data sources."""

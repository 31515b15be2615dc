"""Spark Connect: the embedded engine, or a cluster."""

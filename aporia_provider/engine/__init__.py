"""Spark Connect sessions, and computations in the embedded engine or on a cluster."""

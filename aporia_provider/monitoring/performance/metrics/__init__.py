"""Metrics of performance, computed from states."""

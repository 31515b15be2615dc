"""Computation of metrics from stored profiles."""

"""Computations on data frames that run inside the engine."""

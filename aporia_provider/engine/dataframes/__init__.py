"""Computations on data frames, executed by the engine."""

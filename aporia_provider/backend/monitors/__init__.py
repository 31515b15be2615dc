"""Evaluation of monitors, and their alerts."""

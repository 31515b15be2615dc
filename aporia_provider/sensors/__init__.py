"""Sensors, which wait in a worker or, deferred, in the triggerer."""

"""Shifts that are planted into states, as if the rows had been different."""

"""Statistics of a field, computed from its state."""

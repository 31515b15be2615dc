"""Statistics of fields, computed from states."""

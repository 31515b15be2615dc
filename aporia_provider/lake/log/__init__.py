"""The log of a Delta table, without its data files."""

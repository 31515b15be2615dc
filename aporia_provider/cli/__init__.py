"""Command line interface ``aporia-provider``."""

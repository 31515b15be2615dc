"""The command ``aporia-provider``."""

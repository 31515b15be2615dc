"""Modules under the import paths of the platform's SDK."""

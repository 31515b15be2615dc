"""Performance metrics, computed from performance states."""

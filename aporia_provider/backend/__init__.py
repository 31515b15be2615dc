"""The embedded backend: an open implementation of the protocol on SQLite or PostgreSQL."""

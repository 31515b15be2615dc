"""The embedded engine: a child process that accepts connections only from its parent."""

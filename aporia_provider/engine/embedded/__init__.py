"""The embedded engine: a process that only its parent may use."""

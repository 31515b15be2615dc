"""API tokens: storage in the database or in files, and authentication of requests."""

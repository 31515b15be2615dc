"""API tokens: kept in the database or in files, checked for every request."""

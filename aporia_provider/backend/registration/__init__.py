"""Models, versions, datasets and monitors in the database."""

"""Reading of a dataset's table: selection of files and rows at a version."""

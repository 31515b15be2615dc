"""What the columns of a table say: their types, whether they fit a schema, and which schema they suggest."""

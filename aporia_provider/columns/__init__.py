"""Column types, their match with the fields of a schema, and inference of a schema."""

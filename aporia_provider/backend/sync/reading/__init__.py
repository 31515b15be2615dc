"""Reading the table of a dataset: which files, which rows, at which version."""

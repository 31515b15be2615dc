"""Objects on S3 and access to them."""

"""S3 and the Delta log: metadata only, no data."""

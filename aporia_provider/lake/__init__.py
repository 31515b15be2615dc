"""Access to S3 and to the logs of Delta tables: metadata only, no data."""

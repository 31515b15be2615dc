"""Access to objects on S3, and IAM policies and roles for it."""

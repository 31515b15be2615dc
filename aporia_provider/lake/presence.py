"""Whether a folder is a Delta table."""

from __future__ import annotations

from pathlib import Path

from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import local_path, split


def is_delta_table(uri: str, credentials: AwsCredentials | None = None) -> bool:
    """
    Whether a folder has the log of a Delta table, from one small request or a look at the disk.

    :param uri: The folder.
    :param credentials: Credentials for S3; those of the environment without.
    :return: False also if the folder cannot be looked at, which reading it says better.
    """
    if not uri.startswith("s3://"):
        return Path(local_path(uri), "_delta_log").is_dir()
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split(uri)
    prefix = f"{key}/_delta_log/".lstrip("/")
    client = (credentials or AwsCredentials()).client()
    try:
        return bool(client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"))
    except (BotoCoreError, ClientError):
        return False

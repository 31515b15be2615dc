"""Whether a folder is a Delta table."""

from __future__ import annotations

import os
from pathlib import Path

from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import answered, local_path, split


def is_delta_table(uri: str, credentials: AwsCredentials | None = None) -> bool:
    """
    Whether a folder has the log of a Delta table, from one small request or a look at the disk.

    :param uri: The folder.
    :param credentials: Credentials for S3; those of the environment without.
    :return: False also if the folder cannot be looked at, which reading it says better.
    """
    if not uri.startswith("s3://"):
        return os.path.isdir(Path(local_path(uri), "_delta_log"))  # noqa: PTH112 - that of Path raises
    from botocore.exceptions import ClientError

    bucket, key = split(uri)
    prefix = f"{key}/_delta_log/".lstrip("/")
    known = credentials or AwsCredentials()
    try:
        with answered(uri, known):
            listed = known.client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except (AporiaError, ClientError):
        return False
    return bool(listed.get("Contents"))

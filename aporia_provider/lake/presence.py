"""Detection of Delta tables."""

from __future__ import annotations

import os
from pathlib import Path

from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import botocore_errors_converted, local_path, split_s3_uri


def is_delta_table(uri: str, credentials: AwsCredentials | None = None) -> bool:
    """
    Return whether a folder contains a Delta log, with at most one small request.

    :param uri: The folder.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :return: False also if access fails: reading the folder raises a better error.
    """
    if not uri.startswith("s3://"):
        return os.path.isdir(Path(local_path(uri), "_delta_log"))  # noqa: PTH112 - Path.is_dir raises
    from botocore.exceptions import ClientError

    bucket, key = split_s3_uri(uri)
    prefix = f"{key}/_delta_log/".lstrip("/")
    credentials = credentials or AwsCredentials()
    try:
        with botocore_errors_converted(uri, credentials):
            listing = credentials.client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except (AporiaError, ClientError):
        return False
    return bool(listing.get("Contents"))

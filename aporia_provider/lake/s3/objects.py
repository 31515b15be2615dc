"""Reading of whole objects from S3 with boto3. Incomplete responses raise an error."""

from __future__ import annotations

import re
from typing import Any

from aporia_provider.errors import TransientError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import (
    botocore_errors_converted,
    connection_error,
    response_error,
    split_s3_uri,
)

_CONTENT_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")


def get_object(client: Any, uri: str, name: str, credentials: AwsCredentials) -> bytes | None:
    """
    Return the content of a file of a table.

    :param client: A boto3 client.
    :param uri: The table.
    :param name: Path of the file in the table's folder.
    :param credentials: Credentials of the client.
    :return: None if the file does not exist.
    :raises aporia_provider.errors.AporiaError: if S3 denies access, does not respond, or sends an incomplete
        file.
    """
    from botocore.exceptions import ClientError

    bucket, key = split_s3_uri(uri)
    key = f"{key}/{name}".lstrip("/")
    with botocore_errors_converted(uri, credentials):
        try:
            # The response to a range request contains the size of the whole object.
            response = client.get_object(Bucket=bucket, Key=key, Range="bytes=0-")
        except ClientError as error:
            if error.response["Error"].get("Code") in ("InvalidRange", "416"):
                return b""
            if (denied := response_error(error, bucket, key, "s3:GetObject", credentials)) is None:
                return None
            raise denied from None
        content: bytes = response["Body"].read()
        total = _CONTENT_RANGE.fullmatch(response.get("ContentRange") or "")
        check_size(f"s3://{bucket}/{key}", content, int(total[1]) if total else response["ContentLength"])
        return content


def object_sizes(client: Any, uri: str, prefix: str, credentials: AwsCredentials) -> dict[str, int]:
    """
    Return the objects of a folder.

    :param client: A boto3 client.
    :param uri: The folder.
    :param prefix: Prefix of their paths in the folder; empty for all.
    :param credentials: Credentials of the client.
    :return: Paths in the folder to sizes in bytes.
    :raises aporia_provider.errors.AporiaError: if S3 denies access or does not respond.
    """
    from botocore.exceptions import ClientError

    bucket, key = split_s3_uri(uri)
    folder = f"{key}/".lstrip("/")
    try:
        with botocore_errors_converted(uri, credentials):
            listing = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder + prefix)
            entries = [entry for page in listing for entry in page.get("Contents", [])]
    except ClientError as error:
        denied = response_error(error, bucket, folder + prefix, "s3:ListBucket", credentials)
        raise denied or connection_error(uri, credentials, error) from None
    return {entry["Key"].removeprefix(folder): entry["Size"] for entry in entries}


def check_size(location: str, content: bytes, size: int) -> None:
    """
    Raise an error unless the content of an object is complete.

    :param size: Expected size in bytes.
    :raises aporia_provider.errors.TransientError: if the size differs.
    """
    if len(content) != size:
        raise TransientError(f"{location} could not be read: {len(content)} of {size} bytes were received")

"""Whole objects of S3, read with boto3: one that is not whole is never returned."""

from __future__ import annotations

import re
from typing import Any

from aporia_provider.errors import TransientError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import answered, refusal, split, unanswered

_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


def get_object(client: Any, uri: str, name: str, credentials: AwsCredentials) -> bytes | None:
    """
    Read a file of a table.

    :param client: Client of boto3.
    :param uri: The table.
    :param name: Path of the file in the table's folder.
    :param credentials: The credentials that the client has.
    :return: None if there is no such file.
    :raises aporia_provider.errors.AporiaError: if S3 refuses, does not answer, or sends a part of the file.
    """
    from botocore.exceptions import ClientError

    bucket, key = split(uri)
    key = f"{key}/{name}".lstrip("/")
    with answered(uri, credentials):
        try:
            # The answer to a range tells the size of the whole object as well.
            answer = client.get_object(Bucket=bucket, Key=key, Range="bytes=0-")
        except ClientError as error:
            if error.response["Error"].get("Code") in ("InvalidRange", "416"):
                return b""
            if (refused := refusal(error, bucket, key, "s3:GetObject", credentials)) is None:
                return None
            raise refused from None
        content: bytes = answer["Body"].read()
        total = _TOTAL.fullmatch(answer.get("ContentRange") or "")
        check_size(f"s3://{bucket}/{key}", content, int(total[1]) if total else answer["ContentLength"])
        return content


def object_sizes(client: Any, uri: str, prefix: str, credentials: AwsCredentials) -> dict[str, int]:
    """
    List objects of a folder.

    :param client: Client of boto3.
    :param uri: The folder.
    :param prefix: What their paths in the folder begin with; empty for all.
    :param credentials: The credentials that the client has.
    :return: Path in the folder to size.
    :raises aporia_provider.errors.AporiaError: if S3 refuses or does not answer.
    """
    from botocore.exceptions import ClientError

    bucket, key = split(uri)
    folder = f"{key}/".lstrip("/")
    try:
        with answered(uri, credentials):
            listing = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder + prefix)
            entries = [entry for page in listing for entry in page.get("Contents", [])]
    except ClientError as error:
        refused = refusal(error, bucket, folder + prefix, "s3:ListBucket", credentials)
        raise refused or unanswered(uri, credentials, error) from None
    return {entry["Key"].removeprefix(folder): entry["Size"] for entry in entries}


def check_size(place: str, content: bytes, size: int) -> None:
    """
    Make sure that what was read is whole.

    :raises aporia_provider.errors.TransientError: if it is not as long as it should be.
    """
    if len(content) != size:
        raise TransientError(f"{place} could not be read: {len(content)} of {size} bytes came")

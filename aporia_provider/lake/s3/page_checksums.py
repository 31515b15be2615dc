"""
Checksums of the pages of Parquet files.

TCP and HTTP do not detect every changed byte, and the embedded engine does not verify the checksums that many
writers store with each page. TLS detects all changes; over plain HTTP, the pages of the columns that a sync
uses are read and verified. Files without checksums are recognized by their first page, and not read further.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from aporia_provider.errors import TransientError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import botocore_errors_converted, response_error, split_s3_uri

_MAX_THREADS = 8
_BUFFER_SIZE = 1 << 16
_HEADER_SIZE = 32
_NEXT_I32_FIELD = 0x15
"""
First byte of an i32 field in Thrift's compact protocol if its id is one greater than the id of the field
before.
"""


def uses_plain_http(uri: str, credentials: AwsCredentials | None) -> bool:
    """Return whether the data of a table is read over plain HTTP."""
    endpoint = (credentials.endpoint_url if credentials else None) or ""
    return uri.startswith("s3://") and endpoint.startswith("http://")


def verify_pages(uri: str, paths: Iterable[str], columns: Sequence[str], credentials: AwsCredentials) -> None:
    """
    Verify the checksums of the pages of files that have checksums.

    :param uri: The table, on S3.
    :param paths: The files, as written in the log.
    :param columns: Names of the used columns in the files.
    :param credentials: Credentials for S3.
    :raises aporia_provider.errors.TransientError: if a checksum differs; the message names the file.
    :raises aporia_provider.errors.AporiaError: if S3 denies access or does not respond. Missing files are
        ignored: the engine reports them.
    """
    from botocore.exceptions import ClientError

    client = credentials.client(connections=_MAX_THREADS)

    def verify_file(path: str) -> None:
        bucket, key = split_s3_uri(uri)
        object_key = f"{key}/{unquote(path)}".lstrip("/")
        try:
            with botocore_errors_converted(f"s3://{bucket}/{object_key}", credentials):
                file = io.BufferedReader(_ObjectStream(client, bucket, object_key), _BUFFER_SIZE)
                _verify(cast("BinaryIO", file), columns, f"s3://{bucket}/{object_key}")
        except ClientError as error:
            if denied := response_error(error, bucket, object_key, "s3:GetObject", credentials):
                raise denied from None

    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        list(pool.map(verify_file, paths))


def _verify(file: BinaryIO, columns: Sequence[str], location: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        parquet_file = parquet.ParquetFile(file, page_checksum_verification=True)
        if not _has_checksums(file, parquet_file.metadata):
            return
        existing = [name for name in columns if name in parquet_file.schema_arrow.names]
        for group in range(parquet_file.num_row_groups):
            parquet_file.read_row_group(group, columns=existing, use_threads=False)
    except pa.ArrowNotImplementedError:
        # The engine may support files that pyarrow does not.
        return
    except (pa.ArrowException, OSError) as error:
        raise TransientError(
            f"{location} was changed during transfer, or is damaged: {str(error).partition('. ')[0]}. "
            "It was read over plain HTTP; use https"
        ) from None


def _has_checksums(file: BinaryIO, metadata: Any) -> bool:
    """Return whether the header of the first page has a checksum, its optional fourth field."""
    if not metadata.num_row_groups or not metadata.num_columns:
        return False
    chunk = metadata.row_group(0).column(0)
    file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
    header, position = file.read(_HEADER_SIZE), 0
    for _ in range(3):
        if header[position : position + 1] != bytes([_NEXT_I32_FIELD]):
            return False
        position += 1
        while position < len(header) and header[position] & 0x80:
            position += 1
        position += 1
    return header[position : position + 1] == bytes([_NEXT_I32_FIELD])


class _ObjectStream(io.RawIOBase):
    """An object on S3 as a seekable stream."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._size = int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = (
            offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        )
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        byte_range = f"bytes={self._position}-{self._position + length - 1}"
        response = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=byte_range)
        content: bytes = response["Body"].read()
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

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
from aporia_provider.lake.failures import answered, refusal, split

_AT_ONCE = 8
_BUFFER = 1 << 16
_HEADER = 32
_I32 = 0x15
"""
First byte of an i32 field in Thrift's compact protocol if its id is one greater than that of the field
before.
"""


def travels_in_clear(uri: str, credentials: AwsCredentials | None) -> bool:
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
    :raises aporia_provider.errors.TransientError: naming a file with a page whose checksum differs.
    :raises aporia_provider.errors.AporiaError: if S3 denies access or does not respond. Missing files are
        ignored: the engine reports them.
    """
    from botocore.exceptions import ClientError

    client = credentials.client(connections=_AT_ONCE)

    def one(path: str) -> None:
        bucket, key = split(uri)
        place = f"{key}/{unquote(path)}".lstrip("/")
        try:
            with answered(f"s3://{bucket}/{place}", credentials):
                file = io.BufferedReader(_Object(client, bucket, place), _BUFFER)
                _verify(cast("BinaryIO", file), columns, f"s3://{bucket}/{place}")
        except ClientError as error:
            if refused := refusal(error, bucket, place, "s3:GetObject", credentials):
                raise refused from None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(one, paths))


def _verify(file: BinaryIO, columns: Sequence[str], place: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file, page_checksum_verification=True)
        if not _has_checksums(file, opened.metadata):
            return
        known = [name for name in columns if name in opened.schema_arrow.names]
        for group in range(opened.num_row_groups):
            opened.read_row_group(group, columns=known, use_threads=False)
    except pa.ArrowNotImplementedError:
        # The engine may support files that pyarrow does not.
        return
    except (pa.ArrowException, OSError) as error:
        raise TransientError(
            f"{place} did not come as it was written, or is damaged: {str(error).partition('. ')[0]}. "
            "It was read over plain HTTP; use https"
        ) from None


def _has_checksums(file: BinaryIO, metadata: Any) -> bool:
    """Return whether the header of the first page has a checksum, its optional fourth field."""
    if not metadata.num_row_groups or not metadata.num_columns:
        return False
    chunk = metadata.row_group(0).column(0)
    file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
    header, place = file.read(_HEADER), 0
    for _ in range(3):
        if header[place : place + 1] != bytes([_I32]):
            return False
        place += 1
        while place < len(header) and header[place] & 0x80:
            place += 1
        place += 1
    return header[place : place + 1] == bytes([_I32])


class _Object(io.RawIOBase):
    """An object on S3 as a seekable stream."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._size = int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._place)
        if wanted <= 0:
            return 0
        span = f"bytes={self._place}-{self._place + wanted - 1}"
        answer = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=span)
        content: bytes = answer["Body"].read()
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

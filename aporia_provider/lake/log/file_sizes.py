"""Detection of damaged or missing data files, for engine errors that do not distinguish them."""

from __future__ import annotations

import io
import re
from fnmatch import fnmatchcase
from urllib.parse import unquote

from aporia_provider.errors import AporiaError, NotFoundError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import split_s3_uri
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.lake.s3.objects import get_object, object_sizes

_MAX_LISTED = 5
_MAX_CHECKED = 8
_PATTERN = re.compile(r"[*?\[{]")


def incomplete_file_error(
    uri: str, message: str, credentials: AwsCredentials, *, is_delta: bool, version: int | None = None
) -> AporiaError:
    """
    Return the exception for an engine error about an incomplete file on S3.

    The engine cannot distinguish a damaged file from a response that ended early, so the files are checked.

    :param uri: The Delta table, or the Parquet files.
    :param message: The engine's error message.
    :param credentials: Credentials for S3.
    :param is_delta: Whether it is a Delta table.
    :param version: Version of the table. Default: the latest.
    :return: ``ValidationError`` if the size of a file differs from that in the log, or if the file named by
        the engine, or one of the first if it names none, is not a Parquet file; ``NotFoundError`` if a file
        is missing; otherwise ``TransientError``.
    """
    try:
        folder, stored_sizes = _stored_sizes(uri, credentials, is_delta=is_delta)
        expected_sizes = _sizes_in_log(uri, credentials, version) if is_delta else stored_sizes
        faults = [
            f"{path} has {stored_sizes[path]} bytes, but its log states {size}"
            for path, size in expected_sizes.items()
            if path in stored_sizes and stored_sizes[path] != size
        ]
        missing = [path for path in expected_sizes if path not in stored_sizes]
        existing = [
            path
            for path in expected_sizes
            if path in stored_sizes and (is_delta or path.endswith(".parquet"))
        ]
        checked = [path for path in existing if path in message] or existing[:_MAX_CHECKED]
        faults = faults or [fault for path in checked if (fault := _parquet_fault(folder, path, credentials))]
    except AporiaError as error:
        return error
    if faults:
        return ValidationError(
            f"{uri} could not be read: files are damaged. Rewrite them", problems=faults[:_MAX_LISTED]
        )
    if missing:
        return NotFoundError(f"{uri} could not be read: its log names {missing[0]}, which does not exist")
    return TransientError(f"S3 returned an incomplete file, but no stored file is damaged. {message}")


def _sizes_in_log(uri: str, credentials: AwsCredentials, version: int | None) -> dict[str, int]:
    files = DeltaLog(uri, credentials, version=version).files([])
    sizes = files.table["size_bytes"].to_pylist()
    paths_inside = set(files.paths).difference(files.outside_paths)
    return {
        unquote(path): size for path, size in zip(files.paths, sizes, strict=True) if path in paths_inside
    }


def _stored_sizes(uri: str, credentials: AwsCredentials, *, is_delta: bool) -> tuple[str, dict[str, int]]:
    """Return a folder, and the sizes of its files or of those that match a path or pattern."""
    client = credentials.client()
    if is_delta:
        return uri, object_sizes(client, uri, "", credentials)
    bucket, key = split_s3_uri(uri)
    parent, _, prefix = _PATTERN.split(key, maxsplit=1)[0].rpartition("/")
    base = f"s3://{bucket}/{parent}".rstrip("/")
    sizes = object_sizes(client, base, prefix, credentials)
    # fnmatch does not support alternatives in braces.
    key_pattern = re.sub(r"{[^{}]*}", "*", key.removeprefix(f"{parent}/"))
    patterns = (key_pattern, f"{key_pattern}/*")
    matching = (path for path in sizes if any(fnmatchcase(path, pattern) for pattern in patterns))
    return base, {path: sizes[path] for path in matching}


def _parquet_fault(uri: str, path: str, credentials: AwsCredentials) -> str | None:
    """Read a whole file, and return why it is not a valid Parquet file; None if it is."""
    import pyarrow as pa
    from pyarrow import parquet

    content = get_object(credentials.client(), uri, path, credentials)
    try:
        parquet.read_table(io.BytesIO(content or b""), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        return f"{path} is not a complete Parquet file: {str(error).partition('. ')[0]}"
    return None

"""Partition values and deletion vectors of the files that a log, or a copy of it, adds."""

from __future__ import annotations

import base64
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_LOG = "_delta_log"
_ENCODED_UUID_LENGTH = 20  # Length of a UUID in Z85, in characters.
# Python's base 85 and ZeroMQ's, which the Delta protocol uses, differ in their alphabets only.
_PYTHON_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85_ALPHABET = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def partition_values(table: Path, paths: Sequence[str]) -> dict[str, set[str]]:
    """
    Return the values of partition columns as written in the log, without nulls.

    :param table: Folder of the table, or a copy of its log.
    :param paths: Paths of the files.
    :return: Physical names of the columns to their values.
    """
    decoded_paths = {unquote(path) for path in paths}
    values: defaultdict[str, set[str]] = defaultdict(set)
    for added in _added_files(table / _LOG, "partitionValues"):
        if unquote(added["path"]) in decoded_paths:
            for name, value in dict(added["partitionValues"] or ()).items():
                if value is not None:
                    values[name].add(value)
    return dict(values)


def deletion_vector_files(table: Path) -> set[str]:
    """
    Return the paths, relative to the table, of the deletion vector files in a log.

    :param table: Folder of the table, or a copy of its log.
    """
    vectors = (added["deletionVector"] for added in _added_files(table / _LOG, "deletionVector"))
    return {path for vector in vectors if (path := _deletion_vector_path(vector)) is not None}


def _deletion_vector_path(vector: Any) -> str | None:
    """Return the relative path of a deletion vector file, which has an optional prefix and a UUID in Z85."""
    if not isinstance(vector, Mapping) or vector.get("storageType") != "u":
        return None
    path_or_inline = str(vector.get("pathOrInlineDv"))
    prefix, encoded = path_or_inline[:-_ENCODED_UUID_LENGTH], path_or_inline[-_ENCODED_UUID_LENGTH:].encode()
    try:
        name = uuid.UUID(
            bytes=base64.b85decode(encoded.translate(bytes.maketrans(_Z85_ALPHABET, _PYTHON_ALPHABET)))
        )
    except ValueError:
        # delta-rs reports this fault.
        return None
    return f"{prefix}{'/' if prefix else ''}deletion_vector_{name}.bin"


def _added_files(log: Path, field: str) -> Iterator[Mapping[str, Any]]:
    """Yield the path and another field of every file added by the commits and checkpoints in the log."""
    for commit in log.glob("*.json"):
        for line in commit.read_bytes().splitlines():
            added = _added_file(line) if b'"add"' in line else None
            if added is not None:
                yield {field: None, **added}
    for checkpoint in [*log.glob("*.checkpoint*.parquet"), *log.glob("_sidecars/*.parquet")]:
        yield from _added_files_in_checkpoint(checkpoint, field)


def _added_file(line: bytes) -> dict[str, Any] | None:
    """Return the file that a line adds; None if it adds none or is malformed."""
    try:
        action = json.loads(line)
    except ValueError:
        # delta-rs reports this fault.
        return None
    added = action.get("add") if isinstance(action, dict) else None
    return added if isinstance(added, dict) and isinstance(added.get("path"), str) else None


def _added_files_in_checkpoint(checkpoint: Path, field: str) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(checkpoint) as file:
            schema = file.schema_arrow
            if "add" not in schema.names or schema.field("add").type.get_field_index(field) < 0:
                return
            table = file.read(columns=["add.path", f"add.{field}"])
    except (pa.ArrowException, OSError):
        # delta-rs reports this fault.
        return
    yield from (row for row in table["add"].to_pylist() if row)

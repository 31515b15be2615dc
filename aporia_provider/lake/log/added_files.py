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
_UUID = 20  # Length of a UUID in Z85, in characters.
# Python's base 85 and ZeroMQ's, which the Delta protocol uses, differ in their alphabets only.
_PYTHON = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def partition_texts(table: Path, paths: Sequence[str]) -> dict[str, set[str]]:
    """
    Return the values of partition columns as written in the log, without nulls.

    :param table: Folder of the table, or a copy of its log.
    :param paths: Paths of the files.
    :return: Physical names of the columns to their values.
    """
    wanted = {unquote(path) for path in paths}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for added in _added(table / _LOG, "partitionValues"):
        if unquote(added["path"]) in wanted:
            for name, text in dict(added["partitionValues"] or ()).items():
                if text is not None:
                    found[name].add(text)
    return dict(found)


def deletion_vector_files(table: Path) -> set[str]:
    """
    Return the paths, relative to the table, of the deletion vector files in a log.

    :param table: Folder of the table, or a copy of its log.
    """
    vectors = (added["deletionVector"] for added in _added(table / _LOG, "deletionVector"))
    return {path for vector in vectors if (path := _path(vector)) is not None}


def _path(vector: Any) -> str | None:
    """Return the relative path of a deletion vector file, which has an optional prefix and a UUID in Z85."""
    if not isinstance(vector, Mapping) or vector.get("storageType") != "u":
        return None
    text = str(vector.get("pathOrInlineDv"))
    prefix, encoded = text[:-_UUID], text[-_UUID:].encode()
    try:
        name = uuid.UUID(bytes=base64.b85decode(encoded.translate(bytes.maketrans(_Z85, _PYTHON))))
    except ValueError:
        # delta-rs reports this fault.
        return None
    return f"{prefix}{'/' if prefix else ''}deletion_vector_{name}.bin"


def _added(log: Path, field: str) -> Iterator[Mapping[str, Any]]:
    """Yield the path and another field of every file added by the commits and checkpoints in the log."""
    for commit in log.glob("*.json"):
        for line in commit.read_bytes().splitlines():
            added = _of_line(line) if b'"add"' in line else None
            if added is not None:
                yield {field: None, **added}
    for checkpoint in [*log.glob("*.checkpoint*.parquet"), *log.glob("_sidecars/*.parquet")]:
        yield from _of_checkpoint(checkpoint, field)


def _of_line(line: bytes) -> dict[str, Any] | None:
    """Return the file that a line adds; None if it adds none or is malformed."""
    try:
        action = json.loads(line)
    except ValueError:
        # delta-rs reports this fault.
        return None
    added = action.get("add") if isinstance(action, dict) else None
    return added if isinstance(added, dict) and isinstance(added.get("path"), str) else None


def _of_checkpoint(checkpoint: Path, field: str) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(checkpoint) as file:
            schema = file.schema_arrow
            if "add" not in schema.names or schema.field("add").type.get_field_index(field) < 0:
                return
            read = file.read(columns=["add.path", f"add.{field}"])
    except (pa.ArrowException, OSError):
        # delta-rs reports this fault.
        return
    yield from (row for row in read["add"].to_pylist() if row)

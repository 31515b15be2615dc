"""What a log, or a copy of it, says of the files that it adds."""

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
_UUID = 20  # Characters of a UUID in Z85.
# Python's base 85 and that of ZeroMQ, which the Delta protocol uses, differ in their digits only.
_PYTHON = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def partition_texts(table: Path, paths: Sequence[str]) -> dict[str, set[str]]:
    """
    The values of partition columns as a log writes them; nulls are left out.

    :param table: Folder of the table, or a copy of its log.
    :param paths: Paths of the files whose values are wanted.
    :return: Physical name of the column to its values.
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
    Paths, below the table, of the files with deletion vectors that a log names.

    :param table: Folder of the table, or a copy of its log.
    """
    vectors = (added["deletionVector"] for added in _added(table / _LOG, "deletionVector"))
    return {path for vector in vectors if (path := _path(vector)) is not None}


def _path(vector: Any) -> str | None:
    """The relative path of a deletion vector: a prefix, which may be empty, and a UUID in Z85."""
    if not isinstance(vector, Mapping) or vector.get("storageType") != "u":
        return None
    text = str(vector.get("pathOrInlineDv"))
    prefix, encoded = text[:-_UUID], text[-_UUID:].encode()
    try:
        name = uuid.UUID(bytes=base64.b85decode(encoded.translate(bytes.maketrans(_Z85, _PYTHON))))
    except ValueError:
        # delta-rs says what is wrong with it.
        return None
    return f"{prefix}{'/' if prefix else ''}deletion_vector_{name}.bin"


def _added(log: Path, field: str) -> Iterator[Mapping[str, Any]]:
    """Path and another field of every file that was ever added, as far as the log goes back."""
    for commit in log.glob("*.json"):
        for line in commit.read_bytes().splitlines():
            added = _of_line(line) if b'"add"' in line else None
            if added is not None:
                yield {field: None, **added}
    for checkpoint in [*log.glob("*.checkpoint*.parquet"), *log.glob("_sidecars/*.parquet")]:
        yield from _of_checkpoint(checkpoint, field)


def _of_line(line: bytes) -> dict[str, Any] | None:
    """The file that a line adds; None if it adds none, or does not have the form of an action."""
    try:
        action = json.loads(line)
    except ValueError:
        # delta-rs says what is wrong with it.
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
        # delta-rs says what is wrong with it.
        return
    yield from (row for row in read["add"].to_pylist() if row)

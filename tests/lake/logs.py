"""Delta logs written by hand: tables that need no data file, and those no Python writer makes."""

from __future__ import annotations

import base64
import json
import struct
import uuid
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def field(name: str, type_: Any, **metadata: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "nullable": True, "metadata": metadata}


def metadata(
    fields: Iterable[Mapping[str, Any]], partitions: Iterable[str] = (), **configuration: str
) -> list[dict[str, Any]]:
    schema = {"type": "struct", "fields": list(fields)}
    names = {name.replace("_", "."): value for name, value in configuration.items()}
    return [
        {
            "metaData": {
                "id": str(uuid.uuid4()),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps(schema),
                "partitionColumns": list(partitions),
                "configuration": names,
                "createdTime": 1_700_000_000_000,
            }
        }
    ]


def protocol(*features: str) -> dict[str, Any]:
    if not features:
        return {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    listed = list(features)
    return {
        "protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": listed,
            "writerFeatures": listed,
        }
    }


def add(path: str, stats: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    action: dict[str, Any] = {
        "path": path,
        "partitionValues": {},
        "size": 1000,
        "modificationTime": 1_700_000_000_000,
        "dataChange": True,
        **more,
    }
    if stats is not None:
        action["stats"] = json.dumps(stats)
    return {"add": action}


def deletion_vector(rows: Collection[int]) -> dict[str, Any]:
    """An inline deletion vector (the Delta protocol's "Deletion Vector Format", one 32-bit bitmap)."""
    blob = _bitmaps(rows)
    padded = blob + b"\0" * (-len(blob) % 4)
    text = base64.b85encode(padded).translate(bytes.maketrans(_B85, _Z85)).decode()
    return {
        "storageType": "i",
        "pathOrInlineDv": text,
        "sizeInBytes": len(blob),
        "cardinality": len(list(rows)),
    }


def deletion_vector_in_a_file(rows: Collection[int]) -> tuple[dict[str, Any], str, bytes]:
    """The same in a file: what the log says, path of the file below the table, and its bytes."""
    blob = _bitmaps(rows)
    body = b"\x01" + struct.pack(">i", len(blob)) + blob + struct.pack(">I", zlib.crc32(blob))
    # The protocol gives this text and its path as an example.
    told = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1}
    path = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
    return {**told, "sizeInBytes": len(blob), "cardinality": len(list(rows))}, path, body


def _bitmaps(rows: Iterable[int]) -> bytes:
    positions = sorted(rows)
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, len(positions) - 1, 16)
    bitmap += struct.pack(f"<{len(positions)}H", *positions)
    return struct.pack("<iqi", 1681511377, 1, 0) + bitmap


def commit(
    folder: Path, version: int, actions: Iterable[Mapping[str, Any]], operation: str = "WRITE"
) -> None:
    log = folder / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    info = {"commitInfo": {"timestamp": 1_700_000_000_000 + version, "operation": operation}}
    # No writer of tables escapes more than it has to.
    lines = [json.dumps(action, ensure_ascii=False) for action in (info, *actions)]
    (log / f"{version:020}.json").write_text("\n".join(lines), encoding="utf-8")


NUMBERS = tuple(f"n{index}" for index in range(10))


def many_files(files: int) -> str:
    """The one commit of a table of so many files: an id, a timestamp and ten numbers, 100 rows each file."""
    fields = [field("id", "string"), field("at", "timestamp"), *(field(name, "double") for name in NUMBERS)]
    lines: list[dict[str, Any]] = [protocol(), *metadata(fields)]
    for index in range(files):
        hour = f"2024-01-01T{index % 24:02}"
        stats = {
            "numRecords": 100,
            "nullCount": {"id": 0, "at": 0, **dict.fromkeys(NUMBERS, 1)},
            "minValues": {"id": "a", "at": f"{hour}:00:00.000Z", **dict.fromkeys(NUMBERS, 0.5)},
            "maxValues": {"id": "z", "at": f"{hour}:59:59.000Z", **dict.fromkeys(NUMBERS, 9.5)},
        }
        lines.append(add(f"part-{index:05}.parquet", stats))
    return "\n".join(json.dumps(line) for line in lines)

"""Delta tables of which only the log exists, with commits at given times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.lake import logs

FIELDS = (logs.field("id", "long"), logs.field("city", "string"))


def written_log(
    times: Iterable[datetime],
    rows: int = 1000,
    fields: Iterable[Mapping[str, Any]] = FIELDS,
    nulls: int = 10,
) -> dict[str, bytes]:
    """The files of a log, by name: a commit that makes the table, and one append at each time."""
    made, *others = list(times)
    files = {name(0): commit(made, [logs.protocol(), *logs.metadata(fields)], "CREATE TABLE")}
    for version, time in enumerate([made, *others], 1):
        files[name(version)] = commit(time, [appended(version, rows, nulls)])
    return files


def name(version: int) -> str:
    return f"{version:020}.json"


def appended(version: int, rows: int, nulls: int) -> dict[str, Any]:
    return logs.add(f"part-{version}.parquet", {"numRecords": rows, "nullCount": {"id": 0, "city": nulls}})


def commit(time: datetime, actions: Iterable[Mapping[str, Any]], operation: str = "WRITE") -> bytes:
    info = {
        "timestamp": round(time.timestamp() * 1000),
        "operation": operation,
        "engineInfo": "hand-written/1",
    }
    return "\n".join(json.dumps(action) for action in [{"commitInfo": info}, *actions]).encode()


def put(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write the files of a log below a folder; the URI of the table."""
    log = folder / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (log / file).write_bytes(content)
    return f"file://{folder}"

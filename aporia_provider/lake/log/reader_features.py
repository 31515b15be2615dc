"""Detection of entries in the log of a Delta table that an engine may not support although delta-rs does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from aporia_provider.lake.log.commits import json_values

Read = Callable[[str], bytes | None]

READER_FEATURES = frozenset(
    {
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    }
)
"""Reader features that the embedded engine supports."""
_AT_ONCE = 8
_MOST_COMMITS = 1000
_ACTIONS = frozenset(
    {
        "add",
        "cdc",
        "checkpointMetadata",
        "commitInfo",
        "domainMetadata",
        "metaData",
        "protocol",
        "remove",
        "sidecar",
        "txn",
    }
)
_LEVELS = (None, "Serializable", "WriteSerializable", "SnapshotIsolation")
_INFO: Mapping[str, type] = {
    "timestamp": int,
    "inCommitTimestamp": int,
    "readVersion": int,
    "isBlindAppend": bool,
    "operationParameters": dict,
    "operation": str,
    "userId": str,
    "userName": str,
    "userMetadata": str,
    "engineInfo": str,
}
# Most of a log consists of these actions, and delta-rs has parsed them.
_FILES = re.compile(rb'\s*\{\s*"(?:add|remove)"\s*:\s*\{')


def odd_features(features: tuple[str, ...]) -> Iterator[str]:
    """Yield descriptions of reader features that the embedded engine may not support."""
    for name in features:
        if name not in READER_FEATURES:
            yield f"its protocol needs the reader feature {name}"


def odd_types(columns: tuple[tuple[str, Any], ...]) -> Iterator[str]:
    """Yield descriptions of columns of type void."""
    for name, type_ in columns:
        if re.search('"(?:void|null)"', json.dumps(_types_in(type_))):
            yield f"its column {name!r} is of type void: drop it, or give it another type"


def odd_entries(read: Read, version: int) -> Iterator[str]:
    """
    Yield descriptions of log entries that the embedded engine may not support or find.

    :param read: Function that returns the content of a file of the table, given its name; None if it does not
        exist.
    :param version: Version at which the table is read.
    """
    hint = _last_checkpoint(read)
    base = hint["version"] if hint else -1
    if base > version:
        yield f"its last checkpoint is of version {base}, which is later"
        base = -1
    if hint and hint.get("parts") == 1:
        yield f"its checkpoint of version {base} has one part, but the name of several"
    versions = range(max(base + 1, version + 1 - _MOST_COMMITS), version + 1)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        contents = pool.map(lambda number: read(f"_delta_log/{number:020}.json"), versions)
        yield from chain.from_iterable(map(_odd_in_commit, versions, contents))


def _last_checkpoint(read: Read) -> dict[str, Any] | None:
    try:
        hint = json.loads(read("_delta_log/_last_checkpoint") or b"null")
    except ValueError:
        return None
    return hint if isinstance(hint, dict) and isinstance(hint.get("version"), int) else None


def _odd_in_commit(version: int, content: bytes | None) -> Iterator[str]:
    lines = (content or b"").splitlines()
    rest = b"\n".join(line for line in lines if not _FILES.match(line))
    try:
        values = json_values(rest)
    except ValueError:
        # Actions that extend over several lines.
        return
    for action in values:
        if (found := _odd_action(action)) is not None:
            yield f"version {version} of its log has {found}"


def _odd_action(action: Any) -> str | None:
    if not isinstance(action, dict) or len(action) != 1:
        return "an entry that is not one action"
    ((kind, value),) = action.items()
    if kind not in _ACTIONS or not isinstance(value, dict):
        return f"the unknown entry {kind!r}"
    return _odd_info(value) if kind == "commitInfo" else None


def _odd_info(info: Mapping[str, Any]) -> str | None:
    for name, type_ in _INFO.items():
        value = info.get(name)
        if value is not None and type(value) is not type_:
            return f"a commitInfo whose {name} is no {type_.__name__}"
    if info.get("isolationLevel") not in _LEVELS:
        return "a commitInfo of an unknown isolationLevel"
    return None


def _types_in(type_: Any) -> Any:
    """Return a type without the names of its fields, which are arbitrary."""
    if isinstance(type_, dict):
        return [_types_in(part) for key, part in type_.items() if key not in ("name", "metadata")]
    return [_types_in(part) for part in type_] if isinstance(type_, list) else type_

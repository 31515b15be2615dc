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
_MAX_THREADS = 8
_MAX_COMMITS = 1000
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
_ISOLATION_LEVELS = (None, "Serializable", "WriteSerializable", "SnapshotIsolation")
_INFO_TYPES: Mapping[str, type] = {
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
_FILE_ACTION = re.compile(rb'\s*\{\s*"(?:add|remove)"\s*:\s*\{')


def unsupported_features(features: tuple[str, ...]) -> Iterator[str]:
    """Yield descriptions of reader features that the embedded engine may not support."""
    for name in features:
        if name not in READER_FEATURES:
            yield f"its protocol requires the reader feature {name}"


def unsupported_types(columns: tuple[tuple[str, Any], ...]) -> Iterator[str]:
    """Yield descriptions of columns of type void."""
    for name, type_ in columns:
        if re.search('"(?:void|null)"', json.dumps(_without_field_names(type_))):
            yield f"its column {name!r} is of type void: drop it, or give it another type"


def unsupported_entries(read_file: Read, version: int) -> Iterator[str]:
    """
    Yield descriptions of log entries that the embedded engine may not support or find.

    :param read_file: Function that returns the content of a file of the table, given its name; None if it
        does not exist.
    :param version: Version at which the table is read.
    """
    last_checkpoint = _last_checkpoint(read_file)
    checkpoint_version = last_checkpoint["version"] if last_checkpoint else -1
    if checkpoint_version > version:
        yield f"its last checkpoint is of version {checkpoint_version}, which is later"
        checkpoint_version = -1
    if last_checkpoint and last_checkpoint.get("parts") == 1:
        yield f"its checkpoint of version {checkpoint_version} has one part, but is named as one of several"
    versions = range(max(checkpoint_version + 1, version + 1 - _MAX_COMMITS), version + 1)
    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        contents = pool.map(lambda number: read_file(f"_delta_log/{number:020}.json"), versions)
        yield from chain.from_iterable(map(_unsupported_in_commit, versions, contents))


def _last_checkpoint(read_file: Read) -> dict[str, Any] | None:
    try:
        checkpoint = json.loads(read_file("_delta_log/_last_checkpoint") or b"null")
    except ValueError:
        return None
    return checkpoint if isinstance(checkpoint, dict) and isinstance(checkpoint.get("version"), int) else None


def _unsupported_in_commit(version: int, content: bytes | None) -> Iterator[str]:
    lines = (content or b"").splitlines()
    other_actions = b"\n".join(line for line in lines if not _FILE_ACTION.match(line))
    try:
        values = json_values(other_actions)
    except ValueError:
        # Actions that extend over several lines.
        return
    for action in values:
        if (description := _action_problem(action)) is not None:
            yield f"version {version} of its log has {description}"


def _action_problem(action: Any) -> str | None:
    if not isinstance(action, dict) or len(action) != 1:
        return "an entry that is not a single action"
    ((kind, value),) = action.items()
    if kind not in _ACTIONS or not isinstance(value, dict):
        return f"the unknown entry {kind!r}"
    return _commit_info_problem(value) if kind == "commitInfo" else None


def _commit_info_problem(info: Mapping[str, Any]) -> str | None:
    for name, type_ in _INFO_TYPES.items():
        value = info.get(name)
        if value is not None and type(value) is not type_:
            return f"a commitInfo whose {name} is not of type {type_.__name__}"
    if info.get("isolationLevel") not in _ISOLATION_LEVELS:
        return "a commitInfo with an unknown isolationLevel"
    return None


def _without_field_names(type_: Any) -> Any:
    """Return a type without the names of its fields, which are arbitrary."""
    if isinstance(type_, dict):
        return [_without_field_names(item) for key, item in type_.items() if key not in ("name", "metadata")]
    return [_without_field_names(item) for item in type_] if isinstance(type_, list) else type_

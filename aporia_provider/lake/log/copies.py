"""
Copies of the logs of tables that delta-rs cannot read in place.

delta-rs decodes the percent signs of some paths twice, treats backslashes as slashes, and cannot open a table
whose ``_last_checkpoint`` names a missing checkpoint, nor some tables whose log contains statistics that are
not JSON. A copy avoids all of these. The sizes of files from S3 are verified.
"""

from __future__ import annotations

import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import local_path
from aporia_provider.lake.log.added_files import deletion_vector_files
from aporia_provider.lake.s3.objects import check_size, get_object, object_sizes

_LOG, _LAST_CHECKPOINT = "_delta_log", "_last_checkpoint"
_MAX_THREADS = 8
# The delimiter after the number is required: truncated statistics may lack the last digits.
_NUM_RECORDS = re.compile(r'"numRecords"\s*:\s*(\d{1,18})\s*[,}]')

Folder = tempfile.TemporaryDirectory[str]


class LogCopy:
    """
    A copy of a table's log, created when it is first used and deleted with this object.

    :param uri: The table.
    :param credentials: Credentials for S3.
    """

    def __init__(self, uri: str, credentials: AwsCredentials) -> None:
        self._uri, self._credentials = uri, credentials

    @property
    def path(self) -> str:
        """
        Path of the copy.

        :raises aporia_provider.errors.AporiaError: if S3 denies access or does not respond.
        """
        return self._folder.name

    @cached_property
    def _folder(self) -> Folder:
        return copy_log(self._uri, self._credentials)


def copy_log(uri: str, credentials: AwsCredentials) -> Folder:
    """
    Copy the log of a table, without ``_last_checkpoint`` and without statistics that are not JSON.

    The copy of a local table has links to all other files; the copy of a table on S3 has the deletion vector
    files named in the log, and no data.

    :param uri: The table.
    :param credentials: Credentials for S3.
    :return: The folder of the copy.
    :raises aporia_provider.errors.AporiaError: if S3 denies access or does not respond.
    """
    copy = tempfile.TemporaryDirectory(prefix="aporia-log-")
    root = Path(copy.name)
    (root / _LOG).mkdir()
    if uri.startswith("s3://"):
        _download(uri, credentials, root)
    else:
        table = Path(local_path(uri))
        _link(table, root)
        _link(table / _LOG, root / _LOG)
    for path in (root / _LOG).iterdir():
        if path.suffix == ".json":
            _clean_commit(path)
        elif ".checkpoint" in path.name:
            _clean_checkpoint(path)
    if uri.startswith("s3://"):
        _download_deletion_vectors(uri, credentials, root)
    return copy


def _clean_commit(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    cleaned = list(map(_without_invalid_statistics, lines))
    if cleaned != lines:
        # The path may be a link.
        path.unlink()
        path.write_bytes(b"\n".join(cleaned))


def _clean_checkpoint(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError):
        # delta-rs reports this fault.
        return
    add = table["add"].combine_chunks() if "add" in table.column_names else None
    if add is None or (stats_index := add.type.get_field_index("stats")) < 0:
        return
    stats = add.field(stats_index).to_pylist()
    cleaned = [_clean_statistics(text) for text in stats]
    if cleaned != stats:
        children = [add.field(index) for index in range(add.type.num_fields)]
        children[stats_index] = pa.array(cleaned, children[stats_index].type)
        struct = pa.StructArray.from_arrays(children, fields=list(add.type), mask=add.is_null())
        path.unlink()
        parquet.write_table(table.set_column(table.column_names.index("add"), "add", struct), path)


def _without_invalid_statistics(line: bytes) -> bytes:
    if b'"stats"' not in line:
        return line
    try:
        action = json.loads(line)
        (values,) = action.values()
    except (ValueError, AttributeError):
        return line
    if not isinstance(values, dict) or _is_none_or_object(values.get("stats")):
        return line
    return json.dumps(
        {kind: {**values, "stats": _clean_statistics(values["stats"])} for kind in action}
    ).encode()


def _clean_statistics(stats: Any) -> str | None:
    """Return statistics; if they are not JSON, the number of rows only, which deletion vectors require."""
    if _is_none_or_object(stats):
        return str(stats) if stats is not None else None
    rows = _NUM_RECORDS.search(stats) if isinstance(stats, str) else None
    return json.dumps({"numRecords": int(rows[1])}) if rows else None


def _is_none_or_object(stats: Any) -> bool:
    """Return whether statistics are None or a JSON object. Python accepts NaN, but JSON does not."""
    if stats is None:
        return True
    try:
        return isinstance(json.loads(stats, parse_constant=_reject_constant), dict)
    except (ValueError, TypeError):
        return False


def _reject_constant(constant: str) -> None:
    raise ValueError(constant)


def _link(source: Path, target: Path) -> None:
    for entry in source.iterdir():
        if entry.name not in (_LOG, _LAST_CHECKPOINT):
            (target / entry.name).symlink_to(entry)


def _download(uri: str, credentials: AwsCredentials, root: Path) -> None:
    client = credentials.client()
    sizes = _log_file_sizes(client, uri, credentials)

    def fetch(name: str) -> None:
        content = get_object(client, uri, f"{_LOG}/{name}", credentials)
        check_size(f"{uri}/{_LOG}/{name}", content or b"", sizes[name])
        path = root / _LOG / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or b"")

    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        list(pool.map(fetch, sizes))


def _download_deletion_vectors(uri: str, credentials: AwsCredentials, root: Path) -> None:
    client = credentials.client()

    def fetch(name: str) -> None:
        content = get_object(client, uri, name, credentials)
        # A missing file may belong to a version that is no longer retained.
        if content is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)

    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        list(pool.map(fetch, filter(_is_below_base, deletion_vector_files(root))))


def _log_file_sizes(client: Any, uri: str, credentials: AwsCredentials) -> dict[str, int]:
    """Return the names of the files in a log, to their sizes."""
    sizes_by_path = object_sizes(client, uri, f"{_LOG}/", credentials)
    sizes = {name.removeprefix(f"{_LOG}/"): size for name, size in sizes_by_path.items()}
    return {
        name: size
        for name, size in sizes.items()
        if _is_below_base(name) and not name.endswith(("/", _LAST_CHECKPOINT))
    }


def _is_below_base(name: str) -> bool:
    """
    Return whether a relative path leads to a file below its base folder.

    Keys on S3 and the paths in a log are chosen by the writers of a table, and may contain ``..``.
    """
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts

"""The files of a table that hold some of its rows, as its log tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from aporia_provider.lake.delta import DeltaLog
from aporia_provider.lake.diagnosis import local_path
from aporia_provider.lake.statistics import FileStatistics

_FRACTIONAL = ("float", "double")
_ROWS = ("path", "num_records", "deleted")


def files_with(
    log: DeltaLog,
    column: str | None,
    spans: Sequence[tuple[Any, Any]],
    read_as: Callable[[Any], Any] = lambda bounds: bounds,
    columns: Sequence[str] = (),
) -> FileStatistics:
    """
    The files that may have values between some bounds.

    :param log: The table.
    :param column: The column whose values are meant; None for all files.
    :param spans: Pairs of a least and a greatest value.
    :param read_as: Makes of the bounds in the log what the spans are made of.
    :param columns: Columns of which statistics are wanted besides.
    """
    files = log.files([*columns, *([column] if column else [])])
    if column is None:
        return files
    return FileStatistics(files.table.filter(_overlaps(files.table, column, spans, read_as)))


def size_of(files: FileStatistics) -> tuple[int, int]:
    """How many files there are, and how many bytes."""
    sizes = files.table["size_bytes"].to_pylist()
    return len(sizes), sum(sizes)


def fractional(log: DeltaLog, names: Iterable[str | None]) -> list[str]:
    """
    Columns that can be NaN.

    :param log: The table.
    :param names: The columns in question; None stands for whatever columns there are.
    """
    wanted = set(names)
    metadata = log.metadata
    return [
        name
        for name, type_ in metadata.columns
        if type_ in _FRACTIONAL
        and name not in metadata.partition_columns
        and (None in wanted or name in wanted)
    ]


def stored_types(log: DeltaLog, names: Iterable[str]) -> Mapping[str, str]:
    """What the files call columns, and the types of those."""
    types, physical = dict(log.metadata.columns), log.metadata.physical_names
    called = {logical: name for name, logical in physical.items()}
    return {called.get(name, name): types[name] for name in names}


def rows_of(log: DeltaLog, files: FileStatistics) -> Mapping[str, int]:
    """Where files are, and how many rows each has, deleted ones among them."""
    root = log.uri if log.uri.startswith("s3://") else local_path(log.uri)
    found = {}
    for path, rows, deleted in zip(*(files.table[name].to_pylist() for name in _ROWS), strict=True):
        place = path if "://" in path else f"{root}/{unquote(path)}"
        found[place] = (rows or 0) + deleted
    return found


def _overlaps(
    files: Any, column: str, spans: Sequence[tuple[Any, Any]], read_as: Callable[[Any], Any]
) -> Any:
    """Which files may have values in one of the spans, both ends included."""
    import pyarrow as pa
    import pyarrow.compute as pc

    low, high = (f"{kind}.{column}" for kind in ("min", "max"))
    if low not in files.column_names or high not in files.column_names:
        return pa.repeat(pa.scalar(True), len(files))
    least, greatest = read_as(files[low]), read_as(files[high])
    found = pa.chunked_array([pa.repeat(pa.scalar(False), len(files))])
    for start, end in spans:
        found = pc.or_(found, pc.and_(pc.less_equal(least, end), pc.greater_equal(greatest, start)))
    # Files that do not tell may have any.
    return pc.fill_null(found, True)

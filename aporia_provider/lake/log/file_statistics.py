"""Row counts, null counts and bounds of a Delta table's files, read from its log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aporia_provider.lake.log.column_bounds import lower_bounds, seem_equal, upper_bounds

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from aporia_provider.lake.log.metadata import TableMetadata


_FILE_COLUMNS = ("path", "size_bytes", "num_records", "deleted", "modified")
_KINDS = ("null_count", "min", "max")
_ABSOLUTE = re.compile(r"/|[a-z][a-z0-9+.-]*:/", re.IGNORECASE)


@dataclass(frozen=True)
class FileStatistics:
    """
    Statistics of the data files of a table, one row for each file.

    :param table: Columns ``path``, ``size_bytes``, ``num_records`` (without deleted rows; null if unknown),
        ``deleted``, ``modified`` (the time at which the file was written, in milliseconds since 1970, by the
        clock of its writer), and for each of ``columns`` ``null_count.<column>``, ``min.<column>`` and
        ``max.<column>``, as far as any file has them. Bounds are those in the log, which writers round, so
        that values may be outside of them. :meth:`bounds` and :meth:`file_bounds` correct for this.
    :param partition_columns: Columns whose bounds are exact.
    :param columns: Columns with statistics; None for all.
    """

    table: pa.Table
    partition_columns: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    @classmethod
    def read(
        cls,
        delta: DeltaTable,
        metadata: TableMetadata,
        columns: Sequence[str] | None,
        earlier: FileStatistics | None = None,
    ) -> FileStatistics:
        """
        Return the statistics in the log of ``delta``, whose metadata is ``metadata``.

        :param columns: Columns whose null counts and bounds are read; None for all.
        :param earlier: Statistics of the same files, from which the counts of deleted rows are reused.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        actions = pa.table(delta.get_add_actions())
        if earlier is None:
            deleted = _deleted_rows(delta, actions) if "deletionVectors" in metadata.reader_features else None
        else:
            deleted = earlier.table["deleted"].take(pc.index_in(actions["path"], earlier.table["path"]))
        if deleted is None:
            deleted = pa.chunked_array([pa.repeat(pa.scalar(0, pa.int64()), len(actions))])
        statistics = {
            "path": actions["path"],
            "size_bytes": actions["size_bytes"],
            "num_records": pc.subtract(actions["num_records"], deleted),
            "deleted": deleted,
            "modified": actions["modification_time"],
        }
        physical = {logical: name for name, logical in metadata.physical_names.items()}
        for column in columns if columns is not None else physical:
            is_partition_column = column in metadata.partition_columns
            read_column = _partition_statistics if is_partition_column else _column_statistics
            statistics |= read_column(actions, column, physical.get(column, column), deleted)
        distinct_columns = None if columns is None else tuple(dict.fromkeys(columns))
        return cls(pa.table(statistics), metadata.partition_columns, distinct_columns)

    def covers(self, columns: Iterable[str] | None) -> bool:
        """Return whether the statistics include the given columns (None: all)."""
        return self.columns is None or (columns is not None and set(columns) <= set(self.columns))

    def select(self, columns: Sequence[str] | None) -> FileStatistics:
        """Return the statistics of the given columns (None: all)."""
        if columns is None:
            return self
        distinct_columns = tuple(dict.fromkeys(columns))
        names = [*_FILE_COLUMNS, *(f"{kind}.{column}" for column in distinct_columns for kind in _KINDS)]
        available = [name for name in names if name in self.table.column_names]
        return FileStatistics(self.table.select(available), self.partition_columns, distinct_columns)

    @property
    def file_count(self) -> int:
        """Number of data files."""
        return len(self.table)

    @property
    def paths(self) -> list[str]:
        """Paths of the files as written in the log."""
        return list(self.table["path"].to_pylist())

    @property
    def outside_paths(self) -> list[str]:
        """Paths of files with absolute paths in the log, such as files of a shallow clone."""
        return [path for path in self.paths if _ABSOLUTE.match(path)]

    @property
    def row_count(self) -> int | None:
        """Number of rows of the table; None if it is unknown for a file."""
        return self._total("num_records")

    def null_count(self, column: str) -> int | None:
        """
        Return the number of nulls of a column; None if it is unknown for a file.

        For a file with deleted rows, it is known only if the file has no nulls: the log does not identify the
        deleted rows.
        """
        return self._total(f"null_count.{column}")

    def bounds(self, column: str) -> tuple[Any, Any] | None:
        """
        Return a lower and an upper bound of the values of a column; None if they are unknown for a file with
        values.

        All values are between them, inclusive, except NaN, which is not ordered. They may be further apart
        than the values: strings are truncated, times and decimals are rounded, and deleted rows count.
        """
        import pyarrow.compute as pc

        # A file with only nulls has no bounds and needs none.
        file_bounds = self.filter(self._has_values(column)).file_bounds(column)
        if (
            file_bounds is None
            or not len(file_bounds[0])
            or file_bounds[0].null_count
            or file_bounds[1].null_count
        ):
            return None
        return pc.min(file_bounds[0]).as_py(), pc.max(file_bounds[1]).as_py()

    def file_bounds(self, column: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray] | None:
        """
        Return a lower and an upper bound of the values of a column in each file; null if unknown.

        :return: None if they are unknown for all files.
        """
        low, high = (f"{kind}.{column}" for kind in ("min", "max"))
        if low not in self.table.column_names or high not in self.table.column_names:
            return None
        if column in self.partition_columns:
            return self.table[low], self.table[high]
        return lower_bounds(self.table[low]), upper_bounds(self.table[high])

    def seemingly_constant_columns(self, columns: Iterable[str]) -> list[str]:
        """
        Return the columns that the embedded engine may treat as constant in a file although they are not.

        See :mod:`aporia_provider.engine.dataframes.nan_statistics`.
        """
        import pyarrow.compute as pc

        return [column for column in columns if pc.any(self._seems_constant(column)).as_py()]

    def filter(self, mask: Any) -> FileStatistics:
        """Return the statistics of the files selected by a mask."""
        return FileStatistics(self.table.filter(mask), self.partition_columns, self.columns)

    def _seems_constant(self, column: str) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        low, high, null_count = (f"{kind}.{column}" for kind in ("min", "max", "null_count"))
        if column in self.partition_columns or not {low, high, null_count} <= set(self.table.column_names):
            return pa.chunked_array([pa.repeat(pa.scalar(False), self.file_count)])
        without_nulls = pc.fill_null(pc.equal(self.table[null_count], 0), False)
        return pc.and_(without_nulls, seem_equal(self.table[low], self.table[high]))

    def _has_values(self, column: str) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        null_count = f"null_count.{column}"
        if null_count not in self.table.column_names:
            return pa.repeat(pa.scalar(True), len(self.table))
        only_nulls = pc.equal(self.table[null_count], self.table["num_records"])
        return pc.fill_null(pc.invert(only_nulls), True)

    def _total(self, name: str) -> int | None:
        import pyarrow.compute as pc

        if not len(self.table):
            return 0
        if name not in self.table.column_names or self.table[name].null_count:
            return None
        return int(pc.sum(self.table[name]).as_py())


def _column_statistics(actions: pa.Table, column: str, physical: str, deleted: Any) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    statistics = {}
    for kind in _KINDS:
        if kind not in actions.column_names or actions[kind].type.get_field_index(physical) < 0:
            continue
        values = pc.struct_field(actions[kind], [physical])
        if pa.types.is_struct(values.type) or pa.types.is_null(values.type):
            continue
        if kind == "null_count":
            is_known = pc.or_(pc.equal(deleted, 0), pc.equal(values, 0))
            values = pc.if_else(is_known, values, pa.scalar(None, values.type))
        statistics[f"{kind}.{column}"] = values
    return statistics


def _partition_statistics(actions: pa.Table, column: str, physical: str, deleted: Any) -> dict[str, Any]:
    """Return the statistics of a partition column, whose value is the same in all rows of a file."""
    import pyarrow.compute as pc

    values = pc.struct_field(actions["partition"], [column])
    rows = pc.subtract(actions["num_records"], deleted)
    nulls = pc.if_else(pc.is_null(values), rows, 0)
    return {f"null_count.{column}": nulls, f"min.{column}": values, f"max.{column}": values}


def _deleted_rows(delta: DeltaTable, actions: pa.Table) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    deleted_by_batch = []
    for batch in pa.RecordBatchReader.from_stream(delta.deletion_vectors()):
        is_kept = batch.column("selection_vector")
        deleted_uris = pc.list_parent_indices(is_kept).filter(pc.invert(pc.list_flatten(is_kept)))
        deleted_by_batch.append(pa.table({"uri": _decoded(batch.column("filepath")).take(deleted_uris)}))
    if not deleted_by_batch:
        return None
    counts = pa.concat_tables(deleted_by_batch).group_by("uri").aggregate([([], "count_all")])
    uris = _decoded(actions["path"], unquote(delta.table_uri.rstrip("/")))
    indices = pc.index_in(uris, counts["uri"].combine_chunks())
    return pc.fill_null(counts["count_all"].take(indices), 0)


def _decoded(paths: Any, root: str | None = None) -> pa.Array:
    """Return paths without percent-encoding, which writers and readers apply to different characters."""
    import pyarrow as pa

    decoded = [unquote(path) for path in paths.to_pylist()]
    return pa.array(
        [path if root is None or "://" in path else f"{root}/{path}" for path in decoded], pa.large_string()
    )

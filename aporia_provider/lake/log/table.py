"""Delta tables, read from their logs without opening data files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import CONNECTION, access_error, delta_error, local_path
from aporia_provider.lake.log.added_files import partition_values
from aporia_provider.lake.log.commits import Commit, commits_since, file_reader
from aporia_provider.lake.log.copies import LogCopy
from aporia_provider.lake.log.file_statistics import FileStatistics
from aporia_provider.lake.log.metadata import PHYSICAL_NAME, TableMetadata, identity
from aporia_provider.lake.log.reader_features import (
    unsupported_entries,
    unsupported_features,
    unsupported_types,
)
from aporia_provider.lake.log_failures import may_be_partial

if TYPE_CHECKING:
    from deltalake import DeltaTable

T = TypeVar("T")

_MAX_CACHED_VERSIONS = 2
_MAPPING_MODE = "delta.columnMapping.mode"
# Faults that a copy of the log does not have: an invalid _last_checkpoint, and statistics that are not JSON.
_MISSING_CHECKPOINT = "didn't find any checkpoints"
_AVOIDED_BY_COPY = re.compile(f"{_MISSING_CHECKPOINT}|Malformed JSON|Json error")


class DeltaLog:
    """
    The log of a Delta table, opened at one version.

    :param uri: ``s3://bucket/key`` or ``file:///path``, see :attr:`.S3DataSource.uri`.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :param version: Version to open. Default: the latest.
    :raises aporia_provider.errors.NotFoundError: if the table or the bucket does not exist.
    :raises aporia_provider.errors.AuthenticationError: if S3 denies access, naming bucket, prefix and action.
    :raises aporia_provider.errors.TransientError: if S3 does not respond.
    :raises aporia_provider.errors.ValidationError: if the log is malformed or not supported.
    """

    def __init__(
        self, uri: str, credentials: AwsCredentials | None = None, *, version: int | None = None
    ) -> None:
        credentials = credentials or AwsCredentials()
        self._set_up(uri.rstrip("/"), credentials, version, LogCopy(uri.rstrip("/"), credentials))

    def _set_up(self, uri: str, credentials: AwsCredentials, version: int | None, copy: LogCopy) -> None:
        self.uri = uri
        self._credentials, self._copy, self._from_copy = credentials, copy, False
        self._checkpoint_problems: tuple[str, ...] = ()
        self._files: FileStatistics | None = None
        self._earlier_logs: dict[int, DeltaLog] = {}
        with self._errors_converted():
            self._table = self._open(version)

    @property
    def version(self) -> int:
        """Version at which the table is opened."""
        return self.metadata.version

    @cached_property
    def metadata(self) -> TableMetadata:
        """Schema, partition columns and column names of the table."""
        with self._errors_converted():
            metadata, features = self._table.metadata(), self._table.protocol().reader_features
            fields = json.loads(self._table.schema().to_json())["fields"]
            by_id = metadata.configuration.get(_MAPPING_MODE) == "id"
            return TableMetadata(
                uri=self.uri,
                table_id=str(metadata.id),
                version=self._table.version(),
                columns=tuple((item["name"], plain_type(item["type"])) for item in fields),
                partition_columns=tuple(metadata.partition_columns),
                physical_names={
                    item["metadata"].get(PHYSICAL_NAME, item["name"]): item["name"] for item in fields
                },
                reader_features=tuple(features or ()),
                identities={item["name"]: identity(item, by_id=by_id) for item in fields},
            )

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return commit information, newest first."""
        with self._errors_converted():
            return self._table.history(limit)

    def files(self, columns: Sequence[str] | None = None) -> FileStatistics:
        """
        Return the statistics of the data files, which are cached.

        :param columns: Columns whose null counts and bounds are returned. Default: all.
        """
        cached = self._files
        if cached is None or not cached.covers(columns):
            # The cache is one table with all columns requested so far, so that none is stored several times.
            cached_columns = cached.columns if cached is not None and cached.columns is not None else ()
            columns_to_read = None if columns is None else [*cached_columns, *columns]
            with self._errors_converted():
                self._files = self._read_or_use_copy(
                    lambda table: FileStatistics.read(table, self.metadata, columns_to_read, cached)
                )
        assert self._files is not None  # noqa: S101
        return self._files.select(columns)

    def partition_values(self, paths: Sequence[str]) -> dict[str, set[str]]:
        """
        Return the values of the partition columns as written in the log. Reads the whole log.

        :param paths: Paths of the files, see :attr:`FileStatistics.paths`.
        """
        with self._errors_converted():
            values_by_name = partition_values(Path(self._copy.path), paths)
        names = self.metadata.physical_names
        return {names.get(name, name): values for name, values in values_by_name.items()}

    def commits(self, since: int) -> list[Commit]:
        """
        Return the commits after version ``since`` up to the opened version, oldest first.

        :raises aporia_provider.lake.log.commits.LogExpiredError: if log cleanup has deleted one of them.
        """
        with self._errors_converted():
            return commits_since(self.uri, self._credentials, since, self.version)

    def unsupported_entries(self) -> list[str]:
        """
        Return descriptions of unusual entries of the log, which an engine may not support although delta-rs
        does.

        Reads the commits since the last checkpoint.
        """
        with self._errors_converted():
            return [
                *unsupported_features(self.metadata.reader_features),
                *unsupported_types(self.metadata.columns),
                *self._checkpoint_problems,
                *unsupported_entries(file_reader(self.uri, self._credentials), self.version),
            ]

    def at(self, version: int) -> DeltaLog:
        """Return the table at another version. The two earlier versions opened last are cached."""
        if version > self.version:
            return DeltaLog(self.uri, self._credentials, version=version)
        if version not in self._earlier_logs:
            log = DeltaLog.__new__(DeltaLog)
            # A copy of the log contains all earlier versions.
            log._set_up(self.uri, self._credentials, version, self._copy)
            self._earlier_logs[version] = log
            for oldest in list(self._earlier_logs)[:-_MAX_CACHED_VERSIONS]:
                del self._earlier_logs[oldest]
        return self._earlier_logs[version]

    @property
    def _options(self) -> dict[str, str]:
        return self._credentials.delta_options() if self.uri.startswith("s3://") else {}

    def _open(self, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if (path := _delta_rs_path(self.uri)) is not None:
            try:
                with _panics_converted():
                    return DeltaTable(path, version=version, storage_options=self._options)
            except DeltaError as error:
                avoidable = _AVOIDED_BY_COPY.search(str(error))
                if not avoidable and not self._is_partial(error):
                    raise
                if avoidable and avoidable[0] == _MISSING_CHECKPOINT:
                    self._checkpoint_problems = (
                        "its _last_checkpoint names a checkpoint that does not exist",
                    )
        return self._open_copy(version)

    def _open_copy(self, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable

        self._from_copy = True
        with _panics_converted():
            return DeltaTable(self._copy.path, version=version)

    def _read_or_use_copy(self, read: Callable[[DeltaTable], T]) -> T:
        """Read from the table, or from a copy of its log if that avoids the fault."""
        from deltalake.exceptions import DeltaError

        try:
            with _panics_converted():
                return read(self._table)
        except DeltaError as error:
            avoidable = _AVOIDED_BY_COPY.search(str(error)) is not None
            if self._from_copy or not (avoidable or self._is_partial(error)):
                raise
        self._table = self._open_copy(self.version)
        return read(self._table)

    def _is_partial(self, error: Exception) -> bool:
        """Return whether an error may come from an incomplete response, which delta-rs does not detect."""
        from deltalake.exceptions import TableNotFoundError

        is_certain = isinstance(error, TableNotFoundError) or not self.uri.startswith("s3://")
        if is_certain or CONNECTION.search(str(error)) or not may_be_partial(str(error)):
            return False
        return access_error(self.uri, self._credentials, "_delta_log/") is None

    @contextmanager
    def _errors_converted(self) -> Iterator[None]:
        from deltalake.exceptions import DeltaError

        try:
            with _panics_converted():
                yield
        except AporiaError:
            raise
        except (DeltaError, OSError, ValueError) as error:
            raise delta_error(error, self.uri, self._credentials) from None


@contextmanager
def _panics_converted() -> Iterator[None]:
    """Convert a panic in Rust, which is not an ``Exception`` in Python, to an error of delta-rs."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise DeltaError(str(error)) from None


def _delta_rs_path(uri: str) -> str | None:
    """Return the path for delta-rs; None if it would read another one, since it decodes some twice."""
    if uri.startswith("s3://"):
        return None if re.search("%[0-9A-Fa-f]{2}", uri) else f"s3://{quote(uri.removeprefix('s3://'))}"
    path = local_path(uri)
    return None if "%" in path or "\\" in path else path


def plain_type(type_: Any) -> Any:
    """Return a type in Spark's JSON form without the metadata that column mapping adds to struct fields."""
    if not isinstance(type_, dict):
        return type_
    plain = {key: plain_type(value) for key, value in type_.items() if key != "fields"}
    if "fields" in type_:
        plain["fields"] = [
            {**item, "type": plain_type(item["type"]), "metadata": {}} for item in type_["fields"]
        ]
    return plain

"""Writes Delta tables for tests, as a task would: with the credentials of the Airflow connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from aporia_provider.data_sources import S3DataSource

if TYPE_CHECKING:
    from aporia_provider.testing.s3 import LocalS3


class TableWriter:
    """
    Writes Delta tables to an S3 of tests.

    :param s3: Where to write.
    """

    def __init__(self, s3: LocalS3) -> None:
        self._s3 = s3

    def __call__(
        self,
        rows: Any,
        name: str,
        mode: Literal["append", "overwrite", "ignore", "error"] = "append",
        **options: Any,
    ) -> S3DataSource:
        """
        Write a table.

        :param rows: A list of dicts, a dict of columns, a pandas data frame, a pyarrow table, or whatever
            else ``deltalake.write_deltalake`` takes.
        :param name: Key in the bucket of the test, or ``s3://bucket/key``, whose bucket is made if needed.
        :param mode: ``append``, ``overwrite``, ``ignore`` or ``error`` if the table is there.
        :param options: Further options of ``write_deltalake``, such as ``partition_by``.
        :return: The data source to connect.
        """
        from deltalake import write_deltalake

        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        uri = name if "://" in name else self._s3.uri(name)
        source = S3DataSource(object_path=uri, object_format="delta")
        self._s3.create_bucket(source.uri.removeprefix("s3://").partition("/")[0])
        write_deltalake(
            source.uri, _data(rows), mode=mode, storage_options=DeltaLakeHook().delta_options(), **options
        )
        return source


def _data(rows: Any) -> Any:
    import pyarrow as pa

    if isinstance(rows, Mapping):
        return pa.table(dict(rows))
    if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
        return pa.Table.from_pylist(list(rows))
    return rows

"""Delta tables for tests, written with the credentials of the Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import ValidationError
from aporia_provider.testing.table_rows import as_arrow

if TYPE_CHECKING:
    from aporia_provider.testing.s3 import LocalS3


class TableWriter:
    """
    A function that writes Delta tables to an S3 server.

    :param s3: The S3 server.
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
        Write a Delta table. If it exists, append the rows, unless ``mode`` is given.

        :param rows: A list of dicts, a dict of columns, a pandas data frame, a pyarrow table, or any other
            object that ``deltalake.write_deltalake`` accepts. Missing keys of dicts become null.
        :param name: Key in the bucket of the test, or ``s3://bucket/key``; the bucket is created if it does
            not exist.
        :param mode: ``append``, ``overwrite``, ``ignore`` or ``error``: action if the table exists.
        :param options: Further options of ``write_deltalake``, such as ``partition_by``.
        :return: Data source of the table.
        :raises aporia_provider.errors.ValidationError: if the type of the rows is not supported, if a column
            has values of several types, or if the existing table has different columns.
        """
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        data = as_arrow(rows)
        uri = name if "://" in name else self._s3.uri(name)
        source = S3DataSource(object_path=uri, object_format="delta")
        self._s3.create_bucket(source.uri.removeprefix("s3://").partition("/")[0])
        _write(source.uri, data, mode=mode, storage_options=DeltaLakeHook().delta_options(), **options)
        return source


def _write(uri: str, data: Any, **options: Any) -> None:
    from deltalake import write_deltalake
    from deltalake.exceptions import SchemaMismatchError

    try:
        write_deltalake(uri, data, **options)
    except Exception as error:
        # deltalake raises a plain Exception for values that do not match the type of the column.
        if not isinstance(error, SchemaMismatchError) and "Cast error" not in str(error):
            raise
        raise ValidationError(
            f"The table {uri} already exists with different columns: {error}. Write under another "
            "name, or with mode='overwrite' and schema_mode='overwrite'"
        ) from None

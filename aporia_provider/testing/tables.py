"""Writes Delta tables for tests, as a task would: with the credentials of the Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import ValidationError
from aporia_provider.testing.table_rows import as_arrow

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
        Write a table. The same name again adds rows to the table, unless ``mode`` says otherwise.

        :param rows: A list of dicts, a dict of columns, a pandas data frame, a pyarrow table, or whatever
            else ``deltalake.write_deltalake`` takes. A key that some of the dicts lack is null there.
        :param name: Key in the bucket of the test, or ``s3://bucket/key``, whose bucket is made if needed.
        :param mode: ``append``, ``overwrite``, ``ignore`` or ``error`` if the table is there.
        :param options: Further options of ``write_deltalake``, such as ``partition_by``.
        :return: The data source to connect.
        :raises aporia_provider.errors.ValidationError: if the rows are in none of these forms, if a column
            has values of several types, or if the table is there with other columns.
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
        # deltalake raises a bare Exception for a value that does not fit the type of its column.
        if not isinstance(error, SchemaMismatchError) and "Cast error" not in str(error):
            raise
        raise ValidationError(
            f"The table {uri} is there already, and its columns are others: {error}. Write under another "
            "name, or with mode='overwrite' and schema_mode='overwrite'"
        ) from None

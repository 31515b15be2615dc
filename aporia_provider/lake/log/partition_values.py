"""Partition values of a Delta table, as the paths of its files have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from urllib.parse import unquote

from aporia_provider.lake.log.metadata import TableMetadata

# deltalake writes UTC with six digits after the point, and Spark no more digits than it needs.
_OF_A_ZONE = re.compile(r".*(?:Z|[+-]\d\d:?\d\d|\.\d{6})|__HIVE_DEFAULT_PARTITION__|")


def zoneless_times(
    metadata: TableMetadata,
    columns: Collection[str],
    paths: Callable[[], Sequence[str]],
    texts: Callable[[Sequence[str]], Mapping[str, Collection[str]]],
) -> Iterator[str]:
    """
    Describe partition columns of times whose values may be in another time zone than UTC.

    By the Delta protocol, a partition value of type timestamp is either ISO 8601 in UTC, or a time without a
    zone in the zone of the session that wrote it, which the log does not tell.

    :param metadata: The table.
    :param columns: The columns whose values are read as they are.
    :param paths: Returns the paths of the table's files, as the log writes them. It is only called if there
        is such a column.
    :param texts: Returns the values of the partition columns of these files, as the log writes them. It is
        only called if their paths do not have them.
    """
    types = dict(metadata.columns)
    names = [name for name in metadata.partition_columns if types.get(name) == "timestamp"]
    names = [name for name in names if name in columns]
    if not names:
        return
    listed = paths()
    folders = {path.rpartition("/")[0] for path in listed}
    parts = [unquote(unquote(folder)).split("/") for folder in folders]
    for name in names:
        values = {
            part.removeprefix(f"{name}=") for each in parts for part in each if part.startswith(f"{name}=")
        }
        if not all(any(part.startswith(f"{name}=") for part in each) for each in parts):
            values = set(texts(listed).get(name, ()))
        if local := sorted(value for value in values if not _OF_A_ZONE.fullmatch(value)):
            yield (
                f"partition column {name!r} has times without a zone, such as {local[0]!r}, which are read "
                "as UTC: if Spark wrote them in another time zone, they are off. Write "
                f"\"to_utc_timestamp({name}, 'zone') AS {name}\" in select_expr, or the table anew with "
                "spark.sql.session.timeZone UTC"
            )

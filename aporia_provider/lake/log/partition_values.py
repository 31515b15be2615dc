"""Detection of partition values of timestamps without a time zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from urllib.parse import unquote

from aporia_provider.lake.log.metadata import TableMetadata

# deltalake writes times in UTC with six decimal places, Spark with no more than necessary.
_WITH_ZONE = re.compile(r".*(?:Z|[+-]\d\d:?\d\d|\.\d{6})|__HIVE_DEFAULT_PARTITION__|")


def describe_zoneless_times(
    metadata: TableMetadata,
    columns: Collection[str],
    find_paths: Callable[[], Sequence[str]],
    find_values: Callable[[Sequence[str]], Mapping[str, Collection[str]]],
) -> Iterator[str]:
    """
    Describe timestamp partition columns whose values may be in another time zone than UTC.

    By the Delta protocol, a partition value of type timestamp is either ISO 8601 in UTC, or a time without a
    zone in the time zone of the writer's session, which is not in the log.

    :param metadata: The table.
    :param columns: The columns that are read.
    :param find_paths: Function that returns the paths of the table's files as written in the log. Called only
        if there is such a column.
    :param find_values: Function that returns the values of the partition columns of these files as written in
        the log. Called only if the paths do not contain them.
    """
    types = dict(metadata.columns)
    names = [name for name in metadata.partition_columns if types.get(name) == "timestamp"]
    names = [name for name in names if name in columns]
    if not names:
        return
    paths = find_paths()
    folders = {path.rpartition("/")[0] for path in paths}
    segments_by_folder = [unquote(unquote(folder)).split("/") for folder in folders]
    for name in names:
        values = {
            segment.removeprefix(f"{name}=")
            for segments in segments_by_folder
            for segment in segments
            if segment.startswith(f"{name}=")
        }
        if not all(
            any(segment.startswith(f"{name}=") for segment in segments) for segments in segments_by_folder
        ):
            values = set(find_values(paths).get(name, ()))
        if zoneless := sorted(value for value in values if not _WITH_ZONE.fullmatch(value)):
            yield (
                f"partition column {name!r} has times without a zone, such as {zoneless[0]!r}, which are "
                "read as UTC: if Spark wrote them in another time zone, they are wrong. Write "
                f"\"to_utc_timestamp({name}, 'zone') AS {name}\" in select_expr, or rewrite the table with "
                "spark.sql.session.timeZone UTC"
            )

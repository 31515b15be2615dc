"""Join of predictions with their labels, executed by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aporia_provider.columns.types import kind, quoted
from aporia_provider.engine.dataframes.times import bucket_start, microseconds
from aporia_provider.engine.dataframes.value_hashes import hash64

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ID, _KNOWN, _LABEL, _RANK = "__aporia_id", "__aporia_known", "__aporia_label", "__aporia_rank"
_HASH, _TIME_MICROS = "__aporia_hash_", "__aporia_moment"
_BEFORE_ALL_TIMES = -9_000_000_000_000_000_000  # Less than any time in microseconds.
# Kinds of id types whose ranges can be compared between tables.
_ORDERED_KINDS = ("integral", "string")


@dataclass(frozen=True)
class IdRange:
    """
    Range of the ids of rows. If ids increase over time, it restricts a query to few files.

    :param kind: Kind of the id type, see :func:`~aporia_provider.columns.types.kind`.
    :param least: Smallest id; None if all ids are null.
    :param greatest: Largest id.
    """

    kind: str
    least: Any
    greatest: Any


def id_range(frame: DataFrame, id_column: str) -> IdRange | None:
    """
    Return the smallest and the largest id of rows.

    :param frame: The rows.
    :param id_column: Id column.
    :return: None if the type of the ids has no defined order.
    """
    id_kind = _column_kind(frame, id_column)
    if id_kind not in _ORDERED_KINDS:
        return None
    column = quoted(id_column)
    # The length forces the engine to read the rows: long strings are truncated in the statistics of files.
    (extremes,) = frame.selectExpr(
        f"min({column}) AS least",
        f"max({column}) AS greatest",
        f"max(length({_as_text(id_column)})) AS length",
    ).collect()
    return IdRange(id_kind, extremes["least"], extremes["greatest"])


def rows_in_id_range(frame: DataFrame, id_column: str, ids: IdRange | None) -> DataFrame:
    """
    Return the rows whose ids are in a range; all rows if the type of their ids differs from the type of the
    range.

    :param frame: The rows.
    :param id_column: Id column.
    :param ids: The range; None for all ids.
    """
    if ids is None or _column_kind(frame, id_column) != ids.kind:
        return frame
    if ids.least is None:
        return frame.where("false")
    from pyspark.sql import functions

    return frame.where(functions.col(quoted(id_column)).between(ids.least, ids.greatest))


def with_latest_labels(
    predictions: DataFrame,
    id_column: str,
    actuals: DataFrame,
    label_columns: tuple[str, str],
    labels: Mapping[str, str],
) -> DataFrame:
    """
    Join predictions with their latest labels, and add whether labels of the same time differ.

    :param predictions: The predictions.
    :param id_column: Id column of the predictions.
    :param actuals: The labels.
    :param label_columns: Id column and timestamp column of the labels. Of two labels of the same time the
        greater one is used, so that the result does not depend on the order of the rows.
    :param labels: Names of the columns to add, to label columns. For each, a boolean column named
        :func:`tie_column` is added as well: true if labels of the same time differ.
    """
    known_labels = _known_labels(actuals, label_columns, labels)
    # The aggregation takes much more time than the join.
    several = _have_several_rows(known_labels)
    latest = _latest_labels(known_labels, actuals, labels) if several else known_labels
    joined = predictions.join(latest, on=_expression(f"{_as_text(id_column)} = {_ID}"), how="left")
    prediction_columns = [quoted(name) for name in predictions.columns]
    added_columns = (f"{_LABEL}.{name} AS {name}" if several else name for name in labels)
    tie_columns = (
        f"{f'coalesce({_labels_differ(index)}, false)' if several else 'false'} AS {tie_column(name)}"
        for index, name in enumerate(labels)
    )
    return joined.selectExpr(*prediction_columns, *added_columns, *tie_columns)


def tie_column(name: str) -> str:
    """Return the name of the column that is true if there are several latest labels for column ``name``."""
    return f"{name}_tied"


def labelled_buckets(
    predictions: DataFrame, columns: tuple[str, str], labels: DataFrame, id_column: str, seconds: int
) -> list[int | None]:
    """
    Return the buckets of the predictions that have a label.

    :param predictions: The predictions.
    :param columns: Id column and timestamp column of the predictions.
    :param labels: The labels.
    :param id_column: Id column of the labels.
    :param seconds: Length of a bucket in seconds.
    :return: Start of each bucket in seconds since 1970, in no order; None for predictions whose timestamp is
        null.
    """
    identifier, time = columns
    ids = labels.selectExpr(f"{_as_text(id_column)} AS {_ID}").where(f"{_ID} IS NOT NULL").distinct()
    candidates = rows_in_id_range(predictions, identifier, id_range(labels, id_column))
    matched = candidates.join(ids, on=_expression(f"{_as_text(identifier)} = {_ID}"), how="leftsemi")
    buckets = matched.selectExpr(f"{bucket_start(quoted(time), seconds)} AS bucket").distinct().collect()
    return [None if row["bucket"] is None else row["bucket"] // 1_000_000 for row in buckets]


def _column_kind(frame: DataFrame, column: str) -> str:
    types = {item["name"]: item["type"] for item in frame.schema.jsonValue()["fields"]}
    return kind(types[column])


def _known_labels(actuals: DataFrame, label_columns: tuple[str, str], labels: Mapping[str, str]) -> DataFrame:
    identifier, time = label_columns
    renamed = actuals.selectExpr(
        f"{_as_text(identifier)} AS {_ID}",
        f"{quoted(time)} AS {_KNOWN}",
        *(f"{quoted(column)} AS {name}" for name, column in labels.items()),
    )
    return renamed.where(f"{_ID} IS NOT NULL")


def _have_several_rows(known_labels: DataFrame) -> bool:
    """Return whether there is an id with several rows."""
    (counts,) = known_labels.selectExpr(
        f"count({_ID}) AS ids", f"count(DISTINCT {_ID}) AS distinct_ids"
    ).collect()
    return bool(counts["ids"] != counts["distinct_ids"])


def _latest_labels(known_labels: DataFrame, actuals: DataFrame, labels: Mapping[str, str]) -> DataFrame:
    # Maps have no order.
    rank_columns = [
        _KNOWN,
        *(name for name, column in labels.items() if _column_kind(actuals, column) != "map"),
    ]
    ranked = known_labels.selectExpr(
        _ID,
        # Sail compares structs that contain nulls in an order that depends on the order of the rows.
        f"coalesce({microseconds(_KNOWN)}, {_BEFORE_ALL_TIMES}) AS {_TIME_MICROS}",
        f"struct({', '.join(labels)}) AS {_LABEL}",
        f"struct({', '.join(rank_columns)}) AS {_RANK}",
        *(f"{_label_hash(name)} AS {_HASH}{index}" for index, name in enumerate(labels)),
    )
    latest = _expression(f"max_by({_LABEL}, {_RANK}) AS {_LABEL}")
    return ranked.groupBy(_ID).agg(latest, *_hash_extremes(range(len(labels))))


def _hash_extremes(indices: Iterable[int]) -> Iterator[Any]:
    """Yield two aggregates of the latest labels: the maxima of the hash and of -1 minus the hash."""
    for index in indices:
        for name, expression in (("hash", f"{_HASH}{index}"), ("complement", f"-1 - {_HASH}{index}")):
            # Sail treats aggregates as equal that differ only inside a struct.
            has_value = f"if({_HASH}{index} IS NULL, 0, 1) AS {name}{index}_present"
            value = f"coalesce({expression}, 0) AS {name}{index}"
            yield _expression(f"max(struct({_TIME_MICROS}, {has_value}, {value})) AS {_HASH}{name}{index}")


def _labels_differ(index: int) -> str:
    greatest, complement = f"{_HASH}hash{index}", f"{_HASH}complement{index}"
    is_present = f"{greatest}.hash{index}_present = 1"
    return f"{is_present} AND {greatest}.hash{index} <> -1 - {complement}.complement{index}"


def _label_hash(name: str) -> str:
    """Return the expression for the hash of a label; null for a null label, which is less than any other."""
    return f"if({name} IS NULL, NULL, {hash64(f'cast({name} AS string)')})"


def _as_text(column: str) -> str:
    return f"cast({quoted(column)} AS string)"


def _expression(text: str) -> Any:
    from pyspark.sql import functions

    return functions.expr(text)

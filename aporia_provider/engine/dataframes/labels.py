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
_HASH, _MOMENT = "__aporia_hash_", "__aporia_moment"
_LEAST = -9_000_000_000_000_000_000  # Less than any time in microseconds.
# Kinds of ids that have the same order in all tables.
_ORDERED = ("integral", "string")


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
    of_ids = _kind(frame, id_column)
    if of_ids not in _ORDERED:
        return None
    column = quoted(id_column)
    # The length forces the engine to read the rows: long strings are truncated in the statistics of files.
    (found,) = frame.selectExpr(
        f"min({column}) AS least", f"max({column}) AS greatest", f"max(length({_text(id_column)})) AS length"
    ).collect()
    return IdRange(of_ids, found["least"], found["greatest"])


def within(frame: DataFrame, id_column: str, ids: IdRange | None) -> DataFrame:
    """
    Return the rows whose ids are in a range; all rows if the type of their ids differs from that of the
    range.

    :param frame: The rows.
    :param id_column: Id column.
    :param ids: The range; None for all ids.
    """
    if ids is None or _kind(frame, id_column) != ids.kind:
        return frame
    if ids.least is None:
        return frame.where("false")
    from pyspark.sql import functions

    return frame.where(functions.col(quoted(id_column)).between(ids.least, ids.greatest))


def with_latest_labels(
    predictions: DataFrame,
    id_column: str,
    actuals: DataFrame,
    known: tuple[str, str],
    labels: Mapping[str, str],
) -> DataFrame:
    """
    Join predictions with their latest labels, and add whether labels of the same time differ.

    :param predictions: The predictions.
    :param id_column: Id column of the predictions.
    :param actuals: The labels.
    :param known: Id column and timestamp column of the labels. Of two labels of the same time the greater one
        is used, so that the result does not depend on the order of the rows.
    :param labels: Names of the columns to add, to label columns. For each, a boolean column named
        :func:`tied` is added as well: true if labels of the same time differ.
    """
    latest = _latest(actuals, known, labels)
    joined = predictions.join(latest, on=_expression(f"{_text(id_column)} = {_ID}"), how="left")
    kept = [quoted(name) for name in predictions.columns]
    added = (f"{_LABEL}.{name} AS {name}" for name in labels)
    ties = (f"coalesce({_differ(place)}, false) AS {tied(name)}" for place, name in enumerate(labels))
    return joined.selectExpr(*kept, *added, *ties)


def tied(name: str) -> str:
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
    ids = labels.selectExpr(f"{_text(id_column)} AS {_ID}").where(f"{_ID} IS NOT NULL").distinct()
    candidates = within(predictions, identifier, id_range(labels, id_column))
    matched = candidates.join(ids, on=_expression(f"{_text(identifier)} = {_ID}"), how="leftsemi")
    found = matched.selectExpr(f"{bucket_start(quoted(time), seconds)} AS bucket").distinct().collect()
    return [None if row["bucket"] is None else row["bucket"] // 1_000_000 for row in found]


def _kind(frame: DataFrame, column: str) -> str:
    types = {item["name"]: item["type"] for item in frame.schema.jsonValue()["fields"]}
    return kind(types[column])


def _latest(actuals: DataFrame, known: tuple[str, str], labels: Mapping[str, str]) -> DataFrame:
    identifier, time = known
    given = actuals.selectExpr(
        f"{_text(identifier)} AS {_ID}",
        f"{quoted(time)} AS {_KNOWN}",
        *(f"{quoted(column)} AS {name}" for name, column in labels.items()),
    )
    # Maps have no order.
    rank = [_KNOWN, *(name for name, column in labels.items() if _kind(actuals, column) != "map")]
    ranked = given.where(f"{_ID} IS NOT NULL").selectExpr(
        _ID,
        # Sail compares structs that contain nulls in an order that depends on that of the rows.
        f"coalesce({microseconds(_KNOWN)}, {_LEAST}) AS {_MOMENT}",
        f"struct({', '.join(labels)}) AS {_LABEL}",
        f"struct({', '.join(rank)}) AS {_RANK}",
        *(f"{_hash(name)} AS {_HASH}{place}" for place, name in enumerate(labels)),
    )
    latest = _expression(f"max_by({_LABEL}, {_RANK}) AS {_LABEL}")
    return ranked.groupBy(_ID).agg(latest, *_extremes(range(len(labels))))


def _extremes(places: Iterable[int]) -> Iterator[Any]:
    """Yield two aggregates of the latest labels: the maxima of the hash and of -1 minus the hash."""
    for place in places:
        for name, ranked in (("most", f"{_HASH}{place}"), ("rest", f"-1 - {_HASH}{place}")):
            # Sail treats aggregates as equal that differ only inside a struct.
            given = f"if({_HASH}{place} IS NULL, 0, 1) AS {name}{place}_given"
            value = f"coalesce({ranked}, 0) AS {name}{place}"
            yield _expression(f"max(struct({_MOMENT}, {given}, {value})) AS {_HASH}{name}{place}")


def _differ(place: int) -> str:
    most, rest = f"{_HASH}most{place}", f"{_HASH}rest{place}"
    return f"{most}.most{place}_given = 1 AND {most}.most{place} <> -1 - {rest}.rest{place}"


def _hash(name: str) -> str:
    """Return the expression for the hash of a label; null for a null label, which is less than any other."""
    return f"if({name} IS NULL, NULL, {hash64(f'cast({name} AS string)')})"


def _text(column: str) -> str:
    return f"cast({quoted(column)} AS string)"


def _expression(text: str) -> Any:
    from pyspark.sql import functions

    return functions.expr(text)

"""Spark SQL conditions for classes of binary models that cannot be interpreted as true or false."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from aporia_provider.columns.types import is_numeric, kind, quoted
from aporia_provider.truth_values import TRUTH_WORDS, declared_pair, truth_value_of

_ADVICE = (
    "declare both classes as labels of the version, the positive one last, such as "
    'labels=["1", "2"] in the schema'
)


def unknown_class(column: str, column_type: Any, labels: list[str] | None) -> tuple[str, str, bool] | None:
    """
    Return the problem with classes that are neither true nor false, and the condition of their rows.

    Two undeclared numbers are not an error: if the baseline has the same two numbers, the greater one is
    positive.

    :param column: Column of the labels or of class predictions.
    :param column_type: Type of the column.
    :param labels: Classes that the version declares.
    :return: The problem, a Spark SQL expression, and whether the problem is an error; None for types such as
        boolean that need no check.
    """
    pair, name = declared_pair(labels), quoted(column)
    fault = f"is neither true nor false ({_ADVICE})"
    if pair is not None:
        fault = f"is not one of the classes declared as labels, {pair[0]!r} and {pair[1]!r},"
    if kind(column_type) == "string":
        return fault, f"{name} IS NOT NULL AND NOT ({_is_word(name, pair)})", pair is None
    if is_numeric(column_type):
        texts = _numbers(pair or ()) or ["0", "1"]
        return fault, f"{name} NOT IN ({', '.join(texts)})", False
    return None


def _is_word(name: str, pair: tuple[str, str] | None) -> str:
    meanings = {"true", "false"} if pair is None else {truth_value_of(label) for label in pair}
    words = [word for word, means in TRUTH_WORDS.items() if means in meanings]
    exact = [label for label in pair or () if label.lower() not in TRUTH_WORDS]
    terms = [f"lower({name}) IN ({_sql_list(words)})"] if words else []
    return " OR ".join([*terms, *([f"{name} IN ({_sql_list(exact)})"] if exact else [])])


def _sql_list(texts: Iterable[str]) -> str:
    escaped = (text.replace("\\", "\\\\").replace("'", "\\'") for text in texts)
    return ", ".join(f"'{text}'" for text in escaped)


def _numbers(labels: Iterable[str]) -> list[str]:
    """Return the labels as numeric literals; an empty list if one of them is not a number."""
    try:
        return [f"{Decimal(label):f}" for label in labels if Decimal(label).is_finite()]
    except ArithmeticError:
        return []

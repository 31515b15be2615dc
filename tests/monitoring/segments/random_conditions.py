"""Random conditions, each with a function that evaluates it on a row by hand."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

Row = Mapping[str, Any]
Truth = bool | None

TYPES = {"n": "numeric", "m": "numeric", "c": "categorical", "d": "string", "b": "boolean", "t": "datetime"}
NUMBERS = (None, float("nan"), float("inf"), -0.0, 0.0, 1.0, 2.5, -3.0)
TEXTS = (None, "", "a", "b", "é", "it's", "\U0001f600", "z" * 300)
TIMES = (None, 0, 1, 86_400_000_000, -1)
COLUMNS: Mapping[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "n": (pa.float64(), NUMBERS),
    "m": (pa.int32(), (None, 0, 1, -3, 2)),
    "c": (pa.string(), TEXTS),
    "d": (pa.dictionary(pa.int32(), pa.string()), TEXTS),
    "b": (pa.bool_(), (None, True, False)),
    "t": (pa.timestamp("us", "UTC"), TIMES),
}
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Stated:
    """
    A condition.

    :param text: Its text.
    :param holds: Whether it is true of a row; None if that is unknown.
    """

    text: str
    holds: Callable[[Row], Truth]


def known(value: Any) -> Any:
    """The value of a field, None if it is missing."""
    return None if isinstance(value, float) and math.isnan(value) else value


def compared(sign: str, one: Any, other: Any) -> Truth:
    if known(one) is None or known(other) is None:
        return None
    return OPERATORS[sign](one, other)


def both(one: Truth, other: Truth) -> Truth:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def either(one: Truth, other: Truth) -> Truth:
    return negated(both(negated(one), negated(other)))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_constants: Mapping[str, st.SearchStrategy[tuple[str, Any]]] = {
    "n": st.sampled_from([("0", 0.0), ("2.5", 2.5), ("-3e0", -3.0), ("+1.", 1.0)]),
    "m": st.sampled_from([("1", 1), ("0.5", 0.5), ("-3", -3)]),
    "c": st.sampled_from([(quoted(text), text) for text in TEXTS if text is not None]),
    "d": st.sampled_from([(f'"{text}"', text) for text in TEXTS if text is not None]),
    "t": st.sampled_from(
        [
            ("'1970-01-01'", 0),
            ("'1970-01-02T02:00:00+02:00'", 86_400_000_000),
            ("'1969-12-31T23:59:59.999999'", -1),
        ]
    ),
}


@st.composite
def comparisons(draw: st.DrawFn) -> Stated:
    name, sign = draw(st.sampled_from(sorted(_constants))), draw(st.sampled_from(sorted(OPERATORS)))
    text, value = draw(_constants[name])
    if draw(st.booleans()):
        return Stated(f"{text} {sign} {name}", lambda row: compared(sign, value, row[name]))
    return Stated(f"{name} {sign} {text}", lambda row: compared(sign, row[name], value))


@st.composite
def comparisons_of_fields(draw: st.DrawFn) -> Stated:
    pair, sign = (
        draw(st.sampled_from(["nm", "mn", "cd", "dc", "nn"])),
        draw(st.sampled_from(sorted(OPERATORS))),
    )
    return Stated(f"{pair[0]}{sign}{pair[1]}", lambda row: compared(sign, row[pair[0]], row[pair[1]]))


@st.composite
def memberships(draw: st.DrawFn) -> Stated:
    name = draw(st.sampled_from(sorted(_constants)))
    constants = draw(st.lists(_constants[name], min_size=1, max_size=3))
    values, negative = [value for _, value in constants], draw(st.booleans())

    def holds(row: Row) -> Truth:
        within = None if known(row[name]) is None else row[name] in values
        return negated(within) if negative else within

    texts = ", ".join(text for text, _ in constants)
    return Stated(f"{name} {'not ' * negative}in ({texts})", holds)


_null_tests = st.sampled_from(sorted(COLUMNS)).flatmap(
    lambda name: st.sampled_from(
        [
            Stated(f"{name} is null", lambda row: known(row[name]) is None),
            Stated(f"{name} IS NOT None", lambda row: known(row[name]) is not None),
        ]
    )
)
_of_truths = st.sampled_from(
    [
        Stated("b", lambda row: row["b"]),
        Stated("b = True", lambda row: row["b"]),
        Stated("b != true", lambda row: negated(row["b"])),
        Stated("false = b", lambda row: negated(row["b"])),
        Stated("b is true", lambda row: row["b"] is True),
        Stated("b is not false", lambda row: row["b"] is not False),
    ]
)


def _negation(inner: Stated) -> Stated:
    return Stated(f"not ({inner.text})", lambda row: negated(inner.holds(row)))


def _joined(pair: tuple[Stated, Stated], word: str) -> Stated:
    one, other = pair
    join = both if word.lower() in ("and", "&") else either
    return Stated(f"({one.text}) {word} ({other.text})", lambda row: join(one.holds(row), other.holds(row)))


conditions: st.SearchStrategy[Stated] = st.recursive(
    comparisons() | comparisons_of_fields() | memberships() | _null_tests | _of_truths,
    lambda inner: (
        inner.map(_negation)
        | st.builds(_joined, st.tuples(inner, inner), st.sampled_from(["and", "or", "&", "|", "AND"]))
    ),
    max_leaves=5,
)


@st.composite
def rows(draw: st.DrawFn, most: int = 30) -> tuple[pa.RecordBatch, list[Row]]:
    """Rows as Arrow columns and as mappings."""
    size = draw(st.integers(0, most))
    values = {
        name: draw(st.lists(st.sampled_from(choices), min_size=size, max_size=size))
        for name, (_, choices) in COLUMNS.items()
    }
    columns = {}
    for name, (type_, _) in COLUMNS.items():
        is_encoded = pa.types.is_dictionary(type_)
        array = pa.array(values[name], type_.value_type if is_encoded else type_)
        columns[name] = array.dictionary_encode() if is_encoded else array
    listed = [{name: values[name][place] for name in values} for place in range(size)]
    return pa.RecordBatch.from_pydict(columns), listed

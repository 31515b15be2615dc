"""Evaluation of conditions on Arrow columns, with the three truth values of SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow import as_texts, doubles, plain, readable
from aporia_provider.monitoring.segments.condition_checks import KINDS, constant_micros
from aporia_provider.monitoring.segments.condition_nodes import (
    Comparison,
    Condition,
    Constant,
    FieldName,
    IsNull,
    IsTruth,
    Junction,
    Membership,
    Node,
    Not,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.bool_]

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARE_TEXTS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_TRUE_TEXTS, _FALSE_TEXTS = ("true", "1"), ("false", "0")


def rows_of(condition: Condition, columns: Mapping[str, pa.Array], types: Mapping[str, str]) -> Rows:
    """
    Return in which rows a condition is true.

    :param condition: A condition without problems, see
        :func:`~aporia_provider.monitoring.segments.condition_checks.condition_faults`.
    :param columns: Columns by the name of their field in the condition.
    :param types: Field types by the name of the field in the condition.
    """
    batch = {name: plain(column) for name, column in columns.items()}
    return ConditionRows(batch).rows(condition, {name: (name, types[name]) for name in condition.fields})


@dataclass(frozen=True)
class _Values:
    """
    Values of a field.

    :param known: The rows that have a value.
    :param values: Numbers, or truth values, or for texts the place of each in ``texts``.
    :param texts: The different texts.
    """

    known: Rows
    values: NDArray[Any]
    texts: pa.Array | None = None


@dataclass(frozen=True)
class _Truths:
    """Rows in which a condition is true, and in which it is false. In all others it is unknown."""

    true: Rows
    false: Rows


class ConditionRows:
    """
    Evaluation of conditions on the same rows. Each column is read once.

    :param columns: Columns by name, see :func:`~aporia_provider.monitoring.arrow.plain`.
    """

    def __init__(self, columns: Mapping[str, pa.Array]) -> None:
        self._columns = columns
        self._values: dict[tuple[str, str], _Values] = {}

    def rows(self, condition: Condition, fields: Mapping[str, tuple[str, str]]) -> Rows:
        """
        Return in which rows a condition is true.

        :param condition: The condition.
        :param fields: Column and field type by the name of the field in the condition.
        """
        return self._truths(condition.root, fields).true

    def _truths(self, node: Node, fields: Mapping[str, tuple[str, str]]) -> _Truths:
        if isinstance(node, Junction):
            return _joined(node.word, [self._truths(part, fields) for part in node.parts])
        if isinstance(node, Not):
            inner = self._truths(node.inner, fields)
            return _Truths(inner.false, inner.true)
        values = self._read(*fields[node.left.name])
        if isinstance(node, IsNull):
            return _Truths(~values.known, values.known)
        if isinstance(node, Comparison):
            return _of_known(self._compared(node, values, fields), values.known & self._known(node, fields))
        if isinstance(node, Membership):
            hits = [_equal(values, constant, fields[node.left.name][1]) for constant in node.constants]
            return _of_known(np.logical_or.reduce(hits), values.known)
        if isinstance(node, IsTruth):
            hits_all = values.known & (values.values == node.value)
            return _Truths(hits_all, ~hits_all)
        return _of_known(values.values.astype(np.bool_), values.known)

    def _known(self, node: Comparison, fields: Mapping[str, tuple[str, str]]) -> Any:
        return self._read(*fields[node.right.name]).known if isinstance(node.right, FieldName) else True

    def _compared(
        self, node: Comparison, values: _Values, fields: Mapping[str, tuple[str, str]]
    ) -> NDArray[np.bool_]:
        if isinstance(node.right, Constant):
            return _compare(values, node.operator, node.right, fields[node.left.name][1])
        other = self._read(*fields[node.right.name])
        if values.texts is None or other.texts is None:
            compared: Rows = _COMPARE[node.operator](values.values, other.values)
            return compared
        return _compare_pairs(values, node.operator, other)

    def _read(self, column: str, type_: str) -> _Values:
        if (column, type_) not in self._values:
            self._values[column, type_] = _read(self._columns[column], type_)
        return self._values[column, type_]


def _joined(word: str, parts: list[_Truths]) -> _Truths:
    true, false = [part.true for part in parts], [part.false for part in parts]
    if word == "and":
        return _Truths(np.logical_and.reduce(true), np.logical_or.reduce(false))
    return _Truths(np.logical_or.reduce(true), np.logical_and.reduce(false))


def _of_known(compared: Rows, known: Rows) -> _Truths:
    return _Truths(compared & known, ~compared & known)


def _equal(values: _Values, constant: Constant, type_: str) -> Rows:
    return _compare(values, "=", constant, type_)


def _compare(values: _Values, sign: str, constant: Constant, type_: str) -> Rows:
    if values.texts is not None:
        hits = _bits(_COMPARE_TEXTS[sign](values.texts, pa.scalar(str(constant.value), values.texts.type)))
        of_texts: Rows = hits[values.values] if len(hits) else np.zeros(len(values.values), dtype=np.bool_)
        return of_texts
    value: Any = constant.value
    compared: Rows = _COMPARE[sign](values.values, constant_micros(value) if type_ == "datetime" else value)
    return compared


def _texts(values: _Values) -> pa.Array:
    texts: Any = values.texts
    return texts.cast(pa.large_string()).take(pa.array(values.values))


def _compare_pairs(values: _Values, sign: str, other: _Values) -> Rows:
    """Compare two columns of texts."""
    if not values.texts or not other.texts:
        return np.zeros(len(values.values), dtype=np.bool_)
    return _bits(_COMPARE_TEXTS[sign](_texts(values), _texts(other)))


def _read(array: pa.Array, type_: str) -> _Values:
    kind = KINDS.get(type_)
    if kind == "text":
        return _read_texts(readable(array, "categorical"))
    array = readable(array, type_)
    if kind == "truth value":
        return _read_truths(array)
    if kind is None:
        return _Values(_bits(array.is_valid()), np.empty(0))
    numbers = doubles(array)
    return _Values(~np.isnan(numbers), numbers)


def _read_texts(array: pa.Array) -> _Values:
    if kinds.is_boolean(array.type):
        array = as_texts(array)
    encoded = array.dictionary_encode()
    codes = encoded.indices.fill_null(0).to_numpy()
    return _Values(_bits(array.is_valid()), codes, as_texts(encoded.dictionary))


def _read_truths(array: pa.Array) -> _Values:
    if kinds.is_boolean(array.type):
        return _Values(_bits(array.is_valid()), _bits(array.fill_null(False)))
    words = pc.utf8_lower(as_texts(array.drop_null()))
    known = _bits(array.is_valid())
    true, false = (np.zeros(len(array), dtype=np.bool_) for _ in range(2))
    true[known] = _bits(pc.is_in(words, pa.array(_TRUE_TEXTS, words.type)))
    false[known] = _bits(pc.is_in(words, pa.array(_FALSE_TEXTS, words.type)))
    return _Values(true | false, true)


def _bits(array: Any) -> Rows:
    bits: Rows = array.to_numpy(zero_copy_only=False)
    return bits

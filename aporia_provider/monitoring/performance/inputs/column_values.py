"""Conversion of numbers, truth values and classes in Arrow arrays, independent of their physical types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow.types as kinds
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.arrow import as_texts, doubles, is_number, is_text, plain
from aporia_provider.truth_values import TRUTH_WORDS, truth_value_of

__all__ = [
    "Classes",
    "Numbers",
    "classes",
    "given_rows",
    "is_number",
    "is_text",
    "numbers",
    "plain",
    "renumber",
    "truths",
]


@dataclass(frozen=True)
class Numbers:
    """
    One number for each row.

    :param values: The numbers; NaN for missing and infinite ones.
    :param given: False if the row is null.
    """

    values: NDArray[np.float64]
    given: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows with a finite number."""
        return ~np.isnan(self.values)


@dataclass(frozen=True)
class Classes:
    """
    One class for each row.

    :param codes: Index in ``names``, -1 if there is no class.
    :param names: The distinct classes.
    :param given: False if the row is null.
    """

    codes: NDArray[np.int64]
    names: list[str]
    given: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows with a class."""
        return self.codes >= 0


def given_rows(array: Any) -> NDArray[np.bool_]:
    """Return which rows are not null."""
    if not array.null_count:
        return np.ones(len(array), dtype=np.bool_)
    mask: NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def numbers(array: Any) -> Numbers:
    """
    Return numbers as doubles, see :func:`aporia_provider.monitoring.arrow.doubles`; booleans are 0 and 1.

    :raises aporia_provider.errors.ValidationError: if the type is neither numeric nor boolean.
    """
    array = plain(array)
    type_ = array.type
    if not (is_number(type_) or kinds.is_boolean(type_) or kinds.is_null(type_)):
        raise ValidationError(f"The column must contain numbers, not {type_}")
    values = doubles(array)
    finite = np.isfinite(values)
    return Numbers(values if finite.all() else np.where(finite, values, np.nan), given_rows(array))


def classes(array: Any) -> Classes:
    """
    Return the classes of text, booleans and numbers, see :func:`aporia_provider.monitoring.arrow.as_texts`.

    NaN and infinite numbers are not classes.

    :raises aporia_provider.errors.ValidationError: for other types.
    """
    array = plain(array)
    type_ = array.type
    if not (is_text(type_) or is_number(type_) or kinds.is_boolean(type_) or kinds.is_null(type_)):
        raise ValidationError(f"The column must contain text, booleans or numbers, not {type_}")
    encoded = array.dictionary_encode()
    names = _names(encoded.dictionary)
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    table, distinct_names = renumber(names)
    return Classes(np.append(table, -1)[codes], distinct_names, given_rows(array))


def _names(array: Any) -> list[str | None]:
    names: list[str | None] = as_texts(array).to_pylist()
    if not kinds.is_floating(array.type):
        return names
    finite = np.isfinite(array.to_numpy(zero_copy_only=False)).tolist()
    return [name if good else None for name, good in zip(names, finite, strict=True)]


def renumber(names: Sequence[str | None]) -> tuple[NDArray[np.int64], list[str]]:
    """Return codes for names that may repeat, -1 for None; and the distinct names."""
    codes: dict[str, int] = {}
    table = [-1 if name is None else codes.setdefault(name, len(codes)) for name in names]
    return np.array(table, dtype=np.int64), list(codes)


def truths(array: Any, positive: str | None = None, negative: str | None = None) -> Numbers:
    """
    Return booleans, numbers and text as 1.0 for true and 0.0 for false.

    :param array: ``1`` and ``0``, strings that mean true or false (:func:`~.truth_values.truth_value_of`), or
        classes.
    :param positive: The class that is true; all others are false.
    :param negative: The only class that is false; all others but ``positive`` are invalid.
    :raises aporia_provider.errors.ValidationError: for other types.
    """
    array = plain(array)
    if not is_text(array.type) and not _can_be(array.type, positive):
        read = numbers(array)
        is_truth_value = (read.values == 0) | (read.values == 1)
        return (
            read
            if is_truth_value.all()
            else Numbers(np.where(is_truth_value, read.values, np.nan), read.given)
        )
    class_values = classes(array)
    table = np.array([*(_truth_value(name, positive, negative) for name in class_values.names), np.nan])
    return Numbers(table[class_values.codes], class_values.given)


def _truth_value(name: str, positive: str | None, negative: str | None) -> float:
    if positive is None:
        return {"true": 1.0, "false": 0.0}.get(truth_value_of(name), np.nan)
    if negative is None:
        return float(truth_value_of(name) == truth_value_of(positive))
    return {truth_value_of(negative): 0.0, truth_value_of(positive): 1.0}.get(truth_value_of(name), np.nan)


def _can_be(type_: Any, positive: str | None) -> bool:
    # If the positive class is a name such as "fraud", a boolean label is compared by its own value.
    if positive is None or kinds.is_null(type_):
        return False
    if positive.lower() in TRUTH_WORDS:
        return True
    return is_number(type_) and _is_decimal(positive)


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False

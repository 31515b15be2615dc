"""Numbers, truths and classes in Arrow arrays, read alike whatever their physical type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.texts import doubles

_MEANINGS = {
    **dict.fromkeys(("true", "1", "yes", "positive"), "true"),
    **dict.fromkeys(("false", "0", "no", "negative"), "false"),
}


@dataclass(frozen=True)
class Numbers:
    """
    One number for each row.

    :param values: NaN where there is no number, or an infinite one.
    :param given: False where the row is null.
    """

    values: NDArray[np.float64]
    given: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows with a number."""
        return ~np.isnan(self.values)


@dataclass(frozen=True)
class Classes:
    """
    One class for each row.

    :param codes: Place in ``names``, -1 where there is no class.
    :param names: Each class once.
    :param given: False where the row is null.
    """

    codes: NDArray[np.int64]
    names: list[str]
    given: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows with a class."""
        return self.codes >= 0


def plain(array: Any) -> Any:
    """One array of values: chunks are put together, dictionaries, views and extension types taken off."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kinds.is_string_view(array.type):
        # Arrow can do less with views.
        return array.cast(pa.large_string())
    if kinds.is_dictionary(array.type):
        return plain(array.dictionary).take(array.indices)
    return array


def is_text(type_: Any) -> bool:
    """Whether a type holds text, dictionary-encoded or not."""
    if kinds.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(kinds.is_string(type_) or kinds.is_large_string(type_) or kinds.is_string_view(type_))


def is_number(type_: Any) -> bool:
    """Whether a type holds numbers, dictionary-encoded or not. Booleans are none."""
    if kinds.is_dictionary(type_):
        return is_number(type_.value_type)
    return bool(kinds.is_integer(type_) or kinds.is_floating(type_) or kinds.is_decimal(type_))


def given_rows(array: Any) -> NDArray[np.bool_]:
    """Rows that are not null."""
    if not array.null_count:
        return np.ones(len(array), dtype=np.bool_)
    mask: NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def numbers(array: Any) -> Numbers:
    """
    Read numbers; booleans are 0 and 1.

    :raises aporia_provider.errors.ValidationError: if the type holds no numbers.
    """
    array = plain(array)
    type_ = array.type
    if not (is_number(type_) or kinds.is_boolean(type_) or kinds.is_null(type_)):
        raise ValidationError(f"Numbers are needed; the column holds {type_}")
    if kinds.is_decimal(type_):
        # Arrow's own cast multiplies by a rounded power of ten, which misses the nearest float now and then.
        array = array.cast(pa.string())
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    return Numbers(values if finite.all() else np.where(finite, values, np.nan), given_rows(array))


def class_name(value: Any) -> str | None:
    """
    Name of a class, the same for equal values of any type: ``3.0`` and ``Decimal("3.00")`` are ``"3"`` too.

    :return: ``None`` for NaN and infinities, which name no class.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if not isinstance(value, int) and not np.isfinite(float(value)):
        return None
    return str(int(value)) if value == int(value) else repr(float(value))


def classes(array: Any) -> Classes:
    """
    Read classes from text, booleans and numbers.

    :raises aporia_provider.errors.ValidationError: if the type is another.
    """
    array = plain(array)
    type_ = array.type
    if not (is_text(type_) or is_number(type_) or kinds.is_boolean(type_) or kinds.is_null(type_)):
        raise ValidationError(f"Classes are text, booleans or numbers; the column holds {type_}")
    encoded = array.dictionary_encode()
    names = [class_name(value) for value in _values(encoded.dictionary)]
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    table, known = renumber(names)
    return Classes(np.append(table, -1)[codes], known, given_rows(array))


def _values(array: Any) -> list[Any]:
    values: list[Any] = (doubles(array) if kinds.is_floating(array.type) else array).to_pylist()
    return values


def renumber(names: Sequence[str | None]) -> tuple[NDArray[np.int64], list[str]]:
    """New numbers for names that may repeat, -1 for ``None``; and the names, each once."""
    places: dict[str, int] = {}
    table = [-1 if name is None else places.setdefault(name, len(places)) for name in names]
    return np.array(table, dtype=np.int64), list(places)


def truths(array: Any, positive: str | None = None, negative: str | None = None) -> Numbers:
    """
    Read booleans, numbers and text as 1.0 for true and 0.0 for false.

    :param array: ``1`` and ``0``, or words of truth (:func:`meaning`), or classes.
    :param positive: The class that is true; every other is false.
    :param negative: The only class that is false.
    :raises aporia_provider.errors.ValidationError: if the type is another.
    """
    array = plain(array)
    if not is_text(array.type) and not _can_be(array.type, positive):
        read = numbers(array)
        known = (read.values == 0) | (read.values == 1)
        return read if known.all() else Numbers(np.where(known, read.values, np.nan), read.given)
    found = classes(array)
    table = np.array([*(_truth(name, positive, negative) for name in found.names), np.nan])
    return Numbers(table[found.codes], found.given)


def meaning(name: str) -> str:
    """``true`` for true, yes, positive and 1 in any case, ``false`` for their opposites; else the name."""
    return _MEANINGS.get(name.lower(), name)


def _truth(name: str, positive: str | None, negative: str | None) -> float:
    if positive is None:
        return {"true": 1.0, "false": 0.0}.get(meaning(name), np.nan)
    if negative is None:
        return float(meaning(name) == meaning(positive))
    return {meaning(negative): 0.0, meaning(positive): 1.0}.get(meaning(name), np.nan)


def _can_be(type_: Any, positive: str | None) -> bool:
    # A boolean label goes with a class such as "fraud" as well: then it says itself what is true.
    if positive is None or kinds.is_null(type_):
        return False
    if positive.lower() in _MEANINGS:
        return True
    return is_number(type_) and _is_decimal(positive)


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False

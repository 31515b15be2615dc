"""Arrow arrays, in whatever physical type an engine hands them over, as numbers and texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NUMBERS = pa.list_(pa.float64())
# What to take a column of nothing but nulls for.
_OF_NULLS = {
    "text": pa.string(),
    "array": pa.list_(pa.string()),
    "vector": _NUMBERS,
    "tensor": _NUMBERS,
    "dict": pa.map_(pa.string(), pa.float64()),
}
_LISTS = (
    kinds.is_list,
    kinds.is_large_list,
    kinds.is_fixed_size_list,
    kinds.is_list_view,
    kinds.is_large_list_view,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain(array: pa.Array) -> pa.Array:
    """The same values without dictionaries and views of text, for which Arrow lacks many functions."""
    type_ = _plain_type(array.type)
    return array if type_ == array.type else array.cast(type_)


def _plain_type(type_: Any) -> Any:
    if kinds.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if kinds.is_string_view(type_):
        return pa.large_string()
    if kinds.is_map(type_):
        return pa.map_(_plain_type(type_.key_type), _plain_type(type_.item_type))
    if kinds.is_struct(type_):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in type_])
    if kinds.is_list(type_) or kinds.is_large_list(type_) or kinds.is_fixed_size_list(type_):
        inner = _plain_type(type_.value_type)
        return type_ if inner == type_.value_type else pa.large_list(inner)
    return type_


def readable(array: pa.Array, type_: str) -> pa.Array:
    """
    Values as their field type has them.

    :param array: Values of a column that may be read as the field, with some good will.
    :param type_: The field type.
    """
    if kinds.is_null(array.type):
        return array.cast(_OF_NULLS.get(type_, pa.bool_()))
    if type_ == "boolean" and kinds.is_integer(array.type):
        return array.cast(pa.bool_())
    if type_ == "datetime" and (kinds.is_string(array.type) or kinds.is_large_string(array.type)):
        return _times_of_texts(array)
    return array


def as_floats(array: pa.Array) -> tuple[Floats, int]:
    """
    Numbers of an array of numbers, booleans, dates (in microseconds since 1970, UTC) or times (likewise).

    :param array: Values, some of them null.
    :return: Those that are not null, and how many are.
    """
    present = array.drop_null() if array.null_count else array
    return _floats(present), array.null_count


def _floats(array: pa.Array) -> Floats:
    if kinds.is_date(array.type) or kinds.is_timestamp(array.type):
        array = as_microseconds(array)
    elif kinds.is_boolean(array.type):
        array = array.cast(pa.uint8())
    numbers: Floats = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def as_microseconds(array: pa.Array) -> pa.Array:
    """Times and dates as microseconds since 1970, UTC. A time without a zone is taken for UTC."""
    zone = getattr(array.type, "tz", None)
    if getattr(array.type, "unit", None) == "ns":
        # A cast would cut towards 1970, not towards the past.
        array = pc.floor_temporal(array, unit="microsecond")
    return array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())


def _times_of_texts(array: pa.Array) -> pa.Array:
    """Microseconds since 1970, UTC; NaN for a text that is no time."""
    texts = array.dictionary_encode()
    times = [float("nan") if text is None else _time_of(text) for text in texts.dictionary.to_pylist()]
    return pa.array(times, pa.float64()).take(texts.indices)


def _time_of(text: str) -> float:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return float("nan")
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    return float((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def items(array: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """
    What the lists of an array hold, flattened to the innermost values.

    :param array: Lists, or lists of lists; one that is null is as good as an empty one.
    :return: The values of all of them, and how many each has.
    """
    lengths, values = _lengths(array), pc.list_flatten(array)
    if not _is_list(values.type):
        return values, lengths
    inner, counts = items(values)
    return inner, np.diff(_bounds(counts)[_bounds(lengths)])


def vectors(array: pa.Array, dimensions: Sequence[int] = ()) -> tuple[Floats, NDArray[np.int64]]:
    """
    Lists of numbers, or lists of such lists, one after the other.

    :param array: The lists, none of them null.
    :param dimensions: What nested lists should have on each level; one that has not is taken for empty.
    :return: Their numbers, NaN for one that is null, and how many each has.
    """
    values, lengths = items(array)
    numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if 1 < _depth(array.type) == len(dimensions):
        shaped = _shaped(array, dimensions)
        numbers, lengths = numbers[np.repeat(shaped, lengths)], np.where(shaped, lengths, 0)
    return numbers, lengths


def _shaped(array: pa.Array, dimensions: Sequence[int]) -> NDArray[np.bool_]:
    lengths = _lengths(array)
    shaped: NDArray[np.bool_] = lengths == dimensions[0]
    if len(dimensions) > 1:
        wrong = _bounds(~_shaped(pc.list_flatten(array), dimensions[1:]))
        shaped &= np.diff(wrong[_bounds(lengths)]) == 0
    return shaped


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.list_value_length(array).fill_null(0).cast(pa.int64()).to_numpy()
    return lengths


def _bounds(counts: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _depth(type_: Any) -> int:
    return 1 + _depth(type_.value_type) if _is_list(type_) else 0


def _is_list(type_: Any) -> bool:
    return any(is_one(type_) for is_one in _LISTS)

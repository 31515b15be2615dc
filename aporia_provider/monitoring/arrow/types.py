"""Classification of Arrow types, and removal of encodings from arrays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

_NARROWEST = 128
"""Smallest decimal size in bits that all functions of Arrow support."""


def is_text(type_: Any) -> bool:
    """Return whether a type is text, dictionary-encoded or not."""
    if kinds.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(kinds.is_string(type_) or kinds.is_large_string(type_) or kinds.is_string_view(type_))


def is_number(type_: Any) -> bool:
    """Return whether a type is numeric, dictionary-encoded or not. Booleans are not numbers."""
    if kinds.is_dictionary(type_):
        return is_number(type_.value_type)
    return bool(kinds.is_integer(type_) or kinds.is_floating(type_) or kinds.is_decimal(type_))


def is_list(type_: Any) -> bool:
    """Return whether a type is a list."""
    return bool(
        kinds.is_list(type_)
        or kinds.is_large_list(type_)
        or kinds.is_fixed_size_list(type_)
        or kinds.is_list_view(type_)
        or kinds.is_large_list_view(type_)
    )


def is_dict(type_: Any) -> bool:
    """Return whether a type is a map or a struct."""
    return bool(kinds.is_map(type_) or kinds.is_struct(type_))


def plain(array: Any) -> pa.Array:
    """
    Return the values as one array without the encodings that many functions of Arrow do not support.

    These are dictionaries, string views, decimals of less than 128 bits and extension types, also nested in
    lists, maps and structs.

    :param array: An array or a chunked array.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kinds.is_dictionary(array.type):
        # Casts do not support dictionaries of views.
        return plain(array.dictionary).take(array.indices)
    type_ = _plain_type(array.type)
    return array if type_ == array.type else array.cast(type_)


def _plain_type(type_: Any) -> Any:
    if kinds.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if kinds.is_string_view(type_):
        return pa.large_string()
    if kinds.is_decimal(type_) and type_.bit_width < _NARROWEST:
        return pa.decimal128(type_.precision, type_.scale)
    if kinds.is_map(type_):
        return pa.map_(_plain_type(type_.key_type), _plain_type(type_.item_type))
    if kinds.is_struct(type_):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in type_])
    if kinds.is_list(type_) or kinds.is_large_list(type_) or kinds.is_fixed_size_list(type_):
        inner = _plain_type(type_.value_type)
        return type_ if inner == type_.value_type else pa.large_list(inner)
    return type_

"""
Values of Arrow columns, read alike whatever their physical type.

This package is the only reader of values: a number is the same double, and a category the same text, in
columns of floats, decimals, integers, dictionaries or views, so that states of columns that hold the same
values are equal.
"""

from aporia_provider.monitoring.arrow.field_types import readable
from aporia_provider.monitoring.arrow.nested import entries, items, vectors
from aporia_provider.monitoring.arrow.numbers import as_floats, doubles
from aporia_provider.monitoring.arrow.texts import as_texts, text_counts
from aporia_provider.monitoring.arrow.times import as_microseconds
from aporia_provider.monitoring.arrow.types import is_dict, is_list, is_number, is_text, plain

__all__ = [
    "as_floats",
    "as_microseconds",
    "as_texts",
    "doubles",
    "entries",
    "is_dict",
    "is_list",
    "is_number",
    "is_text",
    "items",
    "plain",
    "readable",
    "text_counts",
    "vectors",
]

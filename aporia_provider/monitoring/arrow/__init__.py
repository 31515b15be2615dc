"""
Conversion of Arrow columns to values that do not depend on their physical type.

All values are read through this package: equal numbers become the same double and equal categories the same
text, whether the column has floats, decimals, integers, dictionaries or views. So columns with equal values
have equal states.
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

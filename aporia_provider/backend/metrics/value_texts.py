"""Text forms under which the value of a query may be stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa

from aporia_provider.monitoring.arrow import as_texts
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState, shortened

# Text such as 00501 is not converted, because it is not the number 501. Arrow's decimals have up to 76
# digits.
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,37})(\.[0-9]{1,38})?([eE][+-]?[0-9]{1,3})?")


def texts_of(value: str | float) -> list[str]:
    """
    Return the text forms under which a value may be stored, in lookup order.

    Categories and classes are stored as text, see :func:`~aporia_provider.monitoring.arrow.texts.as_texts`.
    The first form is the value as written, since a text column may hold ``True`` or ``3.0``. The others are
    the stored forms of the boolean or number that the value represents, such as ``true`` and ``3``.

    :param value: Text, a boolean or a number.
    """
    return list(dict.fromkeys([str(value), *map(_stored_text, _meanings(value))]))


def counted_as(value: str | float, state: State | None) -> str:
    """
    Return the text form under which a value is counted.

    :param value: Text, a boolean or a number.
    :param state: State of the field; None if there are no rows.
    """
    texts = texts_of(value)
    counts = state.counts if isinstance(state, ValueState) else {}
    return next((text for text in texts if text in counts or shortened(text) in counts), texts[-1])


def _meanings(value: str | float) -> Iterator[float | Decimal]:
    if not isinstance(value, str):
        yield value
    elif value.lower() in ("true", "false"):
        yield value.lower() == "true"
    elif _NUMBER.fullmatch(value):
        if "e" not in value.lower():
            yield Decimal(value)
        yield float(value)


def _stored_text(value: float | Decimal) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # Arrow's integers have 64 bits.
    return str(as_texts(pa.array([value]))[0].as_py())

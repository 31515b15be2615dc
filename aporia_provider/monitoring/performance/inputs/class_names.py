"""Names of classes that are written differently by predictions and labels."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from aporia_provider.monitoring.arrow.decimals import text_of_decimal

_MOST_DIGITS = 300
_MOST_SHOWN = 3


def name_of_number(name: str) -> str:
    """Name of the class that a text means beside numbers: ``"1"`` for ``"1.0"``; other texts as they are."""
    try:
        number = Decimal(name)
    except ArithmeticError:
        return name
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return name
    return text_of_decimal(number)


def examples(names: Iterable[str]) -> str:
    """Some of the names, for messages."""
    known = sorted(names)
    more = ", …" if len(known) > _MOST_SHOWN else ""
    return ", ".join(map(repr, known[:_MOST_SHOWN])) + more

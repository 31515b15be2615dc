"""Normalization of class names that predictions and labels write differently."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from aporia_provider.monitoring.arrow.decimals import text_of_decimal

_MOST_DIGITS = 300
_MOST_SHOWN = 3


def name_of_number(name: str) -> str:
    """Return a class name in the form of numbers as text: ``"1"`` for ``"1.0"``; other text unchanged."""
    try:
        number = Decimal(name)
    except ArithmeticError:
        return name
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return name
    return text_of_decimal(number)


def examples(names: Iterable[str]) -> str:
    """Return a text that lists at most three names."""
    ordered = sorted(names)
    more = ", …" if len(ordered) > _MOST_SHOWN else ""
    return ", ".join(map(repr, ordered[:_MOST_SHOWN])) + more

"""Texts in CSV files that spreadsheets open."""

from __future__ import annotations

from typing import Any

# https://owasp.org/www-community/attacks/CSV_Injection; some spreadsheets convert full-width characters.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def without_formula(value: Any) -> Any:
    """Return a value, a text that a spreadsheet would take for a formula preceded by an apostrophe."""
    is_formula = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
    return f"'{value}" if is_formula else value

"""Suggestion of a similar name."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_SHOWN = 10
# Less similar names share letters by chance: 'ts' and 'at', 'country' and 'currency'.
_ALIKE = 0.6


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint that names the most similar of ``names``, or lists them if none is similar."""
    from difflib import get_close_matches

    known = {other.lower(): other for other in names}
    close = get_close_matches(name.lower(), known, n=1, cutoff=_ALIKE)
    if close:
        return f"did you mean {known[close[0]]!r}?"
    shown = ", ".join(map(repr, list(known.values())[:_MOST_SHOWN]))
    return f"there are {shown}" if shown else "there are none"

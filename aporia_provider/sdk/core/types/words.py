"""Enumerations of the protocol's allowed values."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any


def enumerate_words(name: str, words: Iterable[str], module: str) -> Any:
    """Return an enumeration with a member for each value, named by the value in upper case."""
    members = [(word.upper().replace("-", "_"), word) for word in words]
    return Enum(name, members, module=module)


def word_of(value: Any) -> Any:
    """Return the value of an enumeration member; return other values unchanged."""
    return value.value if isinstance(value, Enum) else value

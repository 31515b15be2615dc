"""Enumerations whose members are the words that the vocabulary allows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any


def enumerate_words(name: str, words: Iterable[str], module: str) -> Any:
    """Enumeration with a member for each word, named as the word in capitals."""
    members = [(word.upper().replace("-", "_"), word) for word in words]
    return Enum(name, members, module=module)


def word_of(value: Any) -> Any:
    """The word that a member of an enumeration stands for; anything else as it is."""
    return value.value if isinstance(value, Enum) else value

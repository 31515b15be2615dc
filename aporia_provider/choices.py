"""Values that are one of a few words, or true or false: what is accepted, and what was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from aporia_provider.errors import ValidationError

_FLAGS = {"true": True, "false": False}


def not_one_of(value: object, allowed: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    """
    What is wrong with a value that is not one of the allowed words, with the one that was probably meant.

    :param value: The value.
    :param allowed: The words.
    :param synonyms: Other words, in lower case, that mean one of them.
    """
    return f"{value!r} is not one of {', '.join(allowed)}{_meant(value, allowed, synonyms)}"


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """
    A value that is one of the allowed words.

    :param name: What it is, for the message.
    :raises aporia_provider.errors.ValidationError: if it is another one, naming the nearest.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise ValidationError(f"{name}: {not_one_of(value, allowed)}")


def flag(name: str, value: Any) -> bool:
    """
    A value that is true or false; the words ``true`` and ``false``, as rendered templates have them, are too.

    :param name: What it is, for the message.
    :raises aporia_provider.errors.ValidationError: if it is neither.
    """
    if isinstance(value, bool):
        return value
    found = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValidationError(f"{name}: {value!r} is neither true nor false{_meant(value, _FLAGS)}")
    return found


def check_keys(name: str, given: Iterable[str], known: Collection[str]) -> None:
    """
    Refuse keys that are not known.

    :param name: What has the keys, for the message.
    :raises aporia_provider.errors.ValidationError: naming each of them with the nearest known key.
    """
    problems = [not_one_of(key, known) for key in given if key not in known]
    if problems:
        raise ValidationError(f"The {name} has keys that are not known", problems=problems)


def _meant(value: object, allowed: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    if not isinstance(value, str):
        return ""
    word = value.strip().lower()
    meant = (synonyms or {}).get(word) or next(iter(get_close_matches(word, allowed, n=1)), None)
    return f"; did you mean {meant!r}?" if meant else ""

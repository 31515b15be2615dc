"""Validation of strings from a fixed list and of booleans, with suggestions in the error messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from aporia_provider.errors import ValidationError

_BOOLEANS = {"true": True, "false": False}


def choice_error(value: object, allowed: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    """
    Return the error message for a value that is not allowed, with the most similar allowed string.

    :param value: The value.
    :param allowed: The allowed strings.
    :param synonyms: Other strings, in lower case, mapped to the allowed strings that they mean.
    """
    return f"{value!r} is not one of {', '.join(allowed)}{_suggestion(value, allowed, synonyms)}"


def validated_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """
    Return a value if it is one of the allowed strings.

    :param name: Name of the value in the error message.
    :raises aporia_provider.errors.ValidationError: if it is not, naming the most similar one.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise ValidationError(f"{name}: {choice_error(value, allowed)}")


def parse_boolean(name: str, value: Any) -> bool:
    """
    Return a value as a boolean. The strings ``true`` and ``false``, which templates render to, are accepted.

    :param name: Name of the value in the error message.
    :raises aporia_provider.errors.ValidationError: if it is neither true nor false.
    """
    if isinstance(value, bool):
        return value
    flag_value = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag_value is None:
        raise ValidationError(f"{name}: {value!r} is neither true nor false{_suggestion(value, _BOOLEANS)}")
    return flag_value


def check_keys(name: str, keys: Iterable[str], allowed: Collection[str]) -> None:
    """
    Raise an error if any key is unknown.

    :param name: Name of the object with these keys, in the error message.
    :raises aporia_provider.errors.ValidationError: naming each unknown key and the known key most similar to
        it.
    """
    problems = [choice_error(key, allowed) for key in keys if key not in allowed]
    if problems:
        raise ValidationError(f"The {name} has unknown keys", problems=problems)


def _suggestion(value: object, allowed: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    if not isinstance(value, str):
        return ""
    word = value.strip().lower()
    suggestion = (synonyms or {}).get(word) or next(iter(get_close_matches(word, allowed, n=1)), None)
    return f"; did you mean {suggestion!r}?" if suggestion else ""

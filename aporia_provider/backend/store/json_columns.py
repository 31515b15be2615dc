"""Validation of text and JSON values before they are stored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from aporia_provider.base_model import is_template
from aporia_provider.errors import ValidationError

MAX_NAME = 255
MAX_DEPTH = 64


def text_problem(text: str) -> str | None:
    """Return why a database would refuse the text, or None."""
    if "\x00" in text:
        return "contains a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair, which is not a character"
    return None


def check_names(**names: Any) -> None:
    """
    Validate ids and names, which are keys of indexes.

    Their length is limited because PostgreSQL refuses index entries above 2,704 bytes.

    :raises ValidationError: if there are problems; all are listed.
    """
    faults = {name: _name_fault(value) for name, value in names.items()}
    problems = [f"{name} {fault}" for name, fault in faults.items() if fault]
    if problems:
        raise ValidationError(
            f"{', '.join(name for name in faults if faults[name])} cannot be used", problems=problems
        )


def _name_fault(value: Any) -> str | None:
    if not isinstance(value, str):
        return "has to be text"
    if not value.strip():
        return "must not be empty"
    if len(value) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    return text_problem(value)


def reject_templates(**values: str | None) -> None:
    """
    Raise an error for unrendered templates, which types accept in place of enumerated values.

    :raises ValidationError: if there are such values; all are listed.
    """
    problems = [
        f"{name}: {value!r} is a template that was not rendered"
        for name, value in values.items()
        if is_template(value)
    ]
    if problems:
        raise ValidationError("Templates were not rendered", problems=problems)


def check_json(value: Any) -> None:
    """
    Validate a JSON value.

    :raises ValidationError: if text or numbers cannot be stored, keys are not strings, or values are nested
        deeper than 64 levels.
    """
    problems = [f"{path or 'the value'} {fault}" for path, fault in _json_faults(value)]
    if problems:
        raise ValidationError("This JSON cannot be stored", problems=problems[:20])


def _json_faults(value: Any) -> Iterator[tuple[str, str]]:
    pending: list[tuple[str, int, Any]] = [("", 0, value)]
    while pending:
        path, depth, item = pending.pop()
        if depth > MAX_DEPTH:
            yield path[:80], f"is nested deeper than {MAX_DEPTH} levels"
            return
        fault = _scalar_fault(item)
        if fault:
            yield path, fault
        for key, inner in _inner(item):
            key_fault = text_problem(key) if isinstance(key, str) else "is not text"
            if key_fault:
                yield f"{path}: a key", key_fault
            else:
                pending.append((f"{path}.{key}" if path else key, depth + 1, inner))


def _scalar_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which JSON does not have"
    if value is None or isinstance(value, bool | int | float | Mapping | list | tuple):
        return None
    return f"is a {type(value).__name__}, which JSON does not have"


def _inner(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield str(position), item

"""Redaction of secrets in the error messages of a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from aporia_provider.redaction import HIDDEN, redact_text

_LONGEST = 10_000
_SHORTEST = 4
_ORDINARY = re.compile(r"true|false|\d{1,3}", re.IGNORECASE)


def secrets_between(clear: Any, hidden: Any) -> Iterator[str]:
    """
    Yield the strings of a JSON value that are hidden in its redacted copy.

    :param clear: The value with secrets in clear text.
    :param hidden: The redacted copy.
    """
    if isinstance(clear, Mapping):
        for key, value in clear.items():
            yield from secrets_between(value, hidden[key])
    elif isinstance(clear, str) and clear != hidden:
        yield from _hidden_parts(clear, hidden)


def _hidden_parts(clear: str, hidden: str) -> Iterator[str]:
    pattern = "(.*?)".join(re.escape(part) for part in hidden.split(HIDDEN))
    match = re.fullmatch(pattern, clear, re.DOTALL)
    for part in match.groups() if match else [clear]:
        # The value of an unknown option is hidden even if it is true, false or a small number.
        if part and part != HIDDEN and not _ORDINARY.fullmatch(part):
            yield part
            yield from _values_in(part)


def _values_in(part: str) -> Iterator[str]:
    """Yield the parameter values in a hidden part of a URL, which a server may return separately."""
    pieces = (piece.partition("=")[2] or piece for piece in re.split(r"[?;&,()\[\]{}:/@\s]+", part))
    values = {*pieces, *re.findall(r"\{([^{}]*)\}", part), *re.findall(r"[:/]([^@/]*)@", part)}
    # Shorter values are parts of many words in messages.
    yield from (value for value in {*values, *map(unquote, values)} if len(value) >= _SHORTEST)


def redacted(value: Any, secrets: Iterable[str]) -> Any:
    """Return a JSON value without the secrets, in all the encodings in which a server may echo them."""
    if isinstance(value, Mapping):
        return {key: redacted(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    for spelling in sorted({way for secret in secrets for way in _spellings(secret)}, key=len, reverse=True):
        value = value.replace(spelling, HIDDEN)
    # Messages are cut to less than this anyway; the limit bounds the time of the search.
    return redact_text(value[:_LONGEST])


def _spellings(secret: str) -> set[str]:
    quoted = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, quote(secret, safe=""), *quoted}

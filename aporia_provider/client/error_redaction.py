"""Keeping secrets out of what a server's error makes us say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from aporia_provider.redaction import HIDDEN, hide_in_text

_LONGEST = 10_000
_SHORTEST = 4
_ORDINARY = re.compile(r"true|false|\d{1,3}", re.IGNORECASE)


def secrets_between(clear: Any, hidden: Any) -> Iterator[str]:
    """Yield the texts of one JSON value that its twin hides, given the value in clear and the twin."""
    if isinstance(clear, Mapping):
        for key, value in clear.items():
            yield from secrets_between(value, hidden[key])
    elif isinstance(clear, str) and clear != hidden:
        yield from _hidden_parts(clear, hidden)


def _hidden_parts(clear: str, hidden: str) -> Iterator[str]:
    pattern = "(.*?)".join(re.escape(part) for part in hidden.split(HIDDEN))
    found = re.fullmatch(pattern, clear, re.DOTALL)
    for part in found.groups() if found else [clear]:
        # An option that is hidden since it is not known may be true, false or a small number.
        if part and part != HIDDEN and not _ORDINARY.fullmatch(part):
            yield part
            yield from _values_in(part)


def _values_in(part: str) -> Iterator[str]:
    """The values of the parameters in a hidden part of a URL, which a server may name one by one."""
    pieces = (piece.partition("=")[2] or piece for piece in re.split(r"[?;&,()\[\]{}:/@\s]+", part))
    found = {*pieces, *re.findall(r"\{([^{}]*)\}", part), *re.findall(r"[:/]([^@/]*)@", part)}
    # What is shorter is in many words of a message.
    yield from (value for value in {*found, *map(unquote, found)} if len(value) >= _SHORTEST)


def redacted(value: Any, secrets: Iterable[str]) -> Any:
    """A JSON value without the secrets, in whatever way a server may have echoed them."""
    if isinstance(value, Mapping):
        return {key: redacted(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    for spelling in sorted({way for secret in secrets for way in _spellings(secret)}, key=len, reverse=True):
        value = value.replace(spelling, HIDDEN)
    # What is longer is cut in a message anyway, and must not keep the search busy.
    return hide_in_text(value[:_LONGEST])


def _spellings(secret: str) -> set[str]:
    quoted = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, quote(secret, safe=""), *quoted}

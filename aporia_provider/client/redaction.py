"""Keeping secrets out of what a server's error makes us say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from aporia_provider.data_sources import HIDDEN, hide_secrets_in_url

_LONGEST = 10_000


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
    yield from (part for part in (found.groups() if found else [clear]) if part and part != HIDDEN)


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
    return hide_secrets_in_url(value[:_LONGEST])


def _spellings(secret: str) -> set[str]:
    quoted = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, quote(secret, safe=""), *quoted}

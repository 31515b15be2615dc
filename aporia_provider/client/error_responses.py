"""Parsing of error responses in all the forms that servers use (protocol reference, section 1.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

_LONGEST = 1000
_MOST_LINES = 100


def parse(content: bytes) -> tuple[Any, bool]:
    """Return the body of a reply and whether it is JSON. Other bodies are returned as text; None if empty."""
    if not content.strip():
        return None, False
    try:
        return json.loads(content), True
    except (ValueError, RecursionError):
        return content.decode(errors="replace"), False


def seconds_to_wait(retry_after: str | None, now: datetime | None = None) -> float | None:
    """
    Return the delay that a ``Retry-After`` header gives in seconds or as a date.

    :param now: Time from which the delay to a date is counted. Default: the current time.
    :return: Seconds, at least 0; None if there is no header or it is invalid.
    """
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d*)?", text, re.ASCII):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def explanation(status: int, body: Any) -> str:
    """Return the server's error message, or the meaning of the status if there is none."""
    texts = list(dict.fromkeys(text for text in map(_one_line, _texts(body)) if text))
    return ": ".join(texts)[:_LONGEST] if texts else _meaning(status)


def lines(body: Any, key: str) -> list[str]:
    """Return the strings under ``key`` of the error. Problems may also be FastAPI's list ``detail``."""
    error = body.get("error") if isinstance(body, Mapping) else None
    entries = error.get(key) if isinstance(error, Mapping) else None
    if entries is None and key == "problems" and isinstance(body, Mapping):
        entries = body.get("detail")
    items = entries if isinstance(entries, list) else []
    return [text for text in map(_line, items[:_MOST_LINES]) if text]


def kind_of_body(body: Any, *, is_json: bool) -> str:
    """Describe the type of an unexpected body for an error message."""
    if is_json:
        return "JSON of another form"
    return _visible(body) if body and "<" in body else ("plain text" if body else "no body")


def _texts(body: Any) -> Iterator[Any]:
    if isinstance(body, str):
        yield _visible(body)
    if not isinstance(body, Mapping):
        return
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        yield from (text for error in errors for text in _graphql_texts(error))
        return
    error = body.get("error")
    yield from _error_texts(error) if isinstance(error, Mapping) else [error]
    yield from (body.get("message"), body.get("detail"))


def _error_texts(error: Mapping[str, Any]) -> Iterator[Any]:
    # This project's server repeats the list in the message, for clients that show the message only.
    listed = error.get("problems") or error.get("differences")
    for text in (error.get("message"), error.get("detail")):
        yield text.partition("\n  - ")[0] if listed and isinstance(text, str) else text


def _graphql_texts(error: Any) -> Iterator[Any]:
    if not isinstance(error, Mapping):
        yield error
        return
    extensions = error.get("extensions")
    yield error.get("message")
    yield extensions.get("verbose_message") if isinstance(extensions, Mapping) else None


def _line(item: Any) -> str:
    if not isinstance(item, Mapping):
        return _one_line(item)
    location = item.get("loc")
    text = _one_line(item.get("msg") or item.get("message"))
    path = ".".join(map(str, location)) if isinstance(location, list) else ""
    return f"{path}: {text}" if path and text else text


def _one_line(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    line = " ".join(text.split())[:_LONGEST]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def _visible(page: str) -> str:
    if "<" not in page:
        return page
    if page.lstrip().startswith("<?xml"):
        return "an XML document"
    title = re.search(r"<title[^>]*>(.*?)</title", page, re.DOTALL | re.IGNORECASE)
    return f"an HTML page titled {' '.join(title[1].split())!r}" if title else "an HTML page"


def _meaning(status: int) -> str:
    if status in (401, 403):
        return "the token was not accepted: check it, and that it belongs to this environment"
    if 300 <= status < 400:
        return "the server sent a redirect, which is not followed: check the base URL"
    try:
        return f"the server responded {HTTPStatus(status).phrase!r}"
    except ValueError:
        return "the server gave no reason"

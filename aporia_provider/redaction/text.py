"""Redaction of secrets in messages of servers and engines."""

from __future__ import annotations

import re

from aporia_provider.redaction.urls import HIDDEN, shown_url

SECRET_NAME = re.compile(
    r"secret|passw|pwd|token|credential|authorization|(?:access|account|private|api|encryption|session)[._-]?key"
    r"|sas\b|signature",
    re.IGNORECASE,
)
"""Pattern of the names of secret parameters in text that is not known to be a URL."""

# The length of names is limited so that matching takes linear time.
_URL = re.compile(r"(?<![\w+.:-])(?:jdbc:|[A-Za-z][A-Za-z0-9+.:-]{0,60}//)[^\s'\"`<>]+", re.IGNORECASE)
_STORE = re.compile(r"(?:s3[an]?|file)://", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<![\w.-])([\w.-]{1,64})(=\s?)(\{[^{}]*\}|[^\s;&,'\")}]+)")
_HEADER = re.compile(
    r"(?<!\w)(authorization['\"]?\s?[:=]\s?['\"]?)((?:bearer|basic)\s)?[^\s'\",;]+", re.IGNORECASE
)
_AFTER = ").,;:]}"


def hide_in_text(text: str) -> str:
    """
    Return a text with ``***`` in place of logins and parameters of URLs, and of secret parameters.

    :param text: A message. Use :func:`aporia_provider.redaction.urls.shown_url` for a single URL, which it
        parses more strictly.
    """
    text = _URL.sub(lambda found: _shown(found[0]), text)
    text = _HEADER.sub(lambda found: f"{found[1]}{found[2] or ''}{HIDDEN}", text)
    return _PARAMETER.sub(_shown_parameter, text)


def _shown(url: str) -> str:
    if _STORE.match(url):
        # A key on S3 may contain any character, including '@'.
        place, at, _ = url.partition("//")[2].rpartition("@")
        return shown_url(url) if at and (":" in place.partition("/")[0] or "/" not in place) else url
    bare = url.rstrip(_AFTER)
    return shown_url(bare) + url[len(bare) :]


def _shown_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}{HIDDEN}" if SECRET_NAME.search(found[1]) else found[0]

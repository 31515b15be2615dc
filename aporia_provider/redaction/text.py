"""Redaction of secrets in messages of servers and engines."""

from __future__ import annotations

import re

from aporia_provider.redaction.urls import HIDDEN, redact_url

SECRET_NAME = re.compile(
    r"secret|passw|pwd|token|credential|authorization|(?:access|account|private|api|encryption|session)[._-]?key"
    r"|sas\b|signature",
    re.IGNORECASE,
)
"""Pattern of the names of secret parameters in text that is not known to be a URL."""

# The length of names is limited so that matching takes linear time.
_URL = re.compile(r"(?<![\w+.:-])(?:jdbc:|[A-Za-z][A-Za-z0-9+.:-]{0,60}//)[^\s'\"`<>]+", re.IGNORECASE)
_STORE_SCHEME = re.compile(r"(?:s3[an]?|file)://", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<![\w.-])([\w.-]{1,64})(=\s?)(\{[^{}]*\}|[^\s;&,'\")}]+)")
_HEADER = re.compile(
    r"(?<!\w)(authorization['\"]?\s?[:=]\s?['\"]?)((?:bearer|basic)\s)?[^\s'\",;]+", re.IGNORECASE
)
_TRAILING_PUNCTUATION = ").,;:]}"


def redact_text(text: str) -> str:
    """
    Return a text with ``***`` in place of logins and parameters of URLs, and of secret parameters.

    :param text: A message. Use :func:`aporia_provider.redaction.urls.redact_url` for a single URL, which it
        parses more strictly.
    """
    text = _URL.sub(lambda match: _redacted_url(match[0]), text)
    text = _HEADER.sub(lambda match: f"{match[1]}{match[2] or ''}{HIDDEN}", text)
    return _PARAMETER.sub(_redacted_parameter, text)


def _redacted_url(url: str) -> str:
    if _STORE_SCHEME.match(url):
        # A key on S3 may contain any character, including '@'.
        location, separator, _ = url.partition("//")[2].rpartition("@")
        return (
            redact_url(url)
            if separator and (":" in location.partition("/")[0] or "/" not in location)
            else url
        )
    stripped = url.rstrip(_TRAILING_PUNCTUATION)
    return redact_url(stripped) + url[len(stripped) :]


def _redacted_parameter(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{HIDDEN}" if SECRET_NAME.search(match[1]) else match[0]

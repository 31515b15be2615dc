"""
Redaction of URLs of data.

The harmless beginning of a URL is kept and the rest is hidden, since drivers accept logins in too many forms
to list. All regular expressions here match in linear time.
"""

from __future__ import annotations

import re

HIDDEN = "***"

_NAME = r"[A-Za-z][A-Za-z0-9+.-]*"
_SCHEME = re.compile(
    rf"(?:{_NAME}:){{1,3}}(?=//)|jdbc:{_NAME}:|jdbc:(?={_NAME}$)|{_NAME}:(?=/|$)", re.IGNORECASE
)
_ORACLE = re.compile(r"jdbc:oracle:(?:thin|oci8?|kprb):", re.IGNORECASE)
_HOST = r"(?:[\w.-]+(?:\\\w+)?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5}(?![\w.-]))?"
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*")
_PATH = re.compile(r"/[\w.~%+$/-]*")
_AUTHORITY_START = re.compile(r"/?@(?://)?|//")
_SID = re.compile(r":[\w.$]+(?=$|/)")
_OPAQUE = re.compile(r"[\w./\\-]+(?::[\w./\\-]+)*")
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}")
_PARAMETER = re.compile(r"[?;&,(]\s*[A-Za-z_][\w.-]*=")


def login_fault(url: str) -> str | None:
    """
    Return the fault of a URL that contains a login, with advice; None if it contains none.

    :param url: The URL, which may contain templates. The result contains no part of it.
    """
    rest = _split_scheme(_TEMPLATE.sub("x", url))[1]
    if _has_login(rest) or _is_oracle_login(url, rest):
        return (
            "contains a login before its '@': give user and password as separate parameters, or with an "
            "Airflow connection that data_source_conn_id names (for S3, aws_conn_id)"
        )
    return None


def redact_url(url: str) -> str:
    """
    Return the scheme, the hosts, the port and the path of a URL, with ``***`` in place of everything else.

    :param url: URL of a driver or of an object, or a host name.
    """
    scheme, rest = _split_scheme(url)
    if _is_oracle_login(url, rest) or _has_login(rest):
        return f"{scheme}{'//' if rest.startswith('//') else ''}{HIDDEN}"
    harmless = _harmless_prefix(scheme, rest)
    remainder = rest[len(harmless) :]
    if not remainder or remainder == HIDDEN:
        return f"{scheme}{rest}"
    return f"{scheme}{harmless}{remainder[0] if remainder[0] in '?;#' else ''}{HIDDEN}"


def _split_scheme(url: str) -> tuple[str, str]:
    """Return the scheme with its colon, and the rest."""
    url = url.strip()
    match = _ORACLE.match(url) or _SCHEME.match(url)
    scheme = match[0] if match else ""
    return scheme, url[len(scheme) :]


def _harmless_prefix(scheme: str, rest: str) -> str:
    """Return the hosts, port and path at the beginning of a URL without its scheme."""
    start = _AUTHORITY_START.match(rest)
    end = start.end() if start else 0
    if not end and scheme.lower().startswith("jdbc:"):
        match = _OPAQUE.match(rest)
        return match[0] if match else ""
    patterns = (_HOSTS, _SID, _PATH) if _ORACLE.match(scheme) else (_HOSTS, _PATH)
    for pattern in patterns:
        if match := pattern.match(rest, end):
            end = match.end()
    return rest[:end]


def _has_login(rest: str) -> bool:
    """Return whether there is an ``@`` that is neither the first character nor in a parameter's value."""
    if (last_at := rest.rfind("@")) < 1 or rest[:2] == "/@":
        return False
    parameter = _PARAMETER.search(rest)
    # A '?' or '(' in a password does not begin a parameter unless a '=' follows.
    return parameter is None or parameter.start() > last_at or "@" in rest[1 : parameter.start()]


def _is_oracle_login(url: str, rest: str) -> bool:
    """Return whether the part of the URL for ``user/password@`` of Oracle's drivers is not empty."""
    return _ORACLE.match(url.strip()) is not None and re.match(r"/?@|//|$|\*", rest) is None

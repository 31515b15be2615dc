"""Accepted forms of the location of data, and conversion to a URI."""

from __future__ import annotations

import re

from aporia_provider.base_model import is_template

_PRESIGNED = re.compile(
    r"[?&](?:x-amz-|x-goog-|awsaccesskeyid=|signature=|key-pair-id=|sig=|[\w.-]{0,64}(?:token|secret|passw|credential)"
    r"[\w.-]{0,64}=)",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}")
_ACCEPTED_FORMS = (
    "write s3://bucket/key, s3a://bucket/key, bucket/key, an absolute local path or file:///path"
)
_S3 = re.compile(r"s3[an]?://", re.IGNORECASE)
_LOCAL = re.compile(r"file:(?://localhost(?=/)|//)?", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/*", re.IGNORECASE)
_MISSING_COLON = re.compile(r"(s3[an]?)//", re.IGNORECASE)
_WINDOWS = re.compile(r"[a-z]:(?:[\\/]|$)|\\\\", re.IGNORECASE)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_ADVICE = {
    "http": "write s3://bucket/key instead of the URL of an object",
    "https": "write s3://bucket/key instead of the URL of an object",
    "dbfs": "write the s3:// location that is mounted there (DESCRIBE DETAIL shows the location of a table)",
    "arn": "write s3://bucket/key, or the alias of an access point in place of the bucket",
}


def location_uri(path: str) -> str:
    """
    Return the URI of a path: ``s3://bucket/key`` or ``file:///path``, without a trailing slash.

    A key on S3 is not encoded. In a local URI ``%`` begins an encoded byte, so a ``%`` in a plain path is
    encoded; no other character is. Repeated slashes are merged.

    :param path: A path in one of the forms that :func:`location_fault` accepts.
    """
    path = path.strip()
    if path.startswith("/"):
        return f"file://{_single_slashes(path.replace('%', '%25'))}"
    if match := _LOCAL.match(path):
        return f"file://{_single_slashes(path[match.end() :])}"
    return f"s3://{_single_slashes(_S3.sub('', path, count=1))}"


def location_fault(path: str) -> str | None:
    """
    Return why no data can be read from a path, and what to write instead; None if its form is supported.

    :param path: The path. A template is checked for secrets only. The result contains no more of the path
        than a scheme or a bucket, since the path may contain a secret.
    """
    path = path.strip()
    if fault := secret_fault(path):
        return fault
    if is_template(path):
        return None
    if re.search(r"[\x00-\x1f\x7f]", path):
        return "contains a control character, such as a line break"
    if path.startswith("/"):
        return _local_fault(path)
    if match := _LOCAL.match(path):
        return _local_fault(path[match.end() :], is_relative="//" not in match[0])
    return _other_fault(path)


def secret_fault(path: str) -> str | None:
    """
    Return the fault of a path that contains credentials, with advice; None if it contains none.

    :param path: The path, which may contain templates.
    """
    if _PRESIGNED.search(path):
        return "is a presigned URL: write s3://bucket/key, and give credentials with an AWS connection"
    if path.startswith("/") or (_SCHEME.match(path) and not _S3.match(path)):
        return None
    location, separator, _ = _S3.sub("", _TEMPLATE.sub("x", path), count=1).rpartition("@")
    if separator and (":" in location.partition("/")[0] or "/" not in location):
        return "contains a login before its '@'; give the keys with an AWS connection instead"
    return None


def _local_fault(path: str, *, is_relative: bool = False) -> str | None:
    """Return the fault of a local path, given without its scheme."""
    if not path.startswith("/"):
        return (
            f"is a relative path; {_ACCEPTED_FORMS}"
            if is_relative
            else "names a host: a local URI is file:///path"
        )
    if not path.strip("/"):
        return "is the root of the disk: write the path of the folder that contains the data"
    return None


def _other_fault(path: str) -> str | None:
    """Return the fault of a path that is not local."""
    if _WINDOWS.match(path):
        return f"is a Windows path, which cannot be read; {_ACCEPTED_FORMS}"
    if path.startswith(("~", "./", "../")) or path in (".", ".."):
        return f"is a relative path; {_ACCEPTED_FORMS}"
    s3_scheme = _S3.match(path)
    scheme = _SCHEME.match(path)
    if s3_scheme is None and scheme is not None:
        return _scheme_fault(scheme[1].lower())
    if scheme := _MISSING_COLON.match(path):
        return f"has no ':' after {scheme[1]}; did you mean {scheme[1]}://bucket/key?"
    return _key_fault(*_S3.sub("", path, count=1).partition("/")[::2])


def _key_fault(bucket: str, key: str) -> str | None:
    if not bucket:
        return f"names no bucket; {_ACCEPTED_FORMS}"
    if not _BUCKET.fullmatch(bucket):
        return f"has an invalid bucket name {bucket!r}: only letters, digits, '.', '-' and '_' are allowed"
    if {".", ".."} & set(key.split("/")):
        return "has '.' or '..' as a segment of its key: write the resolved key"
    return None


def _scheme_fault(scheme: str) -> str:
    if scheme in ("s3", "s3a", "s3n"):
        return f"has {scheme}: without the two slashes; did you mean {scheme}://bucket/key?"
    return f"has the scheme {scheme}:, which cannot be read; {_ADVICE.get(scheme, _ACCEPTED_FORMS)}"


def _single_slashes(path: str) -> str:
    return re.sub(r"/{2,}", "/", path).rstrip("/")

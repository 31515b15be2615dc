"""IAM policies with the least privileges to read tables, and roles that have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from aporia_provider.errors import ValidationError
from aporia_provider.lake.s3.iam_roles import ensure_role, trust_principal, trust_web_identity

__all__ = ["Partition", "ensure_role", "read_policy", "trust_principal", "trust_web_identity"]

Partition = Literal["aws", "aws-cn", "aws-us-gov"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_SCHEME = re.compile(r"(?:s3[an]?://)?(?![A-Za-z][\w+.-]*://)(.*)", re.DOTALL)

VERSION = "2012-10-17"


def read_policy(uris: Sequence[str], *, partition: Partition = "aws") -> dict[str, Any]:
    """
    Return the policy that allows listing and reading the given prefixes, and nothing else.

    The document does not depend on the order, repetition or nesting of the prefixes.

    :param uris: ``s3://bucket/prefix``, ``s3a://bucket/prefix`` or ``bucket/prefix``; a bucket alone stands
        for all its objects.
    :param partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
    :raises aporia_provider.errors.ValidationError: if a URI is none of these; all such URIs are listed.
    """
    if partition not in get_args(Partition):
        raise ValidationError(f"{partition!r} is not one of {', '.join(get_args(Partition))}")
    prefixes = _without_nested(_parse_all(uris))
    arns = {bucket: f"arn:{partition}:s3:::{bucket}" for bucket, _ in prefixes}
    list_statements = [
        _list_statement(arn, [key for prefix_bucket, key in prefixes if prefix_bucket == bucket])
        for bucket, arn in arns.items()
    ]
    objects = [arns[bucket] + suffix for bucket, key in prefixes for suffix in _object_patterns(key)]
    read_statement = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": sorted(objects)}
    return {"Version": VERSION, "Statement": [*list_statements, read_statement]}


def _list_statement(arn: str, keys: Sequence[str]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn]}
    if "" not in keys:
        # The pattern without a wildcard is required: readers request an object of the table's own name, and
        # S3 replies 404 only with the permission to list that name. Otherwise it replies 403, and readers
        # fail.
        patterns = sorted(pattern for key in keys for pattern in (_escaped(key), f"{_escaped(key)}/*"))
        statement["Condition"] = {"StringLike": {"s3:prefix": patterns}}
    return statement


def _object_patterns(key: str) -> tuple[str, ...]:
    return (f"/{_escaped(key)}", f"/{_escaped(key)}/*") if key else ("/*",)


def _escaped(key: str) -> str:
    """Return a key with ``*``, ``?`` and ``$`` escaped, which are special in IAM."""
    return re.sub(r"[*?$]", lambda match: f"${{{match[0]}}}", key)


def _without_nested(prefixes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    distinct = set(prefixes)
    return sorted(
        prefix for prefix in distinct if not any(parent in distinct for parent in _parents(*prefix))
    )


def _parents(bucket: str, key: str) -> Iterable[tuple[str, str]]:
    while key:
        key = key.rpartition("/")[0]
        yield bucket, key


def _parse_all(uris: Sequence[str]) -> list[tuple[str, str]]:
    if not uris:
        raise ValidationError("A read policy requires at least one S3 URI")
    parsed, problems = [], []
    for uri in uris:
        try:
            parsed.append(_parse(uri))
        except ValueError as error:
            problems.append(f"{uri!r}: {error}")
    if problems:
        raise ValidationError("Some URIs are not on S3", problems=problems)
    return parsed


def _parse(uri: str) -> tuple[str, str]:
    match = _SCHEME.fullmatch(uri.strip())
    if match is None:
        raise ValueError("only s3:// and s3a:// URIs can be allowed in IAM")
    if match[1].startswith("/"):
        raise ValueError("a local path does not need an IAM policy; write s3://bucket/key")
    bucket, _, key = match[1].partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{bucket!r} is not the name of a bucket")
    key = key.rstrip("/")
    if key and any(segment in ("", ".", "..") for segment in key.split("/")):
        raise ValueError("empty segments, '.' and '..' do not name one prefix")
    return bucket, key

"""What S3 answers, put into words that say what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.diagnosis import refusal

KNOWN = AwsCredentials("AKIA", "planted-secret", "planted-token", "eu-west-1")


def answer(code: str, status: int, message: str = "planted-secret planted-token") -> ClientError:
    body = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(body, "GetObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "status", "kind", "told"),
    [
        (
            "AccessDenied",
            403,
            AuthenticationError,
            "denies s3:GetObject on prefix 'models/t' of bucket 'lake'",
        ),
        ("ExpiredToken", 400, AuthenticationError, "session token has expired"),
        ("RequestExpired", 400, AuthenticationError, "expired"),
        ("InvalidAccessKeyId", 403, AuthenticationError, "not accepted"),
        ("SignatureDoesNotMatch", 403, AuthenticationError, "not accepted"),
        ("NoSuchBucket", 404, NotFoundError, "no bucket 'lake'"),
        ("PermanentRedirect", 301, ValidationError, "not in the configured region (eu-west-1)"),
        ("AuthorizationHeaderMalformed", 400, ValidationError, "not in the configured region"),
        ("SlowDown", 503, TransientError, "SlowDown"),
        ("InternalError", 500, TransientError, "InternalError"),
        ("Strange", 400, ValidationError, "Strange"),
    ],
)
def test_each_answer(code: str, status: int, kind: type[AporiaError], told: str) -> None:
    found = refusal(answer(code, status), "lake", "models/t", "s3:GetObject", KNOWN)
    assert type(found) is kind
    assert told in found.message
    assert "planted" not in found.message


def test_a_refused_key_of_kms_is_named() -> None:
    message = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:Decrypt on this resource"
    found = refusal(answer("AccessDenied", 403, message), "lake", "t", "s3:GetObject", KNOWN)
    assert found is not None
    assert "denies kms:Decrypt" in found.message


@pytest.mark.parametrize("code", ["NoSuchKey", "404"])
def test_a_missing_object_refuses_nothing(code: str) -> None:
    assert refusal(answer(code, 404), "lake", "t", "s3:GetObject", KNOWN) is None

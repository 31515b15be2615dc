"""Conversion of errors of S3 and of delta-rs to exceptions of this project."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log_failures import log_fault
from aporia_provider.redaction import redact_url

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_ANSI_COLOR = re.compile(r"\x1b\[[0-9;]*m")
CONNECTION = re.compile(
    r"error sending request|tcp connect|dns error|timed? ?out|connection (?:refused|reset|closed)|SlowDown"
    r"|end of file before message length|error decoding response body|incomplete message|\b(?:429|50[0234]) ",
    re.IGNORECASE,
)
"""Messages of delta-rs for an unreachable S3, or for a response that was cut off."""
_DENIED = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_REJECTED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId", "401"}
_WRONG_REGION = {
    "PermanentRedirect",
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}


def delta_error(
    error: Exception, uri: str, credentials: AwsCredentials, folder: str = "_delta_log/"
) -> AporiaError:
    """
    Return the exception for an error of delta-rs.

    :param error: The error.
    :param uri: The table.
    :param credentials: Credentials it was read with. Requests are repeated with them to find out which one S3
        denies.
    :param folder: Folder of the table that was read.
    """
    from deltalake.exceptions import TableNotFoundError

    if uri.startswith("s3://") and not credentials.endpoint_url and _aws_is_mocked():
        return ValidationError(
            f"{uri} could not be read: mock_aws of moto is active, which replaces the requests of botocore "
            "only, and Delta tables are read without botocore. Use an S3 server in tests, such as the "
            "fixture aporia_s3 of aporia_provider.testing"
        )
    text = _ANSI_COLOR.sub("", str(error))
    if isinstance(error, (TableNotFoundError, FileNotFoundError)):
        return NotFoundError(f"There is no Delta table at {uri}: it has no _delta_log with a commit")
    if uri.startswith("file://") and Path(local_path(uri)).is_file():
        return ValidationError(
            f"{uri} is a file: specify the folder of the Delta table, which contains _delta_log"
        )
    if CONNECTION.search(text):
        return TransientError(
            f"{uri} could not be read: {_endpoint_name(credentials)} does not respond "
            f"({credentials.redact(_summary(text))})"
        )
    denial = access_error(uri, credentials, folder) if uri.startswith("s3://") else None
    if denial is not None:
        return denial
    if isinstance(error, PermissionError):
        return AuthenticationError(f"{uri} could not be read: the file system denies access")
    summary = _summary(text)
    if uri.startswith("s3://") and log_fault(summary) is None and "Generic S3 error" in text:
        # S3 denies no request, so its response was incomplete.
        return TransientError(
            f"{uri} could not be read: {_endpoint_name(credentials)}: {credentials.redact(summary)}"
        )
    return ValidationError(
        f"The Delta log of {uri} cannot be read: {credentials.redact(log_fault(summary) or summary)}"
    )


def access_error(uri: str, credentials: AwsCredentials, folder: str = "") -> AporiaError | None:
    """
    Return the exception for a request that S3 denies; None if it allows listing and reading below ``uri``.

    :param uri: ``s3://bucket/key``.
    :param credentials: Credentials for S3.
    :param folder: Folder below ``uri`` to read, with a trailing slash.
    """
    from botocore.exceptions import ClientError

    bucket, key = split_s3_uri(uri)
    prefix = "/".join(segment for segment in (key, folder) if segment)
    action = "s3:ListBucket"
    try:
        with botocore_errors_converted(uri, credentials):
            client = credentials.client()
            listing = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
            action = "s3:GetObject"
            for entry in listing.get("Contents", []):
                client.get_object(Bucket=bucket, Key=entry["Key"], Range="bytes=0-0")
    except ClientError as error:
        return response_error(error, bucket, prefix, action, credentials)
    except AporiaError as error:
        return error
    return None


@contextmanager
def botocore_errors_converted(uri: str, credentials: AwsCredentials) -> Iterator[None]:
    """
    Convert the errors that botocore raises for a missing or incomplete response of S3.

    :param uri: URI that is read.
    :param credentials: Credentials it is read with.
    :raises aporia_provider.errors.AuthenticationError: if there are no credentials.
    :raises aporia_provider.errors.TransientError: for all other of these errors. Error responses are not
        converted; see :func:`response_error`.
    """
    from botocore.exceptions import BotoCoreError, NoCredentialsError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except NoCredentialsError:
        raise AuthenticationError(f"{uri} could not be read: there are no AWS credentials") from None
    except (BotoCoreError, ResponseParserError, HTTPError, ConnectionError) as error:
        raise connection_error(uri, credentials, error) from None


def connection_error(uri: str, credentials: AwsCredentials, error: Exception) -> TransientError:
    """Return the exception for an error of botocore itself, such as a lost connection."""
    return TransientError(f"{uri} could not be read: {_endpoint_name(credentials)}: {type(error).__name__}")


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Return the bucket and the key of ``s3://bucket/key``."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.strip("/")


def local_path(uri: str) -> str:
    """Return the decoded path of ``file:///path``."""
    return unquote(uri.removeprefix("file://"))


def response_error(
    error: ClientError, bucket: str, prefix: str, action: str, credentials: AwsCredentials
) -> AporiaError | None:
    """
    Return the exception for an error response of S3; None if the object does not exist.

    :param error: The error response.
    :param bucket: Bucket of the request.
    :param prefix: Prefix or key of the request.
    :param action: IAM action of the request.
    :param credentials: Credentials of the request.
    """
    response: Any = error.response
    code, status = str(response["Error"].get("Code")), response["ResponseMetadata"].get("HTTPStatusCode")
    location = f"s3://{bucket}/{prefix}"
    if code in _EXPIRED:
        return AuthenticationError(
            f"{location}: the session token has expired; provide new credentials", status=status
        )
    if code in _REJECTED:
        return AuthenticationError(f"{location}: the credentials were rejected ({code})", status=status)
    if code in _DENIED:
        return _denied_error(str(response["Error"].get("Message")), bucket, prefix, action, status)
    if code == "NoSuchBucket":
        return NotFoundError(f"There is no bucket {bucket!r} at {_endpoint_name(credentials)}", status=status)
    if code in _WRONG_REGION:
        region = credentials.region or "none"
        return ValidationError(f"Bucket {bucket!r} is not in the configured region ({region})", status=status)
    if status in (429, 500, 502, 503, 504):
        return TransientError(f"{location} could not be read: {code}", status=status)
    return (
        None
        if code in ("NoSuchKey", "404", "InvalidRange", "416")
        else ValidationError(f"{location}: {code}")
    )


def _denied_error(message: str, bucket: str, prefix: str, action: str, status: int | None) -> AporiaError:
    # For objects encrypted with a KMS key, the denied action is not the requested action.
    kms_action = re.search(r"\bkms:\w+", message)
    denied_action = kms_action[0] if kms_action else action
    location = f"prefix {prefix!r} of bucket {bucket!r}"
    return AuthenticationError(
        f"AWS denies {denied_action} on {location}: allow it in the policy of the role or user", status=status
    )


def _aws_is_mocked() -> bool:
    models = sys.modules.get("moto.core.models")
    return bool(getattr(getattr(models, "botocore_stubber", None), "enabled", False))


def _endpoint_name(credentials: AwsCredentials) -> str:
    endpoint = credentials.endpoint_url
    return redact_url(endpoint) if endpoint else f"Amazon S3 ({credentials.region or 'default region'})"


def _summary(text: str) -> str:
    # delta-rs separates nested errors by arrows and appends a backtrace: the first line names the operation,
    # the last line before the backtrace names the cause.
    lines = [line.strip(" \t↳") for line in text.splitlines()]
    messages = [line for line in lines if line and not re.match(r"\d+: |at |<\?xml|<Error>", line)]
    return messages[0] if len(messages) < 2 else f"{messages[0]}: {messages[-1]}"

"""AWS credentials, and their form for delta-rs, the embedded engine and boto3."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import ValidationError
from aporia_provider.redaction import HIDDEN, redact_text, redact_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.loaders import Loader

_SECRETS = ("secret_access_key", "session_token")
# By default, delta-rs retries an unreachable endpoint for minutes. Airflow retries the task anyway.
_RETRY_OPTIONS = {"max_retries": "3", "retry_timeout": "20s", "connect_timeout": "5s"}
# Short, since the embedded engine sends a request up to eleven times and resumes interrupted responses.
_ENGINE_TIMEOUTS = {"AWS_CONNECT_TIMEOUT": "5s", "AWS_TIMEOUT": "6s"}
_READ_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, repr=False)
class AwsCredentials:
    """
    Credentials used to access S3. Without keys, each reader uses its default credentials: environment,
    profile, or the role of the machine.

    :param access_key_id: Access key id; requires ``secret_access_key``.
    :param secret_access_key: Secret access key. It is never shown.
    :param session_token: Session token of temporary credentials. It is never shown.
    :param region: Region of the buckets.
    :param endpoint_url: URL of an S3-compatible server, or of a VPC endpoint.
    :param anonymous: Whether to send unsigned requests, for public buckets.
    :param request_timeout: Timeout in seconds after which a request is repeated. Default: timeouts with which
        every reader gives up within two minutes.
    :raises aporia_provider.errors.ValidationError: if only one of the two keys is given.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    anonymous: bool = False
    request_timeout: float | None = None

    def __post_init__(self) -> None:
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise ValidationError(
                "access_key_id and secret_access_key must be set together: set both or neither"
            )

    def __repr__(self) -> str:
        values = (f"{item.name}={self._display_value(item.name)}" for item in fields(self))
        return f"{type(self).__name__}({', '.join(values)})"

    def _display_value(self, name: str) -> str:
        value = getattr(self, name)
        if value and name == "endpoint_url":
            return repr(redact_url(value))
        return f"'{HIDDEN}'" if value and name in _SECRETS else repr(value)

    @property
    def is_explicit_or_anonymous(self) -> bool:
        """True if the credentials are explicit or anonymous."""
        return self.anonymous or bool(self.access_key_id)

    def delta_options(self) -> dict[str, str]:
        """Return the storage options of delta-rs."""
        timeout = {"timeout": _milliseconds(self.request_timeout)} if self.request_timeout else {}
        return {**self._object_store(), **_RETRY_OPTIONS, **timeout}

    def engine_environment(self, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
        """
        Return the environment of a process that runs the embedded engine.

        :param inherited: Variables to start from. If the credentials are explicit or anonymous, all ``AWS_``
            variables except timeouts are dropped: a profile or a web identity of the machine could take
            precedence over the keys.
        """
        inherited_variables = {
            name: value
            for name, value in (inherited or {}).items()
            if name in _ENGINE_TIMEOUTS or not (self.is_explicit_or_anonymous and name.startswith("AWS_"))
        }
        variables = self._object_store()
        if self.request_timeout:
            variables["AWS_TIMEOUT"] = _milliseconds(self.request_timeout)
        if self.region:
            variables["AWS_DEFAULT_REGION"] = self.region
        if self.endpoint_url:
            variables["AWS_ENDPOINT"] = self.endpoint_url
        if self.is_explicit_or_anonymous:
            variables["AWS_EC2_METADATA_DISABLED"] = "true"
        return {**_ENGINE_TIMEOUTS, **inherited_variables, **variables}

    def client(self, service: str = "s3", *, connections: int = 10) -> Any:
        """
        Return a boto3 client with short timeouts and few retries.

        :param service: Name of the AWS service.
        :param connections: Size of the connection pool: the number of threads that can use the client
            concurrently.
        """
        import boto3
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config

        settings: dict[str, Any] = {
            "connect_timeout": 5,
            "read_timeout": self.request_timeout or _READ_TIMEOUT_SECONDS,
            "retries": {"total_max_attempts": 2},
            "max_pool_connections": connections,
        }
        if self.anonymous:
            settings["signature_version"] = UNSIGNED
        if self.endpoint_url:
            settings["s3"] = {"addressing_style": "path"}
        botocore_session = botocore.session.get_session()
        session = boto3.session.Session(**self._session_arguments(), botocore_session=botocore_session)
        botocore_session.register_component("data_loader", _shared_loader())
        return session.client(service, endpoint_url=self.endpoint_url, config=Config(**settings))  # type: ignore[call-overload]

    def redact(self, text: str) -> str:
        """Return ``text`` with the secrets, and the secrets in its URLs, replaced by ``***``."""
        for name in _SECRETS:
            if secret := getattr(self, name):
                text = text.replace(secret, HIDDEN)
        return redact_text(text)

    def _session_arguments(self) -> dict[str, Any]:
        return {
            "aws_access_key_id": self.access_key_id or None,
            "aws_secret_access_key": self.secret_access_key or None,
            "aws_session_token": self.session_token or None,
            "region_name": self.region or None,
        }

    def _object_store(self) -> dict[str, str]:
        options = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
            # Without a region, Sail requests the bucket's region from Amazon, even if another endpoint is
            # given.
            "AWS_REGION": self.region or ("us-east-1" if self.endpoint_url else None),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_SKIP_SIGNATURE": "true" if self.anonymous else None,
        }
        if self.endpoint_url:
            # Few other servers accept bucket.host names.
            options["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false"
            options["AWS_ALLOW_HTTP"] = "true" if self.endpoint_url.startswith("http://") else None
        return {name: value for name, value in options.items() if value}


@cache
def _shared_loader() -> Loader:
    """
    Return the loader of the descriptions of AWS services that all clients share.

    A session's own loader would parse these descriptions, which are large, again for each client.
    """
    import botocore.session

    loader: Loader = botocore.session.get_session().get_component("data_loader")
    return loader


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"

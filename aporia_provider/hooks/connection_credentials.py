"""AWS credentials of an Airflow connection."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aporia_provider.errors import AuthenticationError, TransientError
from aporia_provider.hooks.connection_lookup import creation_advice, missing_connection_message

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    from aporia_provider.lake.credentials import AwsCredentials


def credentials_of(hook: AwsBaseHook) -> AwsCredentials:
    """
    Return the credentials of a hook's connection.

    :param hook: The hook.
    :raises aporia_provider.errors.AuthenticationError: if there are none, or AWS refuses to issue them.
    :raises aporia_provider.errors.TransientError: if AWS does not respond.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    from aporia_provider.lake.credentials import AwsCredentials

    try:
        session = hook.get_session(region_name=hook.region_name)
        credentials = session.get_credentials()
        frozen = hook.get_credentials(region_name=hook.region_name) if credentials else None
    except (ConnectionError, HTTPClientError) as error:
        raise TransientError(
            f"AWS did not respond for connection {hook.aws_conn_id!r}: {_error_text(error)}"
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise AuthenticationError(f"Connection {hook.aws_conn_id!r}: {_error_text(error)}") from None
    if frozen is None:
        raise AuthenticationError(_no_credentials(hook))
    return AwsCredentials(
        access_key_id=frozen.access_key,
        secret_access_key=frozen.secret_key,
        session_token=frozen.token,
        # Readers use only the values given here; environment variables for other readers have no effect.
        region=session.region_name or os.environ.get("AWS_REGION"),
        endpoint_url=hook.conn_config.get_service_endpoint_url("s3") or _endpoint_of_environment(),
    )


def _error_text(error: Exception) -> str:
    from aporia_provider.redaction import redact_text

    return redact_text(str(error))


def _no_credentials(hook: AwsBaseHook) -> str:
    conn_id = hook.aws_conn_id
    ambient = "the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
    if conn_id is None:
        return f"There are no AWS credentials: boto3 found none. Set {ambient}, or name an aws_conn_id"
    if not hook.conn_config:
        return (
            f"{missing_connection_message(conn_id)}; and boto3 found no credentials either. Create it "
            f"({creation_advice(conn_id, 'aws')}), or pass aws_conn_id=None and give boto3 {ambient}"
        )
    return (
        f"Connection {conn_id!r} has no login, and boto3 found no credentials either. Put the access key id "
        "into its login and the secret access key into its password, or name a profile_name or a role_arn in "
        f"its extra, or give boto3 {ambient}"
    )


def _endpoint_of_environment() -> str | None:
    """Return the endpoint that boto3 would use."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None

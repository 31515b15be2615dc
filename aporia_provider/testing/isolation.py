"""Environment variables that isolate a test from real deployments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from aporia_provider.testing.s3 import LocalS3

_LOOPBACK = "127.0.0.1"


def use_aws_connection(environment: pytest.MonkeyPatch, s3: LocalS3) -> None:
    """Configure ``s3`` as the connection ``aws_default``, and remove all other AWS credentials."""
    use_environment_connections(environment)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        environment.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        environment.setenv(name, os.devnull)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    environment.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.connection_json())
    for name in ("NO_PROXY", "no_proxy"):
        environment.setenv(name, ",".join(filter(None, (os.environ.get(name), _LOOPBACK))))


def use_embedded_backend(environment: pytest.MonkeyPatch, database_url: str) -> None:
    """
    Configure hooks and operators to use the embedded backend with this database, and the embedded engine.
    """
    use_environment_connections(environment)
    environment.setenv("AIRFLOW__APORIA__DATABASE_URL", database_url)
    environment.setenv("AIRFLOW__APORIA__ENGINE", "embedded")
    # A connection without a server, which takes precedence over the deployment's connection.
    environment.setenv("AIRFLOW_CONN_APORIA_DEFAULT", '{"conn_type": "aporia"}')


def use_environment_connections(environment: pytest.MonkeyPatch) -> None:
    """
    Configure Airflow to search for connections in the environment, not in the deployment's secrets backend.
    """
    try:
        from airflow.sdk import configuration
    except ImportError:
        # Airflow 3.1, which caches no secrets backend of tasks.
        from airflow import configuration  # type: ignore[no-redef]

    environment.setenv("AIRFLOW__SECRETS__BACKEND", "")
    environment.setenv("AIRFLOW__WORKERS__SECRETS_BACKEND", "")
    # Airflow caches the secrets backend for the lifetime of the process.
    environment.setattr(configuration, "_secrets_backend_cache", {}, raising=False)

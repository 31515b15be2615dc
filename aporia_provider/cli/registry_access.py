"""Options of commands that open the embedded backend, and the backend that they name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.backend.freshness.tables import FindCredentials


def with_common_options(parsers: list[ArgumentParser]) -> list[ArgumentParser]:
    """Add the options ``--environment`` and ``--json``; the caller adds ``--database-url``."""
    for parser in parsers:
        parser.add_argument("--environment", help="default: [aporia] environment of Airflow's configuration")
        parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    return parsers


@contextmanager
def opened_registry(options: Namespace) -> Iterator[EmbeddedRegistry]:
    """Open the embedded backend of the options."""
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry

    url = options.database_url or settings.database_url()
    with EmbeddedRegistry(url, options.environment or settings.environment()) as registry:
        yield registry


def find_credentials(aws_conn_id: str | None) -> FindCredentials:
    """Return a function that returns the credentials of a connection; None stands for the environment."""
    from aporia_provider.lake.credentials import AwsCredentials

    if aws_conn_id is None:
        return AwsCredentials
    from aporia_provider.hooks.delta_lake import DeltaLakeHook

    return DeltaLakeHook(aws_conn_id).get_credentials

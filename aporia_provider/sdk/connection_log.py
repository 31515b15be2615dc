"""Log messages that name the server or embedded backend of a session."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.client import AporiaClient
    from aporia_provider.hooks.aporia import AporiaHook

log = logging.getLogger(__name__)

_logged: set[str] = set()


def forget_logged() -> None:
    """Reset the record of logged backends, so that the next call logs its backend again."""
    _logged.clear()


def log_answering(api: AporiaClient | EmbeddedRegistry, hook: AporiaHook | None = None) -> None:
    """
    Log the server or embedded backend once, with a warning if it may not be the intended one.

    :param api: The server or embedded backend.
    :param hook: Hook of the Airflow connection; None if ``init`` named a server.
    """
    answering = _described(api)
    if answering in _logged:
        return
    _logged.add(answering)
    if hook is None or not hook.has_connection():
        log.info("Calls use %s", answering)
        _warn_of_default(answering, hook)
    else:
        log.info("Calls use %s, as set in connection %r", answering, hook.aporia_conn_id)


def _described(api: AporiaClient | EmbeddedRegistry) -> str:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.backend.store.database_urls import display_url

    if isinstance(api, EmbeddedRegistry):
        return (
            f"the embedded backend, database {display_url(api.database.url)}, environment {api.environment!r}"
        )
    return f"the server {api.base_url}"


def _warn_of_default(answering: str, hook: AporiaHook | None) -> None:
    from aporia_provider import settings
    from aporia_provider.hooks.connection_lookup import (
        environment_variable,
        script_connections,
        sees_stored_connections,
    )

    if hook is None or settings.has_database_url() or sees_stored_connections():
        return
    conn_id = hook.aporia_conn_id
    log.warning(
        "No Airflow connection %r was found, so calls use %s. A connection created with 'airflow "
        "connections add' is not found here: %s. To reach a server, set %s, or pass token, host and "
        "environment to init; to use the embedded backend, set [aporia] database_url",
        conn_id,
        answering,
        script_connections(conn_id),
        environment_variable(conn_id),
    )

"""Hooks that use a session of the SDK instead of an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aporia_provider import settings
from aporia_provider.errors import ValidationError
from aporia_provider.hooks.metrics import MetricsHook
from aporia_provider.hooks.sync import SyncHook
from aporia_provider.sdk.session import Session

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.client import AporiaClient


class SessionMetricsHook(MetricsHook):
    """
    Hook that queries metrics.

    :param session: Session with the server or embedded backend.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session.aporia_conn_id or MetricsHook.default_conn_name)
        self._session = session

    def get_conn(self) -> AporiaClient | EmbeddedRegistry:
        """Open the API. Close it with ``with`` or ``close()``."""
        return self._session.open()


class SessionSyncHook(SyncHook):
    """
    Hook that syncs datasets of the embedded backend.

    :param session: Session with the embedded backend, AWS connection and Spark connection.
    """

    def __init__(self, session: Session) -> None:
        conn_id = session.aporia_conn_id or SyncHook.default_conn_name
        super().__init__(conn_id, session.aws_conn_id, session.spark_conn_id)
        self._session = session

    def get_conn(self) -> EmbeddedRegistry:
        """
        Open the embedded backend. Close it with ``with`` or ``close()``.

        :raises aporia_provider.errors.ValidationError: if the session uses a server.
        """
        from aporia_provider.backend.embedded import EmbeddedRegistry

        api = self._session.open()
        if isinstance(api, EmbeddedRegistry):
            # A server that shares the database may have registered datasets, so its restrictions apply.
            api.allowed_local_folders = settings.allowed_local_folders() or None
            return api
        api.close()
        raise ValidationError(
            "Syncs cannot be started through a server. To sync the datasets of 'aporia-provider serve', "
            "set [aporia] database_url to its database, and run dags/monitor_models.py, or call sync() "
            "without token, host and connection. Other servers start syncs themselves"
        )

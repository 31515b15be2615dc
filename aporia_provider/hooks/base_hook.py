"""Base class of hooks, which finds connections also outside of the tasks of Airflow 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import BaseHook

from aporia_provider.hooks.connection_lookup import TASK_RUNNER, sees_stored_connections

if TYPE_CHECKING:
    from airflow.sdk import Connection


class ProviderHook(BaseHook):
    """
    Base class of the hooks of this provider.

    Airflow 3.1 raises an ``ImportError`` outside of tasks, such as in scripts, if a connection is not defined
    in an environment variable or a secrets backend; newer versions raise ``AirflowNotFoundException``. These
    hooks raise it in all versions.
    """

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """
        Return a connection.

        :raises airflow.sdk.exceptions.AirflowNotFoundException: if it is not available in this process.
        """
        try:
            return super().get_connection(conn_id)
        except ImportError as error:
            if not _is_without_supervisor(error):
                raise
            raise AirflowNotFoundException(f"The conn_id {conn_id!r} is not defined") from None

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Connection:
        """Return a connection, see :meth:`get_connection`."""
        try:
            return await super().aget_connection(conn_id)
        except ImportError as error:
            if not _is_without_supervisor(error):
                raise
        # Airflow 3.1 fails before it reads environment variables.
        return cls.get_connection(conn_id)


def _is_without_supervisor(error: ImportError) -> bool:
    """Return whether Airflow failed to import the supervisor of a task, in a process that has none."""
    return error.name == TASK_RUNNER and not sees_stored_connections()

"""Availability of Airflow connections in the current process, and the related error messages."""

from __future__ import annotations

import os
import sys

TASK_RUNNER = "airflow.sdk.execution_time.task_runner"
"""Module with the connection to the supervisor of a task."""


def sees_stored_connections() -> bool:
    """
    Return whether connections stored in Airflow's metadata database are available.

    They are available in tasks and triggers, which request them from the API server through their supervisor,
    and in Airflow's own servers. Other processes, such as scripts and notebooks, have access only to
    connections defined in environment variables and secrets backends.
    """
    # Same conditions as ensure_secrets_backend_loaded in airflow.sdk.execution_time.supervisor. A process
    # that has not imported the module does not run a task.
    supervisor = getattr(sys.modules.get(TASK_RUNNER), "SUPERVISOR_COMMS", None)
    return supervisor is not None or os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server"


def environment_variable(conn_id: str) -> str:
    """Return the name of the environment variable that defines a connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def script_connections(conn_id: str) -> str:
    """Return a phrase on where connections are found outside of tasks, with the variable for this one."""
    return (
        "outside of tasks, Airflow finds connections only in environment variables "
        f"({environment_variable(conn_id)}) and secrets backends"
    )


def missing_connection_message(conn_id: str) -> str:
    """
    Return a message that a connection is missing; outside of tasks, it names the locations that were
    searched.
    """
    if sees_stored_connections():
        return f"There is no Airflow connection {conn_id!r}"
    return f"There is no Airflow connection {conn_id!r} for this process: {script_connections(conn_id)}"


def creation_advice(conn_id: str, conn_type: str) -> str:
    """Return the ways to create a connection such that this process can read it."""
    variable = (
        f"""the environment variable {environment_variable(conn_id)}='{{"conn_type": "{conn_type}", …}}'"""
    )
    if sees_stored_connections():
        return f"airflow connections add {conn_id} --conn-type {conn_type} …, or {variable}"
    return variable

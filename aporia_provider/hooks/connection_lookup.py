"""Where Airflow looks for connections in this process, and what to say of one that it does not find."""

from __future__ import annotations

import os
import sys

_TASK_RUNNER = "airflow.sdk.execution_time.task_runner"


def sees_stored_connections() -> bool:
    """
    Whether Airflow looks for connections in its metadata database as well.

    It does so in a task and in a trigger, which ask the API server through their supervisor, and in its own
    servers. Any other process, such as a script or a notebook, sees only those of environment variables and
    of secrets backends.
    """
    # The conditions of ensure_secrets_backend_loaded in airflow.sdk.execution_time.supervisor. A process in
    # which nobody has imported the module is none of a task.
    supervisor = getattr(sys.modules.get(_TASK_RUNNER), "SUPERVISOR_COMMS", None)
    return supervisor is not None or os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server"


def variable_of(conn_id: str) -> str:
    """Name of the environment variable that defines a connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def what_scripts_see(conn_id: str) -> str:
    """Which connections a process sees that is no task, with the variable that would define this one."""
    return (
        "outside a task Airflow sees only connections of environment variables "
        f"({variable_of(conn_id)}) and secrets backends"
    )


def there_is_no(conn_id: str) -> str:
    """The sentence that a connection is missing; outside a task it says where Airflow has looked."""
    if sees_stored_connections():
        return f"There is no Airflow connection {conn_id!r}"
    return (
        f"There is no Airflow connection {conn_id!r} that this process can see: {what_scripts_see(conn_id)}"
    )


def ways_to_create(conn_id: str, conn_type: str) -> str:
    """The ways to create a connection that this process will see."""
    variable = f"""the environment variable {variable_of(conn_id)}='{{"conn_type": "{conn_type}", …}}'"""
    if sees_stored_connections():
        return f"airflow connections add {conn_id} --conn-type {conn_type} …, or {variable}"
    return variable

"""A real Airflow on loopback with PostgreSQL: API server, scheduler and DAG processor, each a process."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy

from tests import servers

AIRFLOW = Path(sys.executable).with_name("airflow")
SECONDS = 300
COMPONENTS = ("api-server", "dag-processor", "scheduler")


@dataclass
class Deployment:
    """A running Airflow, spoken to through its public API."""

    home: Path
    url: str
    database_url: str
    token: str = ""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def run(self, dag_id: str) -> dict[str, Any]:
        """Run the DAG to its end; its task instances by id."""
        return self.finish(self.start(dag_id))

    def start(self, dag_id: str) -> str:
        """Start a run of the DAG; the path of its run."""
        self.eventually(lambda: self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False}))
        run_id = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
        return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"

    def finish(self, place: str) -> dict[str, Any]:
        """Wait for the end of a run; its task instances by id."""
        self.eventually(lambda: self.call("GET", place)["state"] in ("success", "failed"))
        instances = self.call("GET", f"{place}/taskInstances")["task_instances"]
        return {instance["task_id"]: {**instance, "place": place} for instance in instances}

    def links(self, instance: dict[str, Any]) -> dict[str, str | None]:
        """The links of a task instance, by name."""
        links: dict[str, str | None] = self.call("GET", f"{_path(instance)}/links")["extra_links"]
        return links

    def result(self, instance: dict[str, Any]) -> Any:
        """What a task instance returned."""
        return self.call("GET", f"{_path(instance)}/xcomEntries/return_value")["value"]

    def dump_database(self) -> Path:
        """Write the rows of all tables to a file in the home folder, as text."""
        engine = sqlalchemy.create_engine(self.database_url)
        path = self.home / "airflow.dump"
        with engine.connect() as connection, path.open("w") as dump:
            # Text that is stored as bytes stays readable.
            connection.execute(sqlalchemy.text("SET bytea_output = 'escape'"))
            for table in sqlalchemy.inspect(connection).get_table_names():
                rows = connection.execute(sqlalchemy.text(f'SELECT t::text FROM "{table}" t')).scalars()
                dump.writelines(f"{table} {row}\n" for row in rows)
        engine.dispose()
        return path

    def failures(self, instances: dict[str, Any]) -> str:
        """The last lines of the logs of the task instances that failed."""
        failed = [name for name, instance in instances.items() if instance["state"] == "failed"]
        logs = [path for name in failed for path in self.home.glob(f"logs/**/task_id={name}/**/*.log*")]
        return "\n".join(f"{path}\n{path.read_text()[-8000:]}" for path in logs)

    def eventually(self, ask: Any, seconds: float = SECONDS) -> Any:
        """Ask until there is an answer that is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if answer := ask():
                    return answer
            except (urllib.error.HTTPError, OSError):
                pass
            # Each request takes the API server as long as a small task.
            time.sleep(1)
        raise TimeoutError(f"Airflow did not get there in {seconds} s; see {self.home}")


def _path(instance: dict[str, Any]) -> str:
    return f"{instance['place']}/taskInstances/{instance['task_id']}"


@contextmanager
def deployed(
    home: Path, dags: Path, *, more_components: Sequence[str] = (), **settings: str
) -> Iterator[Deployment]:
    """
    Run an Airflow until the block ends, with a database of its own.

    The database is PostgreSQL: with SQLite, which has one writer at a time, components fail at times because
    another one holds the lock.
    """
    with servers.postgres() as database_url:
        yield from _running(home, dags, database_url, more_components, settings)


def _running(
    home: Path, dags: Path, database_url: str, more_components: Sequence[str], settings: Mapping[str, str]
) -> Iterator[Deployment]:
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        # The driver works for both kinds of connections.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database_url,
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        # The files do not change; the default is to parse them every 30 seconds.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        # A task fails if one request takes longer; the default is 5 seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # Otherwise, each component that starts in an empty folder makes a key of its own.
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(b"a key of this test deployment 32").decode(),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-test-deployment",
        **settings,
    }
    migration = [AIRFLOW, "db", "migrate"]
    subprocess.run(migration, check=True, capture_output=True, timeout=170, env=environment)
    airflow = Deployment(home, url, database_url)
    components = [_started(name, environment) for name in (*COMPONENTS, *more_components)]
    try:
        airflow.token = airflow.eventually(lambda: airflow.call("GET", "/auth/token")["access_token"])
        yield airflow
    finally:
        _stop(components)


def _started(name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with Path(environment["AIRFLOW_HOME"], f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [AIRFLOW, name], env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _stop(components: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop all of them at once: each takes some seconds."""
    for running in components:
        os.killpg(running.pid, signal.SIGTERM)
    end = time.monotonic() + 20
    for running in components:
        try:
            running.wait(max(0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(10)

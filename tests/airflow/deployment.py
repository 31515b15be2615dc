"""A real Airflow on loopback: API server, scheduler and DAG processor, each a process of its own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import servers

AIRFLOW = Path(sys.executable).with_name("airflow")
SECONDS = 150
COMPONENTS = ("api-server", "dag-processor", "scheduler")


@dataclass
class Deployment:
    """A running Airflow, spoken to through its public API."""

    home: Path
    url: str
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
    home: Path, dags: Path, migrated: Path, *, more_components: Sequence[str] = (), **settings: str
) -> Iterator[Deployment]:
    """Run an Airflow until the block ends, with a copy of the migrated database."""
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        # SQLite's own patience of 5 seconds is short where all components share two cores.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
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
    shutil.copy(migrated, home / "airflow.db")
    airflow = Deployment(home, url)
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

"""An Airflow on this machine: an API server and a scheduler, which runs tasks in processes that it forks."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_commands import run, start

T = TypeVar("T")
ENDED = ("success", "failed")


class Deployment:
    """The running Airflow, which is called through its public API."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._token = ""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request; what it returns."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._url + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def eventually(self, ask: Callable[[], T | None], seconds: float = 300) -> T:
        """Ask until there is an answer."""
        end = time.monotonic() + seconds
        problem: Exception | None = None
        while time.monotonic() < end:
            try:
                if answer := ask():
                    return answer
            except OSError as error:
                # The server may not listen yet.
                problem = error
            time.sleep(0.5)
        sys.exit(f"Airflow did not get there in {seconds:.0f} s ({problem}); see its logs")

    def wait_until_ready(self) -> None:
        """Wait for the server; its first request of a task takes some seconds, so it is made now."""
        self._token = self.eventually(lambda: self.call("GET", "/auth/token")["access_token"])
        self.eventually(lambda: self.call("GET", "/execution/health"))

    def unpause(self, dag_id: str, *, is_paused: bool = False) -> None:
        """Let the scheduler run a DAG, or no longer."""
        self.eventually(lambda: self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": is_paused}))

    def trigger(self, dag_id: str, logical_date: str | None = None) -> str:
        """Start a run; its path."""
        place = f"/api/v2/dags/{dag_id}/dagRuns"
        run_id = self.call("POST", place, {"logical_date": logical_date})["dag_run_id"]
        return f"{place}/{quote(run_id)}"

    def first_run(self, dag_id: str) -> str:
        """Wait until the scheduler has started a run of a DAG; its path."""
        place = f"/api/v2/dags/{dag_id}/dagRuns"
        runs = self.eventually(lambda: self.call("GET", place)["dag_runs"])
        return f"{place}/{quote(runs[0]['dag_run_id'])}"

    def state(self, run: str, task_id: str) -> str | None:
        """The state of a task of a run."""
        state: str | None = self.call("GET", f"{run}/taskInstances/{task_id}")["state"]
        return state

    def finish(self, run: str) -> dict[str, str]:
        """Wait for the end of a run; the states of its tasks by id."""
        state = self.eventually(lambda: self._ended(run))
        found = self.call("GET", f"{run}/taskInstances")["task_instances"]
        states = {instance["task_id"]: instance["state"] for instance in found}
        if state == "failed":
            sys.exit(f"{run} failed: {states}; see Airflow's logs")
        return states

    def result(self, run: str, task_id: str) -> Any:
        """What a task returned."""
        path = f"{run}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.call("GET", path)["value"]

    def _ended(self, run: str) -> str | None:
        state: str = self.call("GET", run)["state"]
        return state if state in ENDED else None


@contextmanager
def api_server(url: str, log: Path) -> Iterator[Deployment]:
    """Start the API server, and stop it after the block."""
    with _running("api-server", log=log):
        yield Deployment(url)


@contextmanager
def scheduler(logs: Path) -> Iterator[None]:
    """Store the DAGs, start the scheduler, and stop it after the block, with its tasks."""
    run("dags", "reserialize", log=logs / "dags.log")
    with _running("scheduler", "--skip-serve-logs", log=logs / "scheduler.log"):
        yield


@contextmanager
def _running(*arguments: str, log: Path) -> Iterator[None]:
    """Start a command, and stop it after the block, with the processes that it has started."""
    process = start(*arguments, log=log)
    try:
        yield
    finally:
        os.killpg(process, signal.SIGTERM)
        os.waitpid(process, 0)

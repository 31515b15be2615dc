"""In-memory implementation of the requests that a task sends to Airflow's API server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from airflow.sdk.api.datamodels._generated import DagRun

_NO_DATABASE = "{method} {path} requires a metadata database, which this test does not have"


@dataclass
class ExecutionApi:
    """
    The parts of the execution API that concern a single task: its start, its end, and XComs.

    Connections and variables are not found here; Airflow searches the environment for them first.

    :param dag_id: Id of the DAG.
    :param run_id: Id of the DAG run.
    :param now: Start of the DAG run.
    :param logical_date: Logical date of the DAG run, if it has one.
    :param conf: Configuration of the DAG run.
    :param xcoms: Serialized XComs by DAG, run, task and key.
    """

    dag_id: str
    run_id: str
    now: datetime
    logical_date: datetime | None = None
    conf: dict[str, Any] | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)

    def transport(self) -> httpx.MockTransport:
        """Return the transport for the client of the execution API."""
        return httpx.MockTransport(self._respond)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        kind, _, path = request.url.path.strip("/").partition("/")
        if kind == "xcoms":
            return self._xcom(request, path)
        if kind == "task-instances" and path.endswith("/run"):
            context = {"dag_run": self._dag_run(), "max_tries": 0, "should_retry": False}
            return httpx.Response(200, json=context)
        if path.endswith("/validate-inlets-and-outlets"):
            return httpx.Response(200, json={"inactive_assets": []})
        if kind == "asset-events":
            return httpx.Response(200, json={"asset_events": []})
        if request.method == "GET":
            return _not_found(_NO_DATABASE.format(method=request.method, path=request.url.path))
        return httpx.Response(200, json={"ok": True})

    def _xcom(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "POST":
            self.xcoms[path] = json.loads(request.content or "null")
        elif request.method == "DELETE":
            self.xcoms.pop(path, None)
        elif path not in self.xcoms:
            return _not_found(f"There is no XCom {path}")
        key = path.rpartition("/")[2]
        return httpx.Response(200, json={"key": key, "value": self.xcoms.get(path)})

    def _dag_run(self) -> dict[str, Any]:
        date = self.logical_date and self.logical_date.isoformat()
        values: dict[str, Any] = {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "logical_date": date,
            "data_interval_start": date,
            "data_interval_end": date,
            "run_after": self.now.isoformat(),
            "start_date": self.now.isoformat(),
            "end_date": None,
            "run_type": "manual",
            "state": "running",
            "conf": self.conf,
            "consumed_asset_events": [],
            "partition_key": None,
        }
        # Versions of Airflow have different fields, and reject unknown ones.
        return {name: value for name, value in values.items() if name in DagRun.model_fields}


def _not_found(message: str) -> httpx.Response:
    return httpx.Response(404, json={"detail": {"reason": "not_found", "message": message}})

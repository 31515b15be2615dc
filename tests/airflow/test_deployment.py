"""Whole DAG runs in a real Airflow, with our server, a real S3, and secrets planted wherever one can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests import servers
from tests.airflow.deployment import SECONDS, Deployment, deployed
from tests.airflow.proxies import Killer, Stalling

# Of the first test, it takes in the start of the deployment.
pytestmark = [pytest.mark.timeout(600), pytest.mark.very_slow]

TABLE_LINK = "https://s3.console.aws.amazon.com/s3/buckets/planted?prefix=table/"
CLI = Path(sys.executable).with_name("aporia-provider")
SECRETS = {
    name: f"planted-{name.lower().replace('_', '-')}-8c1f"
    for name in (
        "PLANTED_OPTION",
        "PLANTED_URL",
        "PLANTED_PASSWORD",
        "PLANTED_EXTERNAL_ID",
        "PLANTED_CONNECTION",
        "PLANTED_WRONG_TOKEN",
        "PLANTED_AWS_SECRET",
        "PLANTED_WRONG_AWS_SECRET",
        "PLANTED_ENGINE_TOKEN",
    )
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deployment")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[tuple[int, str]]:
    """Port of our server, and a token of environment ``prod``."""
    url = f"sqlite:///{home / 'server' / 'server.db'}"
    create = [CLI, "token", "create", "--environment", "prod", "--name", "test", "--database-url", url]
    token = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
    port = servers.free_port()
    serve = [str(CLI), "serve", "--host", "127.0.0.1", "--port", str(port), "--database-url", url]
    with servers.process(serve, ready=f"http://127.0.0.1:{port}/health"):
        yield port, token


@pytest.fixture(scope="module")
def killer(server: tuple[int, str]) -> Iterator[Killer]:
    killer = Killer(f"http://127.0.0.1:{server[0]}")
    yield killer
    killer.stop()


@pytest.fixture(scope="module")
def table(s3_endpoint: str) -> str:
    import boto3

    keys = {"aws_access_key_id": servers.S3_KEY, "aws_secret_access_key": servers.S3_SECRET}
    boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **keys).create_bucket(
        Bucket="planted"
    )
    at = pa.array([0], pa.timestamp("us", "UTC"))
    rows = pa.table({"id": ["a"], "at": at, "amount": [1.0], "proba": [0.5]})
    options = {f"AWS_{key[4:].upper()}": value for key, value in keys.items()}
    options |= {"AWS_ENDPOINT_URL": s3_endpoint, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
    write_deltalake("s3://planted/table", rows, storage_options=options)
    return "s3://planted/table"


@pytest.fixture(scope="module")
def stalling(s3_endpoint: str) -> Iterator[Stalling]:
    server = Stalling(s3_endpoint, SECONDS)
    yield server
    server.stop()


def connections(
    s3_endpoint: str, port: int, token: str, killer_port: int, stalling_port: int
) -> dict[str, str]:
    def aporia(port: int, token: str) -> dict[str, Any]:
        extra = {"environment": "prod"}
        return {"conn_type": "aporia", "host": f"http://127.0.0.1:{port}", "password": token, "extra": extra}

    def aws(secret: str, endpoint: str) -> dict[str, Any]:
        extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
        return {"conn_type": "aws", "login": servers.S3_KEY, "password": secret, "extra": extra}

    nowhere = f"http://127.0.0.1:{servers.free_port()}"
    defined = {
        "aporia_default": aporia(port, token),
        "aporia_embedded": {"conn_type": "aporia", "extra": {"environment": "prod"}},
        "aporia_killer": aporia(killer_port, token),
        "aporia_wrong_token": aporia(port, SECRETS["PLANTED_WRONG_TOKEN"]),
        "aws_default": aws(SECRETS["PLANTED_AWS_SECRET"], s3_endpoint),
        "aws_stalling": aws(SECRETS["PLANTED_AWS_SECRET"], f"http://127.0.0.1:{stalling_port}"),
        "aws_wrong_key": aws(SECRETS["PLANTED_WRONG_AWS_SECRET"], nowhere),
        "warehouse": {"conn_type": "postgres", "login": "reader", "password": SECRETS["PLANTED_CONNECTION"]},
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in defined.items()}


@pytest.fixture(scope="module")
def airflow(
    home: Path,
    server: tuple[int, str],
    killer: Killer,
    stalling: Stalling,
    s3_endpoint: str,
    table: str,
) -> Iterator[Deployment]:
    port, token = server
    defined = connections(s3_endpoint, port, token, killer.server_port, stalling.server_port)
    settings = {**SECRETS, "TABLE": table, **defined}
    with deployed(home, Path(__file__).parent / "dags", **settings) as running:
        yield running


def planted_in(home: Path, *more: str) -> list[tuple[Path, str]]:
    """The secrets that lie in any file of the deployment."""
    secrets = [*SECRETS.values(), *more]
    found = []
    for path in files_of(home):
        # The deployment goes on meanwhile, and some files of it are there for a moment only.
        with suppress(FileNotFoundError):
            content = path.read_bytes()
            found += [(path, secret) for secret in secrets if secret.encode() in content]
    return found


def files_of(home: Path) -> list[Path]:
    """The files of the deployment; unlike rglob, this does not mind a folder that vanishes."""
    paths = (Path(folder, name) for folder, _, names in os.walk(home) for name in names)
    return [path for path in paths if path.is_file()]


def test_no_secret_is_anywhere_after_a_whole_run(
    airflow: Deployment, server: tuple[int, str], home: Path
) -> None:
    instances = airflow.run("planted")
    failed = {"wrong_token", "wrong_key"}
    states = {name: instance["state"] for name, instance in instances.items()}
    assert states == {name: "failed" if name in failed else "success" for name in instances}
    assert set(instances) == failed | {
        "model",
        "version",
        "serving",
        "training",
        "testing",
        "actuals",
        "grant",
    }

    dump = airflow.dump_database()
    assert "wrong_token" in dump.read_text()
    seen = files_of(home)
    assert any("task_id=wrong_token" in str(path) for path in seen)
    assert {"airflow.dump", "server.db", "scheduler.log"} <= {path.name for path in seen}
    assert planted_in(home, server[1]) == []

    for name in ("serving", "wrong_key"):
        # One that failed shows the links as well.
        assert airflow.links(instances[name]) == {
            "Registered versions": f"http://127.0.0.1:{server[0]}/v1beta/models/planted/versions",
            "Data on S3": TABLE_LINK,
            "Model health": None,
        }
    assert airflow.links(instances["actuals"])["Data on S3"] is None
    shown = json.dumps(instances)
    assert "***" in shown
    assert not [secret for secret in (*SECRETS.values(), server[1]) if secret in shown]


def test_a_task_killed_before_the_server_answers_succeeds_on_retry(
    airflow: Deployment, killer: Killer
) -> None:
    version = airflow.run("killed")["version"]
    assert len(killer.killed) == 1
    assert (version["state"], version["try_number"]) == ("success", 2)
    place = f"{version['place']}/taskInstances/version/xcomEntries/return_value"
    assert airflow.call("GET", place)["value"]["status"] == "unchanged"


# Events and their consumers: test_events.py, with the scheduler's own function that creates runs.
@pytest.mark.long
def test_a_consumer_runs_once_for_a_version_of_a_model_that_is_known_when_the_dag_runs(
    airflow: Deployment,
) -> None:
    airflow.eventually(lambda: airflow.call("PATCH", "/api/v2/dags/checks", {"is_paused": False}))
    instances = airflow.run("retrained")
    assert {name: instance["state"] for name, instance in instances.items()} == dict.fromkeys(
        ("model", "version", "serving", "complete"), "success"
    )
    place = instances["version"]["place"]
    run = airflow.call("GET", place)
    name = datetime.fromisoformat(run["run_after"]).strftime("%Y%m%dT%H%M%S")
    assert (run["logical_date"], airflow.result(instances["version"])["model_version"]) == (None, name)
    # The embedded backend has no address, and what has no target is not shown.
    page = {"Model health": f"{airflow.url}/aporia/models/retrained"}
    assert airflow.links(instances["serving"]) == {
        "Registered versions": None,
        "Data on S3": TABLE_LINK,
        **page,
    }
    assert airflow.links(instances["complete"]) == {"Registered versions": None, **page}

    (check,) = airflow.eventually(lambda: airflow.call("GET", "/api/v2/dags/checks/dagRuns")["dag_runs"])
    checked = airflow.finish(f"/api/v2/dags/checks/dagRuns/{quote(check['dag_run_id'])}")
    assert airflow.result(checked["check"]) == [name]

    # A task that is cleared and runs again finds the same version.
    clear = {
        "dry_run": False,
        "dag_run_id": run["dag_run_id"],
        "task_ids": ["version"],
        "only_failed": False,
    }
    airflow.call("POST", "/api/v2/dags/retrained/clearTaskInstances", clear)
    again = airflow.finish(place)["version"]
    assert (again["state"], again["try_number"]) == ("success", 2)
    result = airflow.result(again)
    assert (result["model_version"], result["status"]) == (name, "unchanged")
    # The task that registers has emitted an event once more, but no version was completed.
    assert airflow.call("GET", "/api/v2/dags/checks/dagRuns")["total_entries"] == 1


# Progress and secrets of syncs: test_sync_operator.py, test_sync_datasets.py.
@pytest.mark.long
def test_a_sync_shows_its_progress_and_no_secret(airflow: Deployment, home: Path) -> None:
    instances = airflow.run("syncs")
    failed = {"wrong_engine", "wrong_key"}
    states = {name: instance["state"] for name, instance in instances.items()}
    assert states == {name: "failed" if name in failed else "success" for name in instances}
    place = f"{instances['sync']['place']}/taskInstances/sync"
    value = airflow.call("GET", f"{place}/xcomEntries/return_value")["value"]
    assert (value["changed"], value["rows"], value["table_version"]) == (True, 1, 0)

    (log,) = (path for path in home.rglob("task_id=sync/*.log") if "dag_id=syncs" in str(path))
    said = log.read_text()
    assert "serving dataset: first sync; reading all rows" in said
    assert "Table version none -> 0, lag 0: 1 rows in 1 buckets" in said
    (log,) = home.rglob("task_id=wrong_engine/*.log")
    assert "127.0.0.1:1" in log.read_text()
    airflow.dump_database()
    assert planted_in(home) == []
    assert not [secret for secret in SECRETS.values() if secret in json.dumps(instances)]


def test_a_task_killed_while_it_syncs_takes_its_engine_with_it(
    airflow: Deployment, stalling: Stalling, home: Path
) -> None:
    def engines() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _is_engine_of(process, home)]

    place = airflow.start("stalled")
    assert stalling.asked.wait(SECONDS)
    (engine,) = airflow.eventually(engines)
    airflow.call("PATCH", f"{place}/taskInstances/sync", {"new_state": "failed"})
    engine.wait(60)
    assert airflow.finish(place)["sync"]["state"] == "failed"


def _is_engine_of(process: psutil.Process, home: Path) -> bool:
    """Whether a process is an engine that a task of the deployment has started."""
    try:
        if "aporia_provider.engine.embedded.server" not in process.cmdline():
            return False
        parents = process.parents()
    except psutil.Error:
        return False
    return any(_has_home(parent, home) for parent in parents)


def _has_home(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get("AIRFLOW_HOME") == str(home)
    except psutil.Error:
        return False

"""
The shipped DAGs in a real Airflow, with its triggerer: drifted data leads to a retrain, and a person decides.

After the first registration, Airflow starts all DAGs by itself; the test commits data and answers a question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pandas as pd
import pytest
import sqlalchemy
from deltalake import DeltaTable, write_deltalake

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import NotFoundError
from aporia_provider.monitor_definitions import MonitorDefinition
from tests import servers
from tests.airflow.deployment import Deployment, deployed

pytestmark = [pytest.mark.timeout(1200), pytest.mark.very_slow]

MODEL = "employment"
YEAR = datetime.now(UTC).year
"""Monitors judge the days up to now, so the survey of 2016 is taken for that of this year."""
FIRST = f"{YEAR}0101T000000"
DAGS = Path(__file__).parents[2] / "dags"
SECONDS = 400


@pytest.fixture(scope="module")
def storage_options(s3_endpoint: str) -> dict[str, str]:
    keys = {"aws_access_key_id": servers.S3_KEY, "aws_secret_access_key": servers.S3_SECRET}
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="loop")
    return {
        "AWS_ACCESS_KEY_ID": servers.S3_KEY,
        "AWS_SECRET_ACCESS_KEY": servers.S3_SECRET,
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "aws_conditional_put": "etag",
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose DAGs are those of the package, with settings that a user would change."""
    home = tmp_path_factory.mktemp("loop")
    (home / "dags" / "data").mkdir(parents=True)
    people = pd.read_parquet(DAGS / "data" / "census_employment.parquet")
    people = people.iloc[::4].reset_index(drop=True)
    people = people.assign(year=people.year + YEAR - 2016)
    people.to_parquet(home / "dags" / "data" / "census_employment.parquet")
    changed = {
        "retrain_and_register": {'"s3://lake/employment"': '"s3://loop/employment"', '"@yearly"': "None"},
        "monitor_models": {
            "WATCHED_TABLES: list[str] = []": f'WATCHED_TABLES = ["s3://loop/employment/{FIRST}/serving"]',
            "watch=True,": "watch=True, poll_interval=5,",
        },
        # Which of two models that were trained on similar data is better is not known from one year.
        "retrain_on_alert": {"MARGIN = 0.01": "MARGIN = 0.0"},
    }
    for name, replacements in changed.items():
        text = (DAGS / f"{name}.py").read_text()
        for old, new in replacements.items():
            assert old in text, old
            text = text.replace(old, new)
        (home / "dags" / f"{name}.py").write_text(text)
    return home


@pytest.fixture(scope="module")
def airflow(home: Path, storage_options: dict[str, str], s3_endpoint: str) -> Iterator[Deployment]:
    aws = {
        "conn_type": "aws",
        "login": servers.S3_KEY,
        "password": servers.S3_SECRET,
        "extra": {"endpoint_url": s3_endpoint, "region_name": "us-east-1"},
    }
    settings = {
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
        "AWS_EC2_METADATA_DISABLED": "true",
        # Airflow starts watchers when it parses a file for the second time.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
    }
    with deployed(home, home / "dags", more_components=["triggerer"], **settings) as running:
        yield running


@pytest.fixture(scope="module")
def registry(home: Path, airflow: Deployment) -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(f"sqlite:///{home}/aporia.db", "default") as found:
        yield found


def unpause(airflow: Deployment, dag_id: str) -> None:
    airflow.eventually(lambda: airflow.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False}))


def commit_drifted_rows(storage_options: dict[str, str]) -> None:
    """Append 2,000 predictions of yesterday about people who are four times younger."""
    uri = f"s3://loop/employment/{FIRST}/serving"
    rows = DeltaTable(uri, storage_options=storage_options).to_pandas().head(2000)
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=12)
    drifted = rows.assign(id=rows.id + 10_000_000, AGEP=rows.AGEP // 4, predicted_at=yesterday)
    drifted["predicted_at"] = drifted.predicted_at.dt.as_unit("us")
    write_deltalake(uri, drifted, mode="append", storage_options=storage_options)


def is_synced(registry: EmbeddedRegistry, version: str, table_version: int) -> bool:
    try:
        status = registry.get_dataset_sync_status(MODEL, version, "serving")
    except NotFoundError:
        return False
    return bool(status["table_version"] == table_version)


def watched_version(airflow: Deployment) -> int:
    """Version of the table up to which the watcher has handled its commits; -1 if it was not started."""
    engine = sqlalchemy.create_engine(airflow.database_url)
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT value FROM asset_state_store")).fetchall()
    engine.dispose()
    return max((json.loads(value)["version"] for (value,) in found), default=-1)


def pending_question(airflow: Deployment) -> dict[str, Any] | None:
    place = "/api/v2/dags/retrain_on_alert/dagRuns/~/hitlDetails?response_received=false"
    details = airflow.call("GET", place)["hitl_details"]
    return details[0] if details else None


def test_drifted_data_leads_to_a_new_version_that_a_person_puts_to_use(
    home: Path, airflow: Deployment, registry: EmbeddedRegistry, storage_options: dict[str, str]
) -> None:
    for dag_id in ("monitor_models", "retrain_on_alert", "retrain_and_register"):
        unpause(airflow, dag_id)
    run = {"logical_date": f"{YEAR}-01-01T00:00:00Z"}
    airflow.call("POST", "/api/v2/dags/retrain_and_register/dagRuns", run)
    # The completed version starts the DAG that syncs.
    airflow.eventually(lambda: is_synced(registry, FIRST, 0), SECONDS)
    young = MonitorDefinition(name="Young", type="metric_change", metric="mean", features=["AGEP"], min=25)
    registry.apply_monitors(MODEL, [young.to_monitor(MODEL)])

    airflow.eventually(lambda: watched_version(airflow) == 0, SECONDS)
    commit_drifted_rows(storage_options)
    question = airflow.eventually(lambda: pending_question(airflow), SECONDS)
    alerts = {alert.monitor: alert for alert in registry.get_alerts(MODEL)}
    assert (alerts["Young"].model_version, alerts["Young"].status) == (FIRST, "open")
    first, second = sorted(version["name"] for version in registry.get_model_versions(MODEL))
    assert first == FIRST
    assert question["subject"] == f"Use version {second} of model {MODEL} instead of {FIRST}?"
    assert "insufficient" in question["body"]
    assert any(f"**{monitor}**: {alert.description}" in question["body"] for monitor, alert in alerts.items())

    ti = question["task_instance"]
    place = f"/api/v2/dags/retrain_on_alert/dagRuns/{quote(ti['dag_run_id'])}"
    answer = {"chosen_options": ["promote"], "params_input": {}}
    airflow.call("PATCH", f"{place}/taskInstances/ask/-1/hitlDetails", answer)
    instances = airflow.finish(place)
    states = {name: instance["state"] for name, instance in instances.items()}
    assert (states["ask"], states["promote"], states["keep"]) == ("success", "success", "skipped"), (
        airflow.failures(instances)
    )
    assert registry.get_model_tags(MODEL) == {"champion": second}

"""The code of the platform's guide to Delta Lake, from its import to metrics, wherever a script runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import task

from aporia_provider.errors import ValidationError
from aporia_provider.sdk import session
from tests import servers
from tests.airflow.running import new_dag, run
from tests.airflow.sdk_guide import EXPECTED, IMPORTS, METRICS, SYNC, guide, write_predictions
from tests.backend.running import serving, token_for
from tests.conftest import S3

pytestmark = pytest.mark.very_slow


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what another one told ``init``."""
    monkeypatch.setattr(session, "_current", None)


def ran(code: str) -> dict[str, Any]:
    """Run the code; its variables."""
    variables: dict[str, Any] = {}
    exec(compile(code, "guide", "exec"), variables)
    return variables


def values(answers: dict[str, Any]) -> dict[str, Any]:
    """The values of answers that hold."""
    assert {answer["status"] for (answer,) in answers.values()} == {"ok"}
    return {name: answer["value"] for name, (answer,) in answers.items()}


async def test_in_a_notebook_whose_event_loop_runs(aws: S3, registry: Any) -> None:
    found = ran(guide(write_predictions(aws), "insurance") + SYNC + METRICS)
    assert values(found["answers"]) == pytest.approx(EXPECTED)
    (version,) = registry.get_model_versions("insurance")
    assert list(version["registration"]["version_schema"]["features"]) == [
        "amount",
        "owner",
        "is_new",
        "embeddings",
    ]
    (connected,) = registry.get_datasets("insurance", "v1")
    assert (connected.role, connected.id_column) == ("serving", "prediction_id")


def test_in_a_plain_process_with_the_credentials_of_its_environment(s3: S3, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    end = "\nimport json, sys\nsys.stderr.write('\\n' + json.dumps(answers))\n"
    script.write_text(guide(write_predictions(s3), "insurance") + SYNC + METRICS + end)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS"))}
    environment = {
        **known,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "AWS_ACCESS_KEY_ID": servers.S3_KEY,
        "AWS_SECRET_ACCESS_KEY": servers.S3_SECRET,
        "AWS_REGION": servers.S3_REGION,
        "AWS_ENDPOINT_URL": s3.endpoint,
    }
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert values(json.loads(done.stderr.splitlines()[-1])) == pytest.approx(EXPECTED)
    # The embedded backend has made its own database, and nobody has made Airflow's.
    assert [path.name for path in (tmp_path / "home").glob("*.db")] == ["aporia.db"]
    # Airflow logs to standard output.
    (warning,) = [line for line in done.stdout.splitlines() if "No Airflow connection" in line]
    assert str(tmp_path / "home" / "aporia.db") in warning
    assert "(AIRFLOW_CONN_APORIA_DEFAULT) and secrets backends" in warning


@pytest.mark.usefixtures("airflow_database", "database_url")
def test_in_a_task(
    aws: S3, s3_engine: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)
    code = guide(write_predictions(aws), "insurance") + SYNC + METRICS
    with new_dag("guide") as dag:

        @task
        def register() -> Any:
            return ran(code)["answers"]

        register()
    assert values(run(dag)["register"]) == pytest.approx(EXPECTED)
    # A task finds stored connections as well: that there is none is what somebody chose.
    assert "Calls use the embedded backend" in caplog.text
    assert "No Airflow connection" not in caplog.text


def test_against_a_server(
    aws: S3,
    s3_engine: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_connection: Callable[..., None],
) -> None:
    """The server answers; its datasets are synced where its database is."""
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)
    database = f"sqlite:///{tmp_path / 'server.db'}"
    token = token_for(database, "prod")
    with serving(database) as served:
        host, _, port = served.url.rpartition(":")
        variables = {"TOKEN": token, "HOST": host, "PORT": port, "ENVIRONMENT": "prod"}
        for name, value in variables.items():
            monkeypatch.setenv(f"APORIA_{name}", value)
        version = ran(guide(write_predictions(aws), "insurance"))["apr_model"]
        with pytest.raises(ValidationError, match="cannot be started through a server"):
            version.sync()
        monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", database)
        set_connection("embedded", conn_type="aporia", extra={"environment": "prod"})
        embedded = "aporia.init(aporia_conn_id='embedded')\n"
        ran(f"{IMPORTS}{embedded}aporia.Model('insurance', 'v1').sync('serving')")
        found = ran(f"{IMPORTS}aporia.init()\napr_model = aporia.Model('insurance', 'v1')\n{METRICS}")
    assert values(found["answers"]) == pytest.approx(EXPECTED)
    assert served.log.count("POST '/v1beta/metrics/query' 200") == len(EXPECTED)

"""Standard output has what a command answers and nothing else, whatever Airflow and its libraries log."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from aporia_provider.segments import Segment
from tests.backend.running import run_cli, serving
from tests.backend.syncing import SyncedVersion, spread
from tests.sizes import FULL

pytestmark = pytest.mark.process

TOKEN = r"aporia_[\w-]{43}\n"
METRICS = ("metrics", "churn", "count", "--environment", "prod")
NAMED = ("--environment", "prod", "--name", "airflow")
FRESHNESS = r"table .*\n-.*\nfile:///no/such/table +insufficient\n"
YEAR = ("--from", "2026-01-01", "--to", "2027-01-01")
FIRST = {
    "token create": (("token", "create", *NAMED), TOKEN),
    "token list": (("token", "list"), ""),
    "token revoke": (("token", "revoke", *NAMED), ""),
    "migrate": (("migrate",), ""),
    "metrics": (METRICS, ""),
    "compare": (("compare", "churn", "v1", "v2", "f1", "--margin", "0", "--environment", "prod"), ""),
    "compare-segments": (("compare-segments", "churn", "recall", "sex", "a", "b"), ""),
    "alerts list": (("alerts", "list"), ""),
    "alerts acknowledge": (("alerts", "acknowledge", "unknown"), ""),
    "alerts snooze": (("alerts", "snooze", "unknown", "--for", "1d"), ""),
    "alerts explain": (("alerts", "explain", "unknown"), ""),
    "models update": (("models", "update", "churn", "--keep-all"), ""),
    "monitors list": (("monitors", "list"), ""),
    "monitors evaluate": (("monitors", "evaluate", "churn"), ""),
    "monitors apply": (("monitors", "apply", "/no/such/file.yaml"), ""),
    "monitors replay": (("monitors", "replay", "churn", "a", *YEAR), ""),
    "monitors delete": (("monitors", "delete", "unknown"), ""),
    "segments list": (("segments", "list", "churn"), ""),
    "segments create": (("segments", "create", "/no/such/file.yaml"), ""),
    "segments delete": (("segments", "delete", "churn", "unknown"), ""),
    "segments suggest": (("segments", "suggest", "churn", "v1"), ""),
    "segments cost": (("segments", "cost", "/no/such/file.yaml"), ""),
    "custom-metrics list": (("custom-metrics", "list", "churn"), ""),
    "custom-metrics create": (("custom-metrics", "create", "/no/such/file.yaml"), ""),
    "custom-metrics delete": (("custom-metrics", "delete", "churn", "unknown"), ""),
    "freshness": (("freshness", "file:///no/such/table"), FRESHNESS),
    "retire": (("retire", "churn", "--keep", "1", "--environment", "prod"), ""),
    "iam-policy": (("iam-policy", "s3://lake/churn"), r"\{\n(?s:.*)\n\}\n"),
    "about": (("about",), r"(?:[\w-]+\t.+\n){5}"),
}
"""Commands that end, as the first of an empty home: their arguments, and what they print."""
# Commands whose process imports Airflow itself in the small size: that takes longer than any command. The
# others are forked from a process that has imported it.
SCRIPTS = {"token create"}


@pytest.fixture
def noisy(tmp_path: Path) -> dict[str, str]:
    """The environment of an Airflow that logs all it can, with settings of the deployment that print."""
    settings = tmp_path / "config" / "airflow_local_settings.py"
    settings.parent.mkdir()
    settings.write_text("print('these settings print')\n")
    return {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}


@pytest.mark.parametrize("command", FIRST)
def test_the_first_command_prints_its_answer_alone(
    noisy: dict[str, str], tmp_path: Path, command: str
) -> None:
    arguments, printed = FIRST[command]
    if FULL or command in SCRIPTS:
        done = run_cli(*arguments, env=noisy, script=True)
    else:
        url = f"sqlite:///{tmp_path}/aporia.db"
        done = run_cli(*arguments, env={**os.environ, "AIRFLOW__APORIA__DATABASE_URL": url})
    assert re.fullmatch(printed, done.stdout), done.stdout
    if command == "token create":
        # What the others have to keep from standard output as well is really there.
        assert "Running upgrade  -> 0001" in done.stderr
        assert "these settings print" in done.stderr


def test_airflow_is_imported_by_commands_and_not_before_them() -> None:
    """What Airflow prints when it is imported is kept from standard output while any command runs."""
    code = "import sys; from aporia_provider.cli.main import main; main(['--help'])"
    exits = f"import atexit, sys; atexit.register(lambda: print('airflow' in sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", exits], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.very_slow
def test_the_server_prints_nothing(noisy: dict[str, str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/aporia.db"
    with serving(url, env=noisy, script=True, stdout=subprocess.PIPE) as server:
        assert server.ask("GET", "/v1beta/environments").status_code == 401
    assert server.process.stdout is not None
    with server.process.stdout as printed:
        assert printed.read() == ""


def test_metrics_are_json_and_nothing_else(noisy: dict[str, str], monitored: SyncedVersion) -> None:
    monitored.write("serving", spread(1, 2, 30))
    monitored.connect("serving")
    monitored.sync()
    done = run_cli(*METRICS, "--json", env=noisy, script=True)
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(done.stdout)
    assert item["metrics"][0]["value"] == 60
    url = monitored.registry.database.url.render_as_string(hide_password=False)
    _, line, row = run_cli(*METRICS, "--database-url", url).stdout.splitlines()
    assert set(line) == {"-", " "}
    assert row.split() == ["count", "60", "60"]


def test_the_retention_of_a_model_is_changed(monitored: SyncedVersion) -> None:
    url = monitored.registry.database.url.render_as_string(hide_password=False)

    def update(*options: str) -> subprocess.CompletedProcess[str]:
        return run_cli("models", "update", "churn", "--environment", "prod", "--database-url", url, *options)

    shorter = update("--retention", "daily for 2 years")
    assert (shorter.returncode, shorter.stdout) == (0, "churn\tupdated\n"), shorter.stderr
    assert update("--retention", "Daily for two years").stdout == "churn\tunchanged\n"
    longer = json.loads(update("--keep-all", "--json").stdout)
    assert (longer["id"], longer["status"]) == ("churn", "updated")
    refused = update("--retention", "daily for 2 fortnights")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "retention" in refused.stderr
    assert update().returncode == 2


def test_metrics_of_a_segment(monitored: SyncedVersion) -> None:
    monitored.registry.create_segment("churn", Segment(name="city", field="city", values=["Rome", "Oslo"]))
    monitored.write("serving", spread(1, 2, 30))
    monitored.connect("serving")
    monitored.sync()
    url = monitored.registry.database.url.render_as_string(hide_password=False)
    asked = (*METRICS, "--database-url", url, "--json")
    done = run_cli(*asked, "--segment", "city=Rome")
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(done.stdout)
    assert item["metrics"][0]["value"] == monitored.rows("serving")["city"].to_pylist().count("Rome")
    assert item["metrics"][0]["segment"] == {"id": "city", "value": "Rome"}
    refused = run_cli(*asked, "--segment", "city")
    assert refused.returncode == 2
    assert "'city' is not a segment and one of its values, such as city=Rome" in refused.stderr


def test_metrics_are_rows_of_csv_and_of_parquet(monitored: SyncedVersion, tmp_path: Path) -> None:
    monitored.write("serving", spread(1, 2, 30))
    monitored.connect("serving")
    monitored.sync()
    url = monitored.registry.database.url.render_as_string(hide_password=False)
    asked = ["metrics", "churn", "count", "mean", "histogram", "--environment", "prod", "--database-url", url]
    asked += ["--column", "features.age", "--by", "day", "--start", "2024-01-01", "--end", "2024-01-03"]
    as_json = run_cli(*asked, "--json")
    assert as_json.returncode == 0, as_json.stderr
    expected = {
        (metric["id"].partition(" ")[0], item["time_range"]["start"]): metric
        for item in json.loads(as_json.stdout)
        for metric in item["metrics"]
    }
    file = tmp_path / "metrics.parquet"
    assert run_cli(*asked, "--format", "parquet", "--output", str(file)).stdout == ""
    table = pd.read_parquet(file)
    printed = pd.read_csv(io.StringIO(run_cli(*asked, "--format", "csv").stdout))
    for rows in (table, printed):
        assert len(rows) == len(expected) == 6
        for row in rows.itertuples():
            metric = expected[row.metric, pd.Timestamp(row.start).isoformat()]
            if row.metric == "histogram":
                assert (json.loads(row.value_json), pd.isna(row.value)) == (metric["value"], True)
            else:
                assert (row.value, row.samples) == (metric["value"], metric["samples"])
            assert (row.model_version, row.column, row.dataset_type) == ("v1", "features.age", "serving")
    assert str(table.start.dtype) == "datetime64[us, UTC]"
    refused = run_cli(*asked, "--format", "parquet")
    assert "name a file with --output" in refused.stderr
    nowhere = run_cli(*asked, "--format", "csv", "--output", str(tmp_path / "missing" / "metrics.csv"))
    assert nowhere.returncode != 0
    assert nowhere.stderr.splitlines()[-1].endswith(
        "metrics.csv cannot be written: No such file or directory"
    )


def test_every_command_is_tried() -> None:
    def commands(*group: str) -> set[str]:
        return set(re.findall(r"^    ([\w-]+)\s", run_cli(*group, "--help").stdout, re.MULTILINE))

    groups = ("alerts", "custom-metrics", "models", "monitors", "segments", "token")
    actions = {f"{group} {action}" for group in groups for action in commands(group)}
    assert actions | commands() - {*groups} == {*FIRST, "serve"}

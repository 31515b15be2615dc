"""Standard output has what a command answers and nothing else, whatever Airflow and its libraries log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    "alerts list": (("alerts", "list"), ""),
    "alerts acknowledge": (("alerts", "acknowledge", "unknown"), ""),
    "alerts snooze": (("alerts", "snooze", "unknown", "--for", "1d"), ""),
    "alerts explain": (("alerts", "explain", "unknown"), ""),
    "monitors list": (("monitors", "list"), ""),
    "monitors evaluate": (("monitors", "evaluate", "churn"), ""),
    "monitors apply": (("monitors", "apply", "/no/such/file.yaml"), ""),
    "monitors replay": (("monitors", "replay", "churn", "a", *YEAR), ""),
    "monitors delete": (("monitors", "delete", "unknown"), ""),
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


def test_every_command_is_tried() -> None:
    def commands(*group: str) -> set[str]:
        return set(re.findall(r"^    ([\w-]+)\s", run_cli(*group, "--help").stdout, re.MULTILINE))

    groups = ("alerts", "monitors", "token")
    actions = {f"{group} {action}" for group in groups for action in commands(group)}
    assert actions | commands() - {*groups} == {*FIRST, "serve"}

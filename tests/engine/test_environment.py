"""What the process of the embedded engine gets from the task that starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aporia_provider.engine.embedded.process import engine_process
from aporia_provider.lake.credentials import AwsCredentials
from tests.engine.test_session import children, environment_of

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent.parent
SECRET = (
    "AIRFLOW_CONN_OTHER",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "DATABASE_PASSWORD",
    "GITHUB_TOKEN",
    "SPARK_CONNECT_AUTHENTICATE_TOKEN",
)
NEEDED = {"https_proxy": "http://proxy:3128", "TZ": "UTC", "SAIL_EXECUTION__BATCH_SIZE": "4096"}


def test_it_inherits_only_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET:
        monkeypatch.setenv(name, f"planted-{name}")
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    before = children()
    with engine_process(AwsCredentials()):
        (child,) = children() - before
        inside = dict(line.partition("=")[::2] for line in environment_of(child).split("\0"))
    assert "planted" not in str(inside)
    assert inside.items() >= {**NEEDED, "PATH": os.environ["PATH"]}.items()


def test_modules_in_the_working_folder_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "pysail.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    program = (
        "from aporia_provider.engine.embedded.process import engine_process\n"
        "from aporia_provider.lake.credentials import AwsCredentials\n"
        "with engine_process(AwsCredentials()) as engine: print(engine.port)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(ran.stdout) > 0
    assert not (tmp_path / "ran").exists()


def test_the_working_folder_may_have_been_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, "", "modules"])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work").rmdir()
    with engine_process(AwsCredentials()) as engine:
        assert engine.port > 0

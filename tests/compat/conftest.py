"""The official SDK in its own environment, as a fixture."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.compat.scenario import Step

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".venv-sdk" / "bin" / "python"

DriveSdk = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def drive_sdk() -> DriveSdk:
    """Make the steps with the official SDK in a process of its own; the result has a report for each."""
    if not PYTHON.exists():
        pytest.fail(f"The official SDK is not there: run {HERE / 'make_sdk_venv.sh'} {PYTHON.parent.parent}")

    def drive(url: str, token: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
        parts = urlsplit(url)
        task = {
            "host": f"http://{parts.hostname}",
            "port": parts.port,
            "token": token,
            "environment": "prod",
            "steps": [[step.call, step.arguments] for step in steps],
        }
        command = [str(PYTHON), str(HERE / "drive_sdk.py"), json.dumps(task)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, env={}, check=False)
        assert done.returncode == 0, done.stderr
        report: list[dict[str, Any]] = json.loads(done.stdout)
        return report

    return drive

"""The official SDK in its own environment, as a fixture."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.compat.scenario import Step

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".venv-sdk" / "bin" / "python"

DriveSdk = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def drive_sdk() -> Iterator[DriveSdk]:
    """Make the steps with the official SDK in a process of its own; the result has a report for each."""
    if not PYTHON.exists():
        pytest.fail(f"The official SDK is not there: run {HERE / 'make_sdk_venv.sh'} {PYTHON.parent.parent}")
    command = [str(PYTHON), str(HERE / "drive_sdk.py")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    with TemporaryFile("w+") as errors, subprocess.Popen(command, env={}, stderr=errors, **pipes) as running:

        def drive(url: str, token: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
            parts = urlsplit(url)
            task = {
                "host": f"http://{parts.hostname}",
                "port": parts.port,
                "token": token,
                "environment": "prod",
                "steps": [[step.call, step.arguments] for step in steps],
            }
            print(json.dumps(task), file=running.stdin, flush=True)
            assert running.stdout is not None
            answer = running.stdout.readline()
            if not answer:
                errors.seek(0)
                pytest.fail(errors.read())
            report: list[dict[str, Any]] = json.loads(answer)
            return report

        yield drive

"""Without the extra ``embedded``, all but reading data works."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.backend.syncing import MODEL, VERSION, SyncedVersion, spread

pytestmark = pytest.mark.process

HIDE = """
import sys

import pytest
for name in ("pysail", "pyspark", "grpc", "pandas"):
    sys.modules[name] = None
"""
METRICS = ["count", "missing_ratio", "drift_score"]


def without_engine(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDE + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_metrics_are_answered_from_what_was_synced(monitored: SyncedVersion) -> None:
    for role in ("training", "serving"):
        monitored.write(role, spread(1, 2, 30))
        monitored.connect(role)
        monitored.sync(role)
    url = str(monitored.registry.database.url)
    options = ["--database-url", url, "--environment", "prod", "--json"]
    code = "from aporia_provider.cli.main import main; sys.exit(main({!r}))"
    done = without_engine(code.format(["metrics", MODEL, *METRICS, "--column", "age", *options]))
    answers = {answer["id"]: answer for answer in json.loads(done.stdout)[0]["metrics"]}
    assert [answers[f"{name} age"]["value"] for name in ("count", "missing_ratio")] == [60, 0]
    # Training and serving have the same rows.
    assert answers["drift_score age"]["shown"] == 0


def test_a_sync_says_what_to_install(monitored: SyncedVersion) -> None:
    monitored.write("serving", spread(1, 2, 30))
    monitored.connect("serving")
    url = str(monitored.registry.database.url)
    done = without_engine(
        "from aporia_provider.backend.embedded import EmbeddedRegistry\n"
        f"EmbeddedRegistry({url!r}, 'prod').sync_dataset({MODEL!r}, {VERSION!r}, 'serving')"
    )
    assert (
        "requires pysail, which is not installed: pip install 'airflow-provider-aporia[embedded]'"
        in done.stderr
    )

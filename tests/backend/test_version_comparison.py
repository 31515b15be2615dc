"""Comparisons of two versions from stored states, through the registry and the command."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.profiles import replace_profile
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, utc_now
from aporia_provider.cli.main import main
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.models import Model
from aporia_provider.monitoring.performance import state_class
from aporia_provider.schema import VersionSchema

RIGHT = {"old": 1_800, "same": 1_802, "worse": 1_500, "few": 180}
ROWS = {"old": 2_000, "same": 2_000, "worse": 2_000, "few": 200}
MARGIN = 0.03


def _connect(registry: EmbeddedRegistry, version: str, role: str) -> None:
    source = S3DataSource(object_path=f"b/{version}/{role}", object_format="delta")
    connection = DatasetConnection(
        role=role, data_source=source, id_column="i", timestamp_column="t", labels={"p": "y"}
    )
    registry.connect_dataset("m", version, connection)
    right, rows = RIGHT[version], ROWS[version]
    labels = np.arange(rows) % 2 == 0
    predictions = np.where(np.arange(rows) < right, labels, ~labels)
    state = state_class("binary").of(pa.array(predictions), pa.array(labels))
    with registry.database.write_transaction() as session:
        key = session.scalars(select(DatasetRow.key).order_by(DatasetRow.key.desc())).first()
        assert key is not None
        session.add(SyncRow(dataset_key=key, part=FIELDS, started_at=utc_now(), synced_at=utc_now()))
        replace_profile(session, key, FIELDS, {(0, "performance.p"): state}, None, null_timestamps=True)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('comparison') / 'a.db'}"
    schema = VersionSchema(model_type="binary", features={"f": "numeric"}, predictions={"p": "boolean"})
    with EmbeddedRegistry(url, "e") as registry:
        registry.create_model(Model(id="m", name="M"))
        for version in RIGHT:
            registry.create_model_version("m", version, schema)
            _connect(registry, version, "serving")
        for version in ("old", "worse"):
            _connect(registry, version, "testing")
    return url


@pytest.mark.slow
@pytest.mark.parametrize(
    ("challenger", "outcome", "role"),
    [("same", "pass", "serving"), ("worse", "fail", "testing"), ("few", "insufficient", "serving")],
)
def test_a_version_is_compared_with_another(url: str, challenger: str, outcome: str, role: str) -> None:
    with EmbeddedRegistry(url, "e") as registry:
        found = registry.compare_versions("m", "old", challenger, "accuracy", MARGIN)
    assert (found.outcome, found.dataset_type, found.better) == (outcome, role, "higher")
    assert (found.champion, found.challenger_samples) == (0.9, ROWS[challenger])
    assert found.improvement == pytest.approx(RIGHT[challenger] / ROWS[challenger] - 0.9)
    if challenger == "same":
        # (1.959964 + 0.841621) · sqrt(2 · 0.09 / 2000), and the rows for 0.03 instead.
        assert found.detectable == pytest.approx(0.0266, rel=0.01)
        assert found.rows_needed == pytest.approx(1570, rel=0.02)


def test_the_direction_is_that_of_the_metric(url: str) -> None:
    with EmbeddedRegistry(url, "e") as registry:
        found = registry.compare_versions("m", "old", "worse", "fp_rate", MARGIN)
        assert (found.outcome, found.better) == ("fail", "lower")
        assert found.improvement is not None
        assert found.improvement < 0
        assert registry.compare_versions("m", "worse", "old", "brier", MARGIN).outcome == "pass"


@pytest.mark.parametrize(
    ("metric", "margin", "message"),
    [
        ("tp_count", 0.1, "Neither higher nor lower"),
        ("acuracy", 0.1, "did you mean 'accuracy'|accuracy"),
        ("accuracy", -0.1, "margin must be a number of at least 0"),
        ("rmse", 0.1, "cannot be compared"),
    ],
)
def test_what_cannot_be_compared_is_an_error(url: str, metric: str, margin: float, message: str) -> None:
    with EmbeddedRegistry(url, "e") as registry, pytest.raises(ValidationError, match=message):
        registry.compare_versions("m", "old", "same", metric, margin)


def test_a_metric_without_an_interval_is_insufficient(url: str) -> None:
    with EmbeddedRegistry(url, "e") as registry:
        found = registry.compare_versions("m", "old", "same", "calibration_error", MARGIN)
    assert found.outcome == "insufficient"
    assert "there is no interval" in str(found.reason)


@pytest.mark.slow
def test_the_command_prints_the_comparison(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--margin", "0.03", "--database-url", url, "--environment", "e"]
    assert main(["compare", "m", "old", "same", "accuracy", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "pass"
    assert main(["compare", "m", "old", "worse", "accuracy", *arguments]) == 1
    assert "outcome\tfail\n" in capsys.readouterr().out
    assert main(["compare", "m", "old", "absent", "accuracy", *arguments]) == 2
    assert "absent" in capsys.readouterr().err

"""The same values in columns of other types in training and in serving, from the tables to the answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, precision_score, recall_score

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.metrics import MetricsQuery
from aporia_provider.schema import VersionSchema
from tests.backend.syncing import MODEL, SyncedVersion, times

pytestmark = pytest.mark.process

PRICES = [19.99, 4.35, 1.1, 8.2]
ROWS = 2_000
THRESHOLD = 0.35
SCHEMA = VersionSchema(
    model_type="binary",
    features={"price": "numeric", "weight": "numeric", "code": "categorical", "vip": "categorical"},
    predictions={"score": "numeric"},
)
SCORES = np.random.default_rng(7).integers(0, 100, ROWS) / 100
LABELS = np.random.default_rng(8).random(ROWS) < SCORES
CODES = [f"{place}.{'1' * 30}" for place in range(3)]


def rows(**types: pa.DataType) -> pa.Table:
    """Two thousand rows that hold the same values in every type."""
    prices = [PRICES[place % 4] for place in range(ROWS)]
    exact = [Decimal(str(price)) for price in prices]
    return pa.table(
        {
            "id": [str(place) for place in range(ROWS)],
            "at": times([1 + place / ROWS for place in range(ROWS)]),
            "price": pa.array(exact if pa.types.is_decimal(types["price"]) else prices, types["price"]),
            "weight": pa.array(np.round(SCORES * 7, 3), types["weight"]),
            "code": pa.array([Decimal(CODES[place % 3]) for place in range(ROWS)], pa.decimal128(38, 30)),
            "vip": pa.array(LABELS).cast(types["vip"]),
            "score": pa.array(SCORES, types["score"]),
            "churned": LABELS,
        }
    )


@pytest.fixture(scope="module")
def synced(
    tmp_path_factory: pytest.TempPathFactory, engine: str
) -> Iterator[tuple[SyncedVersion, list[str]]]:
    """Both datasets, synced, and what the log said."""
    folder = tmp_path_factory.mktemp("types")
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("aporia_provider.backend.sync.sync_store")
    logger.addHandler(handler)
    with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
        monitored = SyncedVersion(Path(folder), registry, engine).register(SCHEMA)
        monitored.write(
            "training", rows(price=pa.float64(), weight=pa.float64(), vip=pa.bool_(), score=pa.float64())
        )
        monitored.write(
            "serving",
            rows(price=pa.decimal128(10, 2), weight=pa.float32(), vip=pa.int32(), score=pa.float32()),
        )
        for role in ("training", "serving"):
            monitored.connect(role, labels={"score": "churned"})
            monitored.sync(role)
        yield monitored, said
    logger.removeHandler(handler)


def ask(monitored: SyncedVersion, metric: str, column: str | None, **parameters: Any) -> Mapping[str, Any]:
    asked: dict[str, Any] = {"id": "x", "metric": metric, "parameters": {"column": column, **parameters}}
    asked["datasets"] = {"data": {"dataset_type": "serving"}}
    query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked]})
    (found,) = monitored.registry.query_metrics(query)
    answer: Mapping[str, Any] = found.metrics[0].to_json()
    assert answer["error"] is None
    return answer


@pytest.mark.parametrize("column", ["price", "weight", "code", "vip", "score"])
def test_the_same_values_have_no_drift(synced: tuple[SyncedVersion, list[str]], column: str) -> None:
    for metric in ("drift_score", "psi"):
        answer = ask(synced[0], metric, column)
        assert (answer["value"], answer["status"]) == (0, "ok")
    told = ask(synced[0], "drift_score", column)["reason"]
    assert (told is None) == (column != "vip")


def test_the_values_are_those_that_were_written(synced: tuple[SyncedVersion, list[str]]) -> None:
    monitored, _ = synced
    assert ask(monitored, "max", "price")["value"] == 19.99
    assert ask(monitored, "sum", "price")["value"] == pytest.approx(sum(PRICES) * ROWS / 4, rel=1e-15)
    assert ask(monitored, "min", "weight")["value"] == 0.0
    assert ask(monitored, "max", "weight")["value"] == round(0.99 * 7, 3)
    counts = ask(monitored, "histogram", "code")["value"]["counts"]
    assert sorted(counts) == CODES


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [("recall", recall_score), ("precision", precision_score), ("accuracy", accuracy_score)],
)
def test_a_threshold_divides_32_bit_scores_as_doubles(
    synced: tuple[SyncedVersion, list[str]], metric: str, oracle: Any
) -> None:
    answer = ask(synced[0], metric, "score", threshold=THRESHOLD)
    assert answer["value"] == pytest.approx(oracle(LABELS, SCORES >= THRESHOLD), rel=1e-15)
    assert (answer["status"], answer["bound"]) == ("ok", 0)


def test_the_status_and_the_log_note_other_types(synced: tuple[SyncedVersion, list[str]]) -> None:
    monitored, said = synced
    notes = [
        "feature 'price' is decimal(10,2) here and double in the training dataset",
        "feature 'weight' is float here and double in the training dataset",
        "feature 'vip' is int here and boolean in the training dataset",
        "prediction 'score' is float here and double in the training dataset",
    ]
    assert monitored.status("serving")["notes"] == notes
    assert monitored.status("training")["notes"] == []
    assert said == [f"serving dataset: {note}" for note in notes]

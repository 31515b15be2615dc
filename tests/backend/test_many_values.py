"""Columns of thousands of values, and ids that come again, from the tables to the answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitoring.states.text_hashes import text_hashes
from tests.backend.syncing import MODEL, SCHEMA, SyncedVersion, served

pytestmark = pytest.mark.process

DISTINCT, ROWS = 5_000, 25_000


def named(prefix: str, seed: int) -> list[str]:
    drawn = np.random.default_rng(seed).integers(0, DISTINCT, ROWS)
    return [f"{prefix}{number}" for number in drawn.tolist()]


def days(count: int, first: float = 1.0, last: float = 4.0) -> list[float]:
    return [first + (last - first) * place / count for place in range(count)]


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[SyncedVersion]:
    """Training, testing with the same vocabulary, and serving with another one."""
    folder: Path = tmp_path_factory.mktemp("many")
    with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
        made = SyncedVersion(folder, registry, engine).register(SCHEMA)
        for role, prefix in (("training", "a"), ("testing", "a"), ("serving", "b")):
            ids = [f"{role}{place % (ROWS - 2_500)}" for place in range(ROWS)]
            cities = named(prefix, len(role))
            made.write(role, served(*days(ROWS), ids=ids, seed=1, city=pa.array(cities)))
            made.connect(role)
            made.sync(role)
        yield made


def ask(monitored: SyncedVersion, metric: str, column: str | None, role: str) -> dict[str, Any]:
    asked = {
        "metric": metric,
        "parameters": {"column": column},
        "datasets": {"data": {"dataset_type": role}, "baseline": {"dataset_type": "training"}},
    }
    query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked]})
    (found,) = monitored.registry.query_metrics(query)
    answer: dict[str, Any] = found.metrics[0].to_json()
    assert answer["error"] is None
    return answer


def binned(values: list[str]) -> Any:
    places = text_hashes(values).view(np.uint64) >> np.uint64(56)
    return np.bincount(places.astype(int), minlength=256)


def test_a_vocabulary_that_is_the_same_is_no_drift(monitored: SyncedVersion) -> None:
    answer = ask(monitored, "drift_score", "city", "testing")
    assert (answer["status"], answer["bound"]) == ("ok", 0.0)
    assert answer["value"] < 1.3 * answer["noise"]
    test = ask(monitored, "chi_squared", "city", "testing")
    bins = [binned(monitored.rows(role)["city"].to_pylist()) for role in ("training", "testing")]
    expected = chi2_contingency(np.array(bins))
    assert (test["value"], test["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))


def test_a_vocabulary_that_was_replaced_is_all_the_drift_there_can_be(monitored: SyncedVersion) -> None:
    answer = ask(monitored, "drift_score", "city", "serving")
    assert (answer["status"], answer["value"]) == ("ok", 1.0)
    assert 0 < answer["bound"] < 0.1
    assert answer["value"] - answer["bound"] > 10 * answer["noise"]
    assert "the two sides have no value in common: the baseline has, for example, 'a" in answer["reason"]
    assert ask(monitored, "chi_squared", "city", "serving")["p_value"] < 1e-100


@pytest.mark.parametrize("role", ["training", "serving"])
def test_the_number_of_distinct_values_is_within_its_bound(monitored: SyncedVersion, role: str) -> None:
    answer = ask(monitored, "unique_values", "city", role)
    exact = len(set(monitored.rows(role)["city"].to_pylist()))
    assert abs(answer["value"] - exact) <= answer["bound"] < exact / 5
    assert "an estimate" in answer["reason"]


def test_ids_that_come_again_on_another_day_are_within_the_bound(monitored: SyncedVersion) -> None:
    """The last 2,500 of them do, on the third day the first's; no day has one twice."""
    answer = ask(monitored, "duplicate_ids", None, "serving")
    assert abs(answer["value"] - 2_500) <= answer["bound"] < ROWS / 10
    assert "several buckets are included" in answer["reason"]

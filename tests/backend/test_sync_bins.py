"""Bins made from too few values are provisional: they are made anew once there is enough data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ks_2samp

from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitoring.bins.field_bins import NumericBins
from tests.backend.syncing import MODEL, SyncedVersion, served, spread, work

pytestmark = pytest.mark.process

ANEW = "the bins of some fields were rebuilt"
FIELDS = ["features.age", "features.city", "features.vip", "predictions.score"]


def ask(monitored: SyncedVersion, metric: str, **more: Any) -> dict[str, Any]:
    asked = {
        "id": "it",
        "metric": metric,
        "parameters": {"column": "age", **more},
        "datasets": {"data": {"time_range": None}, "baseline": {"dataset_type": "training"}},
    }
    query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked]})
    ((answer,),) = [item.metrics for item in monitored.registry.query_metrics(query)]
    return answer.to_json()


def rows_of(count: int, seed: int) -> pa.Table:
    return spread(1, 10, count // 10, seed=seed)


@pytest.fixture
def first(monitored: SyncedVersion) -> SyncedVersion:
    """One row of training, and 2,000 predictions counted on bins made from it."""
    for role in ("training", "serving"):
        monitored.connect(role)
    monitored.write("training", served(1.5))
    monitored.write("serving", rows_of(2_000, 1))
    monitored.sync("training")
    monitored.sync("serving")
    return monitored


class TestMadeAnew:
    def test_once_there_are_twice_as_many_rows(self, first: SyncedVersion) -> None:
        assert first.status("training")["provisional_bins"] == dict.fromkeys(FIELDS, 1)
        assert first.status("serving")["provisional_bins"] == dict.fromkeys(FIELDS, 1)
        first.write("training", rows_of(3_000, 2))
        status = first.sync("training")
        assert status["reason"] == f"1 commit changed the data; {ANEW}"
        assert status["rows_read"] == 3_001, "and all rows are counted on the new bins"
        assert status["provisional_bins"] == {}
        # Its states are still on the old bins: the two sides are compared on what they share.
        ages = [table["age"].to_numpy() for table in (first.rows("training"), first.rows("serving"))]
        exact = ks_2samp(*ages).statistic
        before = ask(first, "ks_distance")
        assert (before["value"], before["status"]) == (None, "insufficient_data")
        assert abs(before["shown"] - exact) <= before["bound"]
        status = first.sync("serving")
        assert (status["reason"], status["rows_read"]) == (ANEW, 2_000)
        after = ask(first, "ks_distance")
        assert (after["status"], after["bound"] < 0.01) == ("ok", True)
        assert abs(after["value"] - exact) <= after["bound"]
        first.check()

    def test_not_before(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.write("training", spread(1, 1, 100))
        monitored.sync("training")
        monitored.write("training", spread(2, 2, 99))
        assert work(monitored.sync("training"))[:3] == (True, 1, 99)
        assert monitored.status("training")["provisional_bins"] == dict.fromkeys(FIELDS, 100)
        monitored.write("training", spread(3, 3, 1))
        assert work(monitored.sync("training"))[:3] == (True, 3, 200)
        assert monitored.status("training")["provisional_bins"] == dict.fromkeys(FIELDS, 200)
        monitored.check()

    def test_never_if_they_are_from_enough_values(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.write("training", spread(1, 1, 1_000))
        assert monitored.sync("training")["provisional_bins"] == {}
        monitored.write("training", spread(2, 2, 2_000))
        assert work(monitored.sync("training"))[:3] == (True, 1, 2_000)

    def test_by_a_sync_of_the_dataset_they_were_made_from_only(self, first: SyncedVersion) -> None:
        first.write("training", rows_of(3_000, 2))
        first.write("serving", spread(11, 11, 5_000, seed=3))
        assert work(first.sync("serving"))[:3] == (True, 1, 5_000)
        assert first.status("serving")["provisional_bins"] == dict.fromkeys(FIELDS, 1)

    def test_a_field_that_is_nearly_always_missing(self, monitored: SyncedVersion) -> None:
        """The other fields have enough values, and keep their bins."""
        monitored.connect("training")
        monitored.write("training", with_ages(spread(1, 1, 1_500), 2))
        assert monitored.sync("training")["provisional_bins"] == {"features.age": 2}
        monitored.write("training", with_ages(spread(2, 2, 1_500), 700))
        status = monitored.sync("training")
        assert (status["provisional_bins"], status["rows_read"]) == ({"features.age": 702}, 3_000)
        monitored.check()

    def test_bins_that_come_out_the_same_cost_nothing(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        same = {"age": [30.0] * 4, "city": ["Rome"] * 4, "vip": [True] * 4, "score": [0.5] * 4}
        monitored.write("training", served(1.1, 1.2, 1.3, 1.4, **same))
        monitored.sync("training")
        monitored.write("training", served(2.1, 2.2, 2.3, 2.4, **same))
        assert work(monitored.sync("training"))[:3] == (True, 1, 4)
        assert monitored.status("training")["provisional_bins"] == dict.fromkeys(FIELDS, 8)


class TestFull:
    def test_a_full_sync_of_their_dataset_makes_them_anew(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.write("training", spread(1, 1, 1_200))
        monitored.sync("training")
        first = monitored.registry, edges(monitored)
        moved = spread(2, 2, 1_200)
        monitored.write("training", moved.set_column(2, "age", pa.array(moved["age"].to_numpy() + 500)))
        monitored.sync("training")
        assert edges(monitored) == first[1]
        status = monitored.sync("training", full=True)
        assert status["reason"] == f"first sync; {ANEW}"
        assert edges(monitored) == NumericBins.of(monitored.rows("training")["age"].to_numpy()).edges  # type: ignore[union-attr]
        monitored.check()

    def test_a_full_sync_of_another_does_not(self, first: SyncedVersion) -> None:
        before = edges(first)
        first.sync("serving", full=True)
        assert edges(first) == before


def with_ages(rows: pa.Table, known: int) -> pa.Table:
    ages = np.where(np.arange(len(rows)) < known, rows["age"].to_numpy(), np.nan)
    return rows.set_column(2, "age", pa.array(ages, from_pandas=True))


def edges(monitored: SyncedVersion) -> tuple[float, ...]:
    """The edges of ``age`` that the version has."""
    from aporia_provider.backend.store.profiles import read_baseline

    with monitored.registry.database.read_transaction() as session:
        bins = read_baseline(session, 1).bins["features.age"]
    assert isinstance(bins, NumericBins)
    return bins.edges

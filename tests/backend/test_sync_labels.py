"""Labels find their predictions, whenever they come and however they change."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from scipy.stats import ks_2samp

from aporia_provider.metrics import Metric, MetricDataset, MetricDatasets, MetricParameters, MetricsQuery
from aporia_provider.monitoring.states.number_state import NumericState
from tests.backend.agreement import rewrite
from tests.backend.syncing import DAY, MODEL, NOWHERE, SyncedVersion, bucket, labelled, served, spread

pytestmark = pytest.mark.process

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Outcome = tuple[int, int, Counter[tuple[float, bool]]]


def expected(monitored: SyncedVersion) -> dict[int | None, Outcome]:
    """Rows, labelled rows, and how often each score had each label, by bucket, counted by hand."""
    latest: dict[Any, tuple[tuple[bool, Any, bool, Any], Any]] = {}
    for row in monitored.rows("actuals").to_pylist():
        known, label = row["known"], row["churned"]
        rank = (known is not None, known or 0, label is not None, label or False)
        if row["id"] is not None and (row["id"] not in latest or rank > latest[row["id"]][0]):
            latest[row["id"]] = (rank, label)
    found: dict[int | None, Outcome] = {}
    for row in monitored.rows("serving").to_pylist():
        place = None if row["at"] is None else (row["at"] - EPOCH).days * DAY
        rows, known_labels, pairs = found.get(place, (0, 0, Counter()))
        label = latest.get(row["id"], (None, None))[1]
        if label is not None:
            pairs[row["score"], label] += 1
        found[place] = (rows + 1, known_labels + (label is not None), pairs)
    return found


def outcomes(monitored: SyncedVersion) -> dict[int | None, Outcome]:
    """The same of what is stored."""
    found: dict[int | None, Outcome] = {}
    for place, state in monitored.outcomes().items():
        pairs: Counter[tuple[float, bool]] = Counter()
        counted = state.histograms
        for label, counts in ((True, counted.positives), (False, counted.negatives)):
            # There are so few scores that each has a bin of its own, after one for what is below all edges.
            scores = [None, *counted.bins.edges.tolist(), None]
            pairs.update(
                {(score, label): count for score, count in zip(scores, counts, strict=True) if count}
            )
        found[place] = (state.rows, state.labelled, pairs)
    return found


def check(monitored: SyncedVersion) -> None:
    assert outcomes(monitored) == expected(monitored)
    monitored.check()


def relabel(monitored: SyncedVersion) -> dict[str, Any]:
    """Sync the labels; what is known of the predictions they belong to."""
    assert monitored.sync("actuals")["changed"]
    found: dict[str, Any] = monitored.status("serving")["performance"]
    return found


def numbered(known: float, labels: dict[int, bool]) -> pa.Table:
    """Labels by ids that are numbers."""
    table = labelled(known, {str(id_): label for id_, label in labels.items()})
    return table.set_column(0, "id", table["id"].cast(pa.int64()))


@pytest.fixture
def pair(monitored: SyncedVersion) -> SyncedVersion:
    """Predictions ``a1`` to ``a4`` on the first of January, ``b1`` to ``b4`` on the second; no labels yet."""
    monitored.connect("serving")
    monitored.connect("actuals")
    for day, letter in ((1, "a"), (2, "b")):
        ids = [f"{letter}{number}" for number in range(1, 5)]
        scores = pa.array([0.0, 0.25, 0.625, 1.0])
        monitored.write("serving", served(*(day + n / 8 for n in range(4)), ids=ids, score=scores))
    DeltaTable.create(monitored.path("actuals"), labelled(None, {}).schema)
    monitored.sync()
    return monitored


class TestLabels:
    def test_none_are_known(self, pair: SyncedVersion) -> None:
        assert outcomes(pair) == {bucket(1): (4, 0, Counter()), bucket(2): (4, 0, Counter())}
        check(pair)

    def test_they_touch_the_buckets_of_their_predictions(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(9, {"a1": True, "a3": False, "nobody": True}))
        status = relabel(pair)
        assert (status["buckets_recomputed"], status["rows_read"]) == (1, 4)
        assert (
            status["reason"] == "predictions: no commit changed the data; labels: 1 commit changed the data"
        )
        assert outcomes(pair)[bucket(1)] == (4, 2, Counter({(0.0, True): 1, (0.625, False): 1}))
        check(pair)
        pair.write("actuals", labelled(9.5, {"b4": True}))
        assert pair.sync("serving")["performance"]["buckets_recomputed"] == 1
        assert outcomes(pair) == expected(pair)
        assert not pair.sync("serving", engine=NOWHERE)["changed"]
        assert pair.sync("actuals")["changed"], "its own columns are profiled, too"
        assert not pair.sync("actuals", engine=NOWHERE)["changed"]
        check(pair)

    def test_ids_that_are_numbers(self, monitored: SyncedVersion) -> None:
        """The log tells between which they are, unless files have several days in them."""
        monitored.connect("serving")
        monitored.connect("actuals")
        scores = pa.array([0.0, 0.25, 0.625, 1.0])
        for day in (1, 2):
            ids = range(10 * day, 10 * day + 4)
            monitored.write("serving", served(*(day + n / 8 for n in range(4)), ids=list(ids), score=scores))
        monitored.write("actuals", numbered(8, {}))
        monitored.sync()
        for known, labels in ((9, {13: True, 10: False}), (9.5, {20: True, 23: True, 99: False})):
            monitored.write("actuals", numbered(known, labels))
            assert (relabel(monitored)["buckets_recomputed"], monitored.sync()["changed"]) == (1, False)
            check(monitored)
        assert outcomes(monitored)[bucket(1)] == (4, 2, Counter({(0.0, False): 1, (1.0, True): 1}))
        monitored.delta("serving").optimize.compact()
        monitored.write("actuals", numbered(9.7, {12: True}))
        relabel(monitored)
        check(monitored)

    def test_the_one_that_became_known_last_wins(self, pair: SyncedVersion) -> None:
        for known, label in ((8, True), (9, False), (7, True)):
            pair.write("actuals", labelled(known, {"a1": label}))
            pair.sync("actuals")
            check(pair)
        assert outcomes(pair)[bucket(1)][2] == {(0.0, False): 1}
        pair.write("actuals", labelled(10, {"a1": None}))
        pair.sync("actuals")
        assert outcomes(pair)[bucket(1)][1] == 0
        check(pair)

    def test_of_two_of_one_moment_the_greater_wins_in_any_order(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(8, {"a1": True, "a2": False, "a3": None}))
        pair.write("actuals", labelled(8, {"a1": False, "a2": True, "a3": False}))
        pair.sync("actuals")
        assert outcomes(pair)[bucket(1)][2] == {(0.0, True): 1, (0.25, True): 1, (0.625, False): 1}
        # A label that is null differs from none.
        assert {place: state.ties for place, state in pair.outcomes().items()} == {bucket(1): 2, bucket(2): 0}
        check(pair)
        (asked,) = pair.registry.query_metrics(
            MetricsQuery.from_wire(
                {"model_id": MODEL, "metrics": [{"metric": "recall", "datasets": {"data": {}}}]}
            )
        )
        (answer,) = asked.metrics
        assert (answer.error, answer.status, answer.shown) == (None, "insufficient_data", 0.0)
        assert "2 rows have different labels with the same timestamp, so the" in answer.reason
        assert "give corrections a later timestamp" in answer.reason
        pair.delta("actuals").optimize.compact()
        pair.write("actuals", labelled(8, {"a3": False}))
        pair.write("actuals", labelled(9, {"a2": False}))
        pair.sync("actuals")
        assert {place: state.ties for place, state in pair.outcomes().items()} == {bucket(1): 1, bucket(2): 0}
        assert outcomes(pair)[bucket(1)][2] == {(0.0, True): 1, (0.25, False): 1, (0.625, False): 1}
        check(pair)

    def test_one_without_a_time_counts_least(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(None, {"a1": True, "a2": True, None: True}))
        pair.sync("actuals")
        check(pair)
        pair.write("actuals", labelled(1, {"a2": False}))
        pair.sync("actuals")
        assert outcomes(pair)[bucket(1)][2] == {(0.0, True): 1, (0.25, False): 1}
        check(pair)
        pair.delta("actuals").delete("known IS NULL")
        pair.sync("actuals")
        check(pair)

    def test_one_that_is_there_first_waits(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(3, {"c1": True}))
        pair.sync("actuals")
        assert [found[1] for found in outcomes(pair).values()] == [0, 0]
        pair.write("serving", served(5.5, ids=["c1"]))
        pair.sync("serving")
        assert outcomes(pair)[bucket(5)][:2] == (1, 1)
        check(pair)

    @pytest.mark.very_slow
    def test_corrected_deleted_and_overwritten(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(8, {"a1": True, "a2": True, "b1": False, "b2": False}))
        pair.sync("actuals")
        pair.delta("actuals").update(predicate="id = 'a1'", new_values={"churned": False})
        pair.sync("actuals")
        check(pair)
        pair.delta("actuals").update(predicate="id = 'a2'", new_values={"id": "b3"})
        pair.sync("actuals")
        assert outcomes(pair)[bucket(1)][1] == 1
        check(pair)
        pair.delta("actuals").delete("id = 'b1'")
        pair.sync("actuals")
        check(pair)
        pair.write("actuals", labelled(2, {"a4": True}), mode="overwrite")
        status = relabel(pair)
        assert status["buckets_recomputed"] == 2
        assert {place: found[1] for place, found in outcomes(pair).items()} == {bucket(1): 1, bucket(2): 0}
        check(pair)

    def test_deleted_and_vacuumed(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(8, {"a1": True}))
        pair.write("actuals", labelled(9, {"b1": True}))
        pair.sync("actuals")
        pair.delta("actuals").delete("id = 'a1'")
        pair.delta("actuals").vacuum(0, enforce_retention_duration=False, dry_run=False)
        status = relabel(pair)
        assert status["buckets_recomputed"] == 2
        assert "removed labels are deleted from storage" in status["reason"]
        check(pair)

    def test_a_table_made_anew(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(8, {"a1": True, "b1": False}))
        pair.sync("actuals")
        shutil.rmtree(pair.path("actuals"))
        pair.write("actuals", labelled(8, {"a2": True}))
        assert relabel(pair)["reason"].endswith("labels: the table was dropped and created again")
        assert [found[1] for _, found in sorted(outcomes(pair).items())] == [1, 0]
        check(pair)

    def test_deleted_while_the_version_before_is_gone_from_the_log(self, pair: SyncedVersion) -> None:
        for known, ids in ((8, {"a1": True}), (9, {"a2": True})):
            pair.write("actuals", labelled(known, ids))
        pair.sync("actuals")
        pair.write("actuals", labelled(10, {"b1": False}))
        pair.delta("actuals").delete("id = 'b1'")
        pair.delta("actuals").create_checkpoint()
        for version in (0, 1, 2):
            Path(pair.path("actuals"), "_delta_log", f"{version:020}.json").unlink()
        assert "removed labels are deleted from storage" in relabel(pair)["reason"]
        check(pair)

    @pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
    def test_deleted_behind_a_checkpoint(self, pair: SyncedVersion, named: bool) -> None:
        """The version before the removal has statistics that the engine takes for broken."""
        pair.write("actuals", labelled(8, {"a1": True}))
        pair.write("actuals", labelled(9, {"b1": True}))
        pair.sync("actuals")
        pair.delta("actuals").delete("id = 'a1'")
        pair.delta("actuals").create_checkpoint()
        log = Path(pair.path("actuals"), "_delta_log")
        if not named:
            (log / "_last_checkpoint").unlink()

        def twice(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
            for action in actions:
                if "add" in action:
                    action["add"]["stats"] = '{"numRecords":1,' + action["add"]["stats"][1:]
            return actions

        rewrite(log.parent, twice, version=1)
        status = relabel(pair)
        told = "removed labels are in a version before a checkpoint" in status["reason"]
        # If nothing names the checkpoint, the engine reads that version, without its statistics.
        assert (told, status["buckets_recomputed"]) == ((True, 2) if named else (False, 1))
        assert "deleted from storage" not in status["reason"]
        check(pair)

    def test_that_no_prediction_has(self, pair: SyncedVersion, caplog: pytest.LogCaptureFixture) -> None:
        pair.write("actuals", labelled(8, {"a1": True}))
        pair.sync("actuals")
        pair.write("actuals", labelled(9, {"c1": True}))
        with caplog.at_level("INFO"):
            assert pair.sync("actuals")["changed_parts"] == ["fields"]
        assert "labels: 1 commit changed the data; no prediction is affected" in caplog.text
        assert "reading rows without a timestamp" not in caplog.text
        check(pair)

    @pytest.mark.very_slow
    def test_many_commits_at_once(self, pair: SyncedVersion) -> None:
        """An engine looks for all times at once, so there must not be too many of them."""
        pair.sync("actuals")
        for known in range(70):
            pair.write("actuals", labelled(8 + known / 4, {"a1": bool(known % 2)}))
        status = relabel(pair)
        assert (status["buckets_recomputed"], status["rows_read"]) == (1, 4)
        check(pair)

    def test_compacted(self, pair: SyncedVersion) -> None:
        for known in (8, 9):
            pair.write("actuals", labelled(known, {"a1": True}))
        pair.sync("actuals")
        pair.delta("actuals").optimize.compact()
        assert not pair.sync("actuals", engine=NOWHERE)["changed"]
        check(pair)


class TestPredictions:
    def test_removed_and_changed(self, pair: SyncedVersion) -> None:
        pair.write("actuals", labelled(8, dict.fromkeys(("a1", "a2", "b1", "b2"), True)))
        pair.sync("actuals")
        pair.delta("serving").delete("id = 'a1'")
        assert pair.sync("serving")["performance"]["rows_read"] == 3
        check(pair)
        pair.delta("serving").update(predicate="id = 'b1'", new_values={"score": 0.875})
        pair.sync("serving")
        check(pair)

    def test_with_ids_that_repeat_or_are_missing(self, pair: SyncedVersion) -> None:
        pair.write("serving", served(1.5, 2.5, 3.5, None, ids=["a1", "a1", None, "a2"]))
        pair.write("actuals", labelled(8, {"a1": True, "a2": False, None: True}))
        pair.sync("actuals")
        pair.sync("serving")
        assert {place: found[1] for place, found in outcomes(pair).items()} == {
            bucket(1): 3,
            bucket(2): 1,
            bucket(3): 0,
            None: 1,
        }
        check(pair)
        pair.write("actuals", labelled(9, {"a2": True}))
        assert relabel(pair)["buckets_recomputed"] == 2
        check(pair)

    def test_before_1970_and_in_the_last_second(self, pair: SyncedVersion) -> None:
        moments = pa.array([-1, 253_402_300_799_999_999], pa.int64()).cast(pa.timestamp("us", "UTC"))
        pair.write("serving", served(1, 2, ids=["early", "late"]).set_column(1, "at", moments))
        pair.sync("serving")
        pair.write("actuals", labelled(8, {"early": True, "late": False}))
        assert relabel(pair)["buckets_recomputed"] == 2
        assert [outcomes(pair)[place][:2] for place in (-DAY, 253_402_214_400)] == [(1, 1), (1, 1)]
        check(pair)

    def test_with_columns_of_any_name(self, monitored: SyncedVersion) -> None:
        names = pa.array(["x"] * 4)
        rows = served(1, 2, 3, 4, ids=list("abcd"))
        for name in ("l0", "L1", "p0", "known", "churned", "time"):
            rows = rows.append_column(name, names)
        monitored.connect("serving")
        monitored.connect("actuals")
        monitored.write("serving", rows)
        monitored.write("actuals", labelled(8, {"a": True, "c": False}))
        monitored.sync()
        check(monitored)

    def test_with_ids_of_another_type(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.connect("actuals", timestamp_column="day", id_column="number")
        monitored.write("serving", served(1, 2, 3, ids=["1", "2", "03"]))
        given = pa.table({"number": pa.array([1, 2, 3], pa.int32()), "churned": [True, None, True]})
        day = pa.array([19_000] * 3, pa.int32()).cast(pa.date32())
        monitored.write("actuals", given.append_column("day", day))
        monitored.sync("serving")
        monitored.sync("actuals")
        assert [state.labelled for _, state in sorted(monitored.outcomes().items())] == [1, 0, 0]
        monitored.write(
            "actuals", given.slice(1, 1).set_column(1, "churned", [[False]]).append_column("day", day[:1])
        )
        monitored.sync("actuals")
        assert [state.labelled for _, state in sorted(monitored.outcomes().items())] == [1, 1, 0]
        monitored.check()

    def test_with_scores_that_are_no_probabilities(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.connect("serving")
        monitored.connect("actuals")
        scores = {"score": pa.array([-8.0, -1.0, 0.5, 3.0, 9.0])}
        ids = list("abcde")
        monitored.write("training", served(1, 1, 1, 1, 1, ids=ids, **scores))
        monitored.write("serving", served(2, 2, 2, 3, 3, ids=ids, **scores))
        monitored.write("actuals", labelled(8, {"a": False, "d": True}))
        monitored.sync("serving")
        (second, third) = (monitored.outcomes()[bucket(day)] for day in (2, 3))
        assert (second.labelled, second.outside, third.labelled) == (1, 1, 1)
        assert second.made_with["edges"][0] == -8.0, "the bins are those of the training data"
        for role in ("serving", "actuals", "training"):
            monitored.sync(role)
        assert not monitored.sync("serving", engine=NOWHERE)["changed"]
        monitored.check()

    def test_labels_in_the_same_table(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving", labels={"score": "churned"})
        monitored.connect("actuals")
        for day in (1, 2):
            labels = pa.array([True, False, None, True])
            monitored.write("serving", spread(day, day, 4).append_column("churned", labels))
            monitored.sync()
        assert [(state.rows, state.labelled) for state in monitored.outcomes().values()] == [(4, 3), (4, 3)]
        monitored.write("actuals", labelled(8, {"a": True}))
        assert monitored.sync()["performance"] is None, "there is nothing left to label"
        monitored.check()


class TestBaselines:
    def test_training_before_serving(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.connect("serving")
        monitored.write("training", spread(1, 1, 300))
        monitored.write("serving", spread(2, 3, 30, seed=1))
        monitored.sync("serving")
        ages = sorted(monitored.rows("training")["age"].to_pylist())
        for place, state in monitored.states("features.age").items():
            assert isinstance(state, NumericState)
            below, above = (
                sum(outside)
                for outside in zip(
                    *((age < ages[0], age > ages[-1]) for age in ages_of(monitored, place)), strict=True
                )
            )
            assert (state.counts[0], state.counts[-1], state.finite) == (below, above, 30)
        monitored.sync("training")
        before = monitored.stored()
        monitored.write("training", spread(1, 1, 200, seed=7))
        monitored.sync("training")
        assert not monitored.sync("serving", engine=NOWHERE)["changed"], "the bins stay what they were"
        assert {place: before[place] for place in before if place[0] == "serving"} == {
            place: state for place, state in monitored.stored().items() if place[0] == "serving"
        }
        monitored.check()

    def test_training_after_serving(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.write("serving", spread(2, 3, 30))
        monitored.sync("serving")
        own = monitored.states("features.age")
        monitored.connect("training")
        monitored.write("training", spread(1, 1, 300, seed=1))
        assert not monitored.sync("serving", engine=NOWHERE)["changed"]
        monitored.sync("training")
        assert_answers(monitored)
        status = monitored.sync("serving")
        assert_answers(monitored)
        assert (status["buckets_recomputed"], status["rows_read"]) == (2, 60)
        assert status["reason"] == "the bins of some fields were rebuilt"
        assert monitored.states("features.age") != own
        monitored.check()
        assert not monitored.sync("serving", engine=NOWHERE)["changed"]

    def test_training_brings_other_bins_of_scores(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.connect("actuals")
        monitored.write("serving", served(1, 2, ids=["a", "b"], score=pa.array([2.0, 5.0])))
        monitored.write("actuals", labelled(8, {"a": True}))
        monitored.sync("serving")
        assert monitored.outcomes()[bucket(1)].made_with["edges"][0] == 2.0
        monitored.connect("training")
        monitored.write("training", served(1, 1, 1, score=pa.array([-3.0, 1.0, 9.0])))
        monitored.sync("training")
        status = monitored.sync("serving")["performance"]
        assert status["reason"].startswith(
            "predictions: the schema, a dataset or the comparison method has changed; labels: no commit"
        )
        assert {state.made_with["edges"][0] for state in monitored.outcomes().values()} == {-3.0}
        monitored.check()

    def test_training_that_is_empty_for_now(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.connect("serving")
        DeltaTable.create(monitored.path("training"), served().schema)
        for day, rows in ((1, 9), (2, 5), (3, 3)):
            monitored.write("serving", spread(day, day, rows))
            assert monitored.sync()["rows_read"] == rows
        assert monitored.sync("training")["rows"] == 0
        monitored.write("training", spread(1, 1, 50, seed=1))
        monitored.sync("training")
        assert monitored.sync("serving")["rows_read"] == 17
        monitored.check()

    def test_a_field_that_gets_values_later(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        nothing = pa.array([None] * 5, pa.float64())
        monitored.write("serving", spread(1, 1, 5).set_column(2, "age", nothing))
        monitored.sync()
        monitored.write("serving", spread(2, 2, 4))
        status = monitored.sync()
        assert (status["reason"], status["rows_read"]) == ("the first bins of some fields were built", 9)
        monitored.check()


def assert_answers(monitored: SyncedVersion) -> None:
    """Statistics and drift of ``age`` are right, whichever bins its states are on."""
    serving, training = (np.array(monitored.rows(name)["age"]) for name in ("serving", "training"))
    wanted = {
        "mean": serving.mean(),
        "std": serving.std(),
        "ks_distance": ks_2samp(serving, training).statistic,
    }
    questions = [
        Metric(
            id=name,
            metric=name,
            parameters=MetricParameters(column="age", minimum=1, minimum_baseline=1),
            datasets=MetricDatasets(data=MetricDataset()),
        )
        for name in wanted
    ]
    (answer,) = monitored.registry.query_metrics(MetricsQuery(model_id=MODEL, metrics=questions))
    for found in answer.metrics:
        assert found.error is None, found
        assert found.value == pytest.approx(wanted[found.id], rel=0, abs=found.bound + 1e-9)


def ages_of(monitored: SyncedVersion, place: int | None) -> list[float]:
    """The ages of a bucket."""
    rows = monitored.rows("serving").to_pylist()
    return [row["age"] for row in rows if int(row["at"].timestamp()) // DAY * DAY == place]

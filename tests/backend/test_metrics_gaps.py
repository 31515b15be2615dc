"""Answers for every period of a range, with rows or without, and for values and classes of any type."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import metrics as oracle

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.cli.main import main
from aporia_provider.schema import VersionSchema
from tests.backend.syncing import MODEL, SyncedVersion, served
from tests.backend.test_metrics_edges import ask, at, values

pytestmark = pytest.mark.process

GAPS = VersionSchema(
    model_type="multiclass",
    features={"age": "numeric", "city": "categorical", "vip": "boolean", "size": "categorical"},
    predictions={"kind": "categorical", "grade": "categorical", "flag": "boolean"},
)
RULES = {"daily": "D", "weekly": "W-MON", "monthly": "MS"}


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[SyncedVersion]:
    """A few rows on 40 of the 107 days from 2023-11-20 to 2024-03-05; class ``c`` is of February only."""
    folder = tmp_path_factory.mktemp("gaps")
    rng = np.random.default_rng(11)
    picked = sorted(rng.choice(107, 40, replace=False) - 41)
    days = np.repeat(picked, rng.integers(5, 30, 40)) + rng.random()
    count = len(days)
    february = (days >= 32) & (days < 61)
    label = np.where(february & (rng.random(count) < 0.4), "c", rng.choice(["a", "b"], count))
    grade = rng.integers(1, 4, count)
    rows = served(
        *days.tolist(),
        label=label,
        kind=np.where(rng.random(count) < 0.7, label, "a"),
        grade=pa.array(grade, pa.int32()),
        truth=np.where(rng.random(count) < 0.8, grade, 2).astype(float),
        flag=rng.random(count) < 0.5,
        fact=rng.random(count) < 0.5,
        vip=rng.random(count) < 0.3,
        size=rng.integers(1, 4, count).astype(float),
        city=rng.choice(["True", "true", "Rome", "3.0"], count),
    )
    with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
        monitored = SyncedVersion(folder, registry, engine).register(GAPS)
        monitored.write("serving", rows)
        monitored.connect("serving", labels={"kind": "label", "grade": "truth", "flag": "fact"})
        monitored.sync()
        yield monitored


def frame(monitored: SyncedVersion) -> pd.DataFrame:
    return monitored.rows("serving").to_pandas().set_index("at").sort_index()


def periods(rows: pd.DataFrame, by: str) -> Any:
    return rows.resample(RULES[by], closed="left", label="left")


class TestGaps:
    @pytest.mark.parametrize("by", RULES)
    def test_every_period_is_answered(self, gaps: SyncedVersion, by: str) -> None:
        parts = [(start, rows) for start, rows in periods(frame(gaps), by)]
        starts = [start.isoformat() for start, _ in parts]
        counts = ask(gaps, "count", by=by)
        assert [answer["start"] for answer in counts] == starts
        assert [answer["end"] for answer in counts[:-1]] == starts[1:]
        assert values(gaps, "count", by=by) == [len(rows) for _, rows in parts]
        for answer, (_, rows) in zip(ask(gaps, "mean", "age", by=by), parts, strict=True):
            if len(rows):
                assert answer["value"] == pytest.approx(rows["age"].mean(), rel=1e-12)
            else:
                found = (answer["value"], answer["status"], answer["samples"], answer["reason"])
                assert found == (None, "insufficient_data", 0, "there are no rows in the range")

    @pytest.mark.parametrize("by", RULES)
    def test_every_period_of_a_range_is_answered(self, gaps: SyncedVersion, by: str) -> None:
        start, end = pd.Timestamp("2023-12-13", tz="UTC"), pd.Timestamp("2024-05-02", tz="UTC")
        inside = frame(gaps).loc[start : end - pd.Timedelta(1, "us"), ["age"]]
        ends = pd.DataFrame({"age": [0.0, 0.0]}, index=[start, end - pd.Timedelta(1, "us")])
        expected = periods(pd.concat([inside, ends]), by)["age"].count()
        expected.iloc[[0, -1]] -= 1
        answers = ask(gaps, "count", by=by, start=str(start), end=str(end))
        assert [answer["value"] for answer in answers] == expected.tolist()
        assert answers[0]["start"] == start.isoformat()
        assert answers[-1]["end"] == end.isoformat()

    def test_what_is_said_of_days_without_rows(self, gaps: SyncedVersion) -> None:
        query_options = {"start": "2025-01-01", "end": "2025-01-03", "by": "daily"}
        zero = [("count", None), ("null_ids", None), ("count", "age"), ("missing_count", "age")]
        zero += [("zero_count", "age"), ("prediction_count", "kind"), ("actuals_count", "kind")]
        assert {name: values(gaps, name, column, **query_options) for name, column in zero} == {
            name: [0, 0] for name, _ in zero
        }
        assert values(gaps, "value_count", "city", value="Rome", **query_options) == [0, 0]
        others = [("missing_ratio", "age"), ("mean", "age"), ("histogram", "city"), ("accuracy", "kind")]
        for name, column in others:
            answers = ask(gaps, name, column, **query_options)
            assert {(answer["status"], answer["error"]) for answer in answers} == {
                ("insufficient_data", None)
            }
        for name, column in (("meen", "age"), ("zero_count", "city")):
            assert all(name in answer["error"] for answer in ask(gaps, name, column, **query_options))
        assert {answer["status"] for answer in ask(gaps, "label_coverage", "kind", **query_options)} == {
            "undefined"
        }

    def test_a_moving_baseline_before_each_week(self, gaps: SyncedVersion) -> None:
        baseline = {"dataset_type": "serving", "time_period": "2w"}
        answers = ask(
            gaps, "hellinger_distance", "city", by="weekly", baseline=baseline, minimum=1, minimum_baseline=1
        )
        rows = frame(gaps)["city"]
        for answer in answers:
            start = pd.Timestamp(answer["start"])
            before, now = (
                Counter(rows[(rows.index >= start + first) & (rows.index < start + end)])
                for first, end in (
                    (pd.Timedelta(-14, "D"), pd.Timedelta(0)),
                    (pd.Timedelta(0), pd.Timedelta(7, "D")),
                )
            )
            if not before or not now:
                assert (answer["value"], answer["status"]) == (None, "insufficient_data")
                continue
            overlap = sum(math.sqrt(before[city] * now[city]) for city in now)
            expected = math.sqrt(max(0.0, 1 - overlap / math.sqrt(before.total() * now.total())))
            assert answer["value"] == pytest.approx(expected, abs=1e-7)
            assert (answer["samples"], answer["baseline_samples"]) == (now.total(), before.total())
        assert sum(answer["status"] == "ok" for answer in answers) > 10

    @pytest.mark.parametrize("by", ["weekly", "monthly"])
    def test_a_class_that_a_period_lacks(self, gaps: SyncedVersion, by: str) -> None:
        answers = ask(gaps, "recall_per_class", "kind", class_name="c", by=by, minimum=1)
        for answer, (_, rows) in zip(answers, periods(frame(gaps), by), strict=True):
            assert answer["error"] is None
            if "c" in {*rows["label"]}:
                expected = oracle.recall_score(rows["label"] == "c", rows["kind"] == "c")
                assert answer["value"] == pytest.approx(expected, rel=1e-12)
            elif len(rows):
                assert (answer["status"], answer["samples"]) == ("undefined", len(rows))
                assert answer["reason"] == "there is no class 'c' in the range"
            else:
                assert answer["status"] == "insufficient_data"
        assert {answer["status"] for answer in answers} >= {"ok", "undefined"}

    def test_counts_of_a_class_that_a_period_lacks(self, gaps: SyncedVersion) -> None:
        for cell in ("tp", "fp", "fn", "tn"):
            answers = ask(gaps, f"{cell}_count_per_class", "kind", class_name="c", by="weekly", minimum=1)
            for answer, (_, rows) in zip(answers, periods(frame(gaps), "weekly"), strict=True):
                true, predicted = rows["label"] == "c", rows["kind"] == "c"
                counts = {
                    "tp": true & predicted,
                    "fp": predicted & ~true,
                    "fn": true & ~predicted,
                    "tn": ~true & ~predicted,
                }
                if len(rows):
                    assert (answer["status"], answer["value"]) == ("ok", counts[cell].sum())
            assert any(
                (rows["label"] != "c").all() for _, rows in periods(frame(gaps), "weekly") if len(rows)
            )

    def test_a_class_that_the_range_lacks_but_not_the_data(self, gaps: SyncedVersion) -> None:
        (answer,) = ask(
            gaps, "recall_per_class", "kind", class_name="c", start="2024-01-01", end="2024-01-31"
        )
        assert (answer["status"], answer["error"]) == ("undefined", None)
        for answer in ask(gaps, "recall_per_class", "kind", class_name="d", by="monthly"):
            assert "'d'" in answer["error"], answer

    @pytest.mark.parametrize(
        ("column", "given"), [("grade", [1, 1.0, "1", "1.0", "1.00"]), ("flag", [True, "true", "True"])]
    )
    def test_classes_by_any_type(self, gaps: SyncedVersion, column: str, given: list[Any]) -> None:
        rows = frame(gaps)
        truth, one = (rows["truth"], 1) if column == "grade" else (rows["fact"], True)
        expected = oracle.precision_score(truth == one, rows[column] == one)
        for name in given:
            assert values(gaps, "precision_per_class", column, class_name=name) == [
                pytest.approx(expected, rel=1e-12)
            ]

    @pytest.mark.parametrize(
        ("column", "given", "kept"),
        [
            ("vip", [True, "True", "true", "TRUE"], True),
            ("vip", [False, "False", "false"], False),
            ("size", [3, 3.0, "3", "3.0"], 3.0),
            ("city", ["True", True], "True"),
            ("city", ["true", "TRUE"], "true"),
            ("city", ["3.0", 3.0], "3.0"),
        ],
    )
    def test_values_by_any_type(self, gaps: SyncedVersion, column: str, given: list[Any], kept: Any) -> None:
        counted = periods(frame(gaps)[column] == kept, "weekly").sum().tolist()
        for value in given:
            assert values(gaps, "value_count", column, value=value, by="weekly") == counted
        assert values(gaps, "value_count", "size", value=4) == [0]

    def test_too_few_samples_say_what_would_do(self, gaps: SyncedVersion) -> None:
        weeks = [len(rows) for _, rows in periods(frame(gaps), "weekly")]
        answers = ask(gaps, "accuracy", "kind", by="weekly")
        assert [answer["samples"] for answer in answers] == weeks
        few = [answer for answer in answers if 0 < answer["samples"] < 100]
        assert few
        for answer in few:
            assert answer["shown"] is not None
            words = f"only {answer['samples']} samples; 100 are needed; set minimum={answer['samples']}, "
            assert words in answer["reason"]
        minimum = min(answer["samples"] for answer in few)
        again = ask(gaps, "accuracy", "kind", by="weekly", minimum=minimum)
        assert {answer["status"] for answer in again if answer["samples"]} == {"ok"}

    @pytest.mark.parametrize(
        ("by", "days", "minimum", "named"),
        [
            ("daily", 40, 7.0, 'aggregation_period="weekly", which has enough samples at this rate'),
            ("daily", 40, 7.1, 'aggregation_period="monthly", which has enough samples at this rate'),
            ("daily", 20, 20.0, "one result for the whole range, without an aggregation_period"),
            ("daily", 5, 5.0, "one result for the whole range, without an aggregation_period"),
            ("daily", 5, 6.0, 'a longer time range and aggregation_period="weekly"'),
            ("daily", 40, 41.0, "one result for a longer time range, without an aggregation_period"),
            ("weekly", 28, 4.0, 'aggregation_period="monthly", which has enough samples at this rate'),
            ("weekly", 40, 4.1, "one result for the whole range, without an aggregation_period"),
            ("monthly", 100, 9.0, "one result for the whole range, without an aggregation_period"),
            ("monthly", 100, 9.1, "one result for a longer time range, without an aggregation_period"),
            ("monthly", None, 2.0, "one result for the whole range, without an aggregation_period"),
            ("monthly", None, 4.0, None),
            ("weekly", None, 50.0, None),
            (None, 40, 1.1, "a longer time range"),
            (None, None, 1.1, None),
        ],
    )
    @pytest.mark.parametrize("metric", ["accuracy", "hellinger_distance"])
    def test_advice_names_a_longer_period_or_none(
        self,
        gaps: SyncedVersion,
        metric: str,
        by: str | None,
        days: int | None,
        minimum: float,
        named: str | None,
    ) -> None:
        """The first period with rows has so many, and ``minimum`` times as many are asked for."""
        query_options = {"by": by} if by else {}
        if days:
            query_options |= {"start": "2023-11-20", "end": str(np.datetime64("2023-11-20") + days)}
        if metric != "accuracy":
            query_options |= {"baseline": {"dataset_type": "serving"}, "minimum_baseline": 1}
        column = "kind" if metric == "accuracy" else "city"
        found = next(
            item["samples"] for item in ask(gaps, metric, column, **query_options) if item["samples"]
        )
        answers = ask(gaps, metric, column, **query_options, minimum=math.floor(found * minimum))
        reason = next(item["reason"] for item in answers if item["samples"])
        _, parameter, ways = reason.partition(f"set minimum={found}")
        assert parameter
        assert ways == (f", or use {named}" if named else "")

    def test_the_command_by_week(self, gaps: SyncedVersion, capsys: pytest.CaptureFixture[str]) -> None:
        url = gaps.registry.database.url.render_as_string(hide_password=False)
        place = ("--database-url", url, "--environment", "prod")
        for by, rule in RULES.items():
            word = {"daily": "day", "weekly": "week", "monthly": "month"}[by]
            query_options = ("value_count", "--column", "vip", "--value", "True", "--by", word)
            assert main(["metrics", MODEL, *query_options, "--json", *place]) == 0
            counts = (frame(gaps)["vip"]).resample(rule, closed="left", label="left").sum()
            found = [item["metrics"][0]["value"] for item in json.loads(capsys.readouterr().out)]
            assert found == counts.tolist()

    def test_the_command_gives_advice_in_its_own_options_and_a_shared_reason_once(
        self, gaps: SyncedVersion, capsys: pytest.CaptureFixture[str]
    ) -> None:
        url = gaps.registry.database.url.render_as_string(hide_password=False)
        place = ("--database-url", url, "--environment", "prod")
        assert main(["metrics", MODEL, "accuracy", "--column", "kind", "--by", "day", *place]) == 0
        table = capsys.readouterr().out
        few, _, end = table.rpartition("\n\n")
        assert re.search(r"give --minimum \d+, or use --by (week|month), which has enough", table)
        for parameter in ("minimum=", "aggregation_period"):
            assert parameter not in table
        assert table.count("there are no rows in the range") == 1
        number = re.search(r"^\[(\d+)\] there are no rows in the range$", end, re.MULTILINE)
        assert number is not None
        empty = int((frame(gaps)["vip"].resample("D").count() == 0).sum())
        assert few.count(f"insufficient data [{number[1]}]") == empty > 1


class TestNoRows:
    def test_a_dataset_that_was_never_synced(self, monitored: SyncedVersion) -> None:
        monitored.write("serving", served(1.5))
        monitored.connect("serving")
        for more in ({}, {"by": "daily"}, {"by": "daily", "start": at(0), "end": at(24)}):
            (answer,) = ask(monitored, "count", **more)
            assert (answer["value"], answer["status"]) == (None, "insufficient_data")
            assert answer["reason"] == (
                "the serving dataset of version 'v1' has never been synced: sync it with "
                "SyncDatasetOperator, SyncHook or dags/monitor_models.py, or with version.sync('serving') of "
                "aporia_provider.sdk"
            )

    def test_a_baseline_that_was_never_synced(self, monitored: SyncedVersion) -> None:
        for role in ("training", "serving"):
            monitored.write(role, served(1.5))
            monitored.connect(role)
        for missing in ("serving", "training"):
            (answer,) = ask(monitored, "psi", "age")
            assert (answer["status"], answer["value"]) == ("insufficient_data", None)
            assert f"the {missing} dataset of version 'v1' has never been synced" in answer["reason"]
            monitored.sync(missing)
        (answer,) = ask(monitored, "psi", "age")
        assert "never been synced" not in (answer["reason"] or "")

    def test_no_actuals_are_connected(self, monitored: SyncedVersion) -> None:
        monitored.write("serving", served(1.5))
        monitored.connect("serving")
        monitored.sync()
        (answer,) = ask(monitored, "accuracy")
        assert answer["reason"].startswith("no actuals are connected: connect them with ConnectActualsOper")

    def test_rows_none_of_which_has_a_time(self, monitored: SyncedVersion) -> None:
        monitored.write("serving", served(None, None, 1.5))
        monitored.connect("serving")
        monitored.sync()
        assert values(monitored, "count", by="daily") == [1]
        assert values(monitored, "count", by="daily", start=at(48), end=at(72)) == [0]
        assert values(monitored, "count") == [3]
        (answer,) = ask(monitored, "accuracy", start=at(0), end=at(24), by="daily")
        assert answer["reason"].startswith("no actuals are connected")
        monitored.write("serving", served(None, None), mode="overwrite")
        monitored.sync()
        (answer,) = ask(monitored, "count", by="daily")
        assert ("start" in answer, answer["value"]) == (False, 2)

"""Questions about rows as such, hours, parts of periods, and what lies at the limits of times and numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as oracle

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.metrics.periods import PERIODS, Split, align_to_buckets, result_range
from aporia_provider.backend.metrics.state_selection import select_states
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import ResultRange
from aporia_provider.metrics import MetricsQuery, TimeRange
from aporia_provider.monitoring.states.value_state import shortened
from aporia_provider.schema import VersionSchema
from tests.backend.conftest import copied
from tests.backend.syncing import DAY, MODEL, SCHEMA, TIME, SyncedVersion, micros, served, times

LAST = 253_402_300_799_999_999  # Microseconds to the last moment of the year 9999.
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
ODD = VersionSchema(
    model_type="binary",
    features={"emb[0]": "numeric", "emb": "dict", "seen": "datetime", "city": "categorical"},
    predictions={"score": "numeric"},
)


def query(*metrics: tuple[str, str | None], by: str | None = None, **more: Any) -> MetricsQuery:
    start, end, baseline = (more.pop(name, None) for name in ("start", "end", "baseline"))
    data = {"time_range": {"start": start, "end": end} if start else None, **more.pop("data", {})}
    asked = [
        {
            "id": metric,
            "metric": metric,
            "parameters": {"column": column, **more},
            "datasets": {"data": data, "baseline": baseline},
        }
        for metric, column in metrics
    ]
    return MetricsQuery.from_wire({"model_id": MODEL, "metrics": asked, "aggregation_period": by})


def ask(
    monitored: SyncedVersion, metric: str, column: str | None = None, **more: Any
) -> list[dict[str, Any]]:
    """Answers to one question, each with its range."""
    answers = monitored.registry.query_metrics(query((metric, column), **more))
    items = [item.to_json() for item in answers]
    return [{**(item["time_range"] or {}), **item["metrics"][0]} for item in items]


def values(monitored: SyncedVersion, metric: str, column: str | None = None, **more: Any) -> list[Any]:
    answers = ask(monitored, metric, column, **more)
    assert {(answer["status"], answer["error"]) for answer in answers} <= {("ok", None)}, answers
    return [answer["value"] for answer in answers]


def at(hour: float) -> str:
    """A time so many hours after the start of January 2024."""
    return (FIRST_DAY + timedelta(hours=hour)).isoformat()


@pytest.fixture
def odd(tmp_path: Path, migrated: Path, engine: str) -> Iterator[SyncedVersion]:
    """A version whose fields have odd names and values; nothing is connected yet."""
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        yield SyncedVersion(tmp_path, registry, engine).register(ODD)


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[SyncedVersion]:
    """An hourly model: ``n + 1`` predictions in the n-th of 60 hours."""
    folder = tmp_path_factory.mktemp("hours")
    days = [1 + (hour + (n + 0.5) / (hour + 1)) / 24 for hour in range(60) for n in range(hour + 1)]
    with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
        monitored = SyncedVersion(folder, registry, engine).register(SCHEMA, period="hourly")
        monitored.write("serving", served(*days))
        monitored.connect("serving")
        monitored.sync()
        yield monitored


def of_hours(monitored: SyncedVersion, first: int, last: int, column: str = "age") -> list[Any]:
    """The values of some hours of :func:`hours`, from their rows."""
    start, end = (micros(1 + hour / 24) for hour in (first, last))
    rows = monitored.rows("serving")
    moments = rows["at"].cast(TIME).cast(pa.int64()).to_pylist()
    pairs = zip(moments, rows[column].to_pylist(), strict=True)
    return [value for moment, value in pairs if start <= moment < end]


class TestRows:
    def test_ids_and_times_that_are_missing_double_or_to_come(self, monitored: SyncedVersion) -> None:
        # 40,000 days after the start of 2024 is the year 2133.
        days = [1.1, 1.2, 1.3, 1.4, 2.1, 2.2, None, None, None, 40_000.5, 40_001.5]
        ids = ["a", "a", "a", None, "a", None, "b", "b", "c", None, "d"]
        monitored.write("serving", served(*days, ids=ids))
        monitored.connect("serving")
        monitored.sync()
        asked = ("count", "null_ids", "duplicate_ids", "null_timestamps", "future_timestamps")
        found = {name: values(monitored, name) for name in asked}
        expected = {
            "count": [11],
            "null_ids": [3],
            # Of the rows of ``a``, two are on the first day beside another, and one is on the second.
            "duplicate_ids": [4],
            "null_timestamps": [3],
            "future_timestamps": [2],
        }
        assert found == expected
        with pytest.raises(ValidationError, match=r"80,002 results, from 2024-01-01.* to 2133-07-08T"):
            monitored.registry.query_metrics(query(("count", None), ("null_ids", None), by="daily"))
        days = [(at(0), at(48)), (at(24 * 40_000 - 24), at(24 * 40_000 + 24))]
        by_day = {
            name: [
                value
                for start, end in days
                for value in values(monitored, name, by="daily", start=start, end=end)
            ]
            for name in asked
        }
        assert by_day == {
            "count": [4, 2, 1, 1],
            "null_ids": [1, 1, 1, 0],
            "duplicate_ids": [2, 0, 0, 0],
            "null_timestamps": [0, 0, 0, 0],
            "future_timestamps": [0, 0, 1, 1],
        }
        within = {name: values(monitored, name, start=at(0), end=at(24)) for name in asked}
        assert within == {name: by_day[name][:1] for name in asked}


class TestLabels:
    def test_a_prediction_without_labels_is_told_from_those_with(
        self, tmp_path: Path, migrated: Path, engine: str
    ) -> None:
        schema = VersionSchema(
            model_type="binary",
            features={"age": "numeric"},
            predictions={"will_buy": "boolean", "proba": "numeric"},
        )
        ids, days = list("abcd"), [1.1, 1.2, 1.3, 2.1]
        bought = pa.table({"id": ids, "known": times([3.0] * 4), "bought": [True, False, False, True]})
        made = {"age": [1.0] * 4, "will_buy": [True, False, True, True], "proba": [0.9, 0.1, 0.8, 0.7]}
        with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
            monitored = SyncedVersion(tmp_path, registry, engine).register(schema)
            monitored.write("serving", pa.table({"id": ids, "at": times(days), **made}))
            monitored.write("actuals", bought)
            monitored.connect("serving")
            monitored.sync()
            monitored.connect("actuals", labels={"will_buy": "bought"})
            monitored.sync("actuals")
            shares = {"accuracy": 3 / 4, "label_coverage": 1}
            for name, value in shares.items():
                (answer,) = ask(monitored, name, "will_buy", minimum=1)
                assert answer["value"] == value
                for answer in ask(monitored, name, "proba", by="daily"):
                    assert (answer["status"], answer["error"]) == ("insufficient_data", None)
                    told = "prediction 'proba' has no labels in the serving dataset; those that have are"
                    assert answer["reason"] == f"{told} 'will_buy'"


class TestHours:
    def test_an_answer_for_each_hour(self, hours: SyncedVersion) -> None:
        answers = ask(hours, "count", by="hourly")
        assert [answer["value"] for answer in answers] == list(range(1, 61))
        assert [(answer["start"], answer["end"]) for answer in answers] == [
            (at(hour), at(hour + 1)) for hour in range(60)
        ]
        means = [np.mean(of_hours(hours, hour, hour + 1)) for hour in range(60)]
        assert values(hours, "mean", "age", by="hourly") == pytest.approx(means, rel=1e-12)

    def test_hours_merge_into_days(self, hours: SyncedVersion) -> None:
        answers = ask(hours, "std", "age", by="daily")
        days = [of_hours(hours, hour, hour + 24) for hour in (0, 24, 48)]
        assert [answer["value"] for answer in answers] == pytest.approx(
            [np.std(day) for day in days], rel=1e-9
        )
        assert [answer["samples"] for answer in answers] == [len(day) for day in days] == [300, 876, 654]
        # All rows are asked for, so the last day is whole, though it has rows of 12 hours only.
        assert [(answer["start"], answer["end"]) for answer in answers] == [
            (at(hour), at(hour + 24)) for hour in (0, 24, 48)
        ]
        (whole_,) = ask(hours, "median", "age")
        assert abs(whole_["value"] - np.median(of_hours(hours, 0, 60))) <= whole_["bound"] + 1e-12
        assert whole_["samples"] == 1830

    def test_a_range_touches_whole_hours(self, hours: SyncedVersion) -> None:
        (answer,) = ask(hours, "count", start=at(9.5), end=at(11.01))
        assert (answer["start"], answer["end"], answer["value"]) == (at(9), at(12), 10 + 11 + 12)

    def test_a_part_of_a_day_is_shown_as_that_part(self, hours: SyncedVersion) -> None:
        answers = ask(hours, "count", by="daily", start=at(12), end=at(36))
        assert [(answer["start"], answer["end"], answer["value"]) for answer in answers] == [
            (at(12), at(24), sum(range(13, 25))),
            (at(24), at(36), sum(range(25, 37))),
        ]
        inside = ask(hours, "sum", "age", by="daily", start=at(6), end=at(9))
        assert [(answer["start"], answer["end"]) for answer in inside] == [(at(6), at(9))]
        assert inside[0]["value"] == pytest.approx(math.fsum(of_hours(hours, 6, 9)), rel=1e-12)

    def test_a_moving_baseline_ends_where_a_part_of_a_day_starts(self, hours: SyncedVersion) -> None:
        baseline = {"dataset_type": "serving", "time_period": "6h", "skip_period": "1h"}
        answers = ask(
            hours, "hellinger_distance", "city", by="daily", start=at(12), end=at(36), baseline=baseline,
            minimum=1, minimum_baseline=1,
        )  # fmt: skip
        assert [answer["start"] for answer in answers] == [at(12), at(24)]
        for answer, (first, last) in zip(answers, ((12, 24), (24, 36)), strict=True):
            before = Counter(of_hours(hours, first - 7, first - 1, "city"))
            now = Counter(of_hours(hours, first, last, "city"))
            pairs = [(before[city] / before.total(), now[city] / now.total()) for city in before | now]
            expected = math.sqrt(1 - sum(math.sqrt(p * q) for p, q in pairs))
            assert answer["value"] == pytest.approx(expected, abs=1e-9)
            assert (answer["samples"], answer["baseline_samples"]) == (now.total(), before.total())

    def test_periods_are_cut_at_the_range_only(self) -> None:
        extent = (3_600 * 13, 3_600 * 50 + 1)
        assert days_of((None, None), extent) == [(0, DAY), (DAY, 2 * DAY), (2 * DAY, 3 * DAY)]
        assert days_of((3_600 * 13, 3_600 * 51), extent) == [
            (3_600 * 13, DAY),
            (DAY, 2 * DAY),
            (2 * DAY, 3_600 * 51),
        ]
        assert days_of((None, None), (None, None)) == []


def days_of(within: Any, extent: Any) -> list[Any]:
    return list(Split(PERIODS["daily"], within, extent))


class TestLimits:
    def test_the_last_day_there_is(self, odd: SyncedVersion) -> None:
        moments = [micros(1.5), micros(2.5), LAST]
        seen = pa.array([0, 1_704_067_200_000_001, LAST], TIME)
        rows = {"at": pa.array(moments, TIME), "seen": seen, "emb[0]": [1.0, 2.0, 3.0]}
        dicts = pa.array([[("a", 1.0)], [("a", 5.0)], None], pa.map_(pa.string(), pa.float64()))
        odd.write("serving", served(*[None] * 3, emb=dicts, **rows))
        odd.connect("serving")
        odd.sync()
        last = {"start": "9999-12-31T00:00:00+00:00", "end": "9999-12-31T23:59:59.999999+00:00"}
        answers = ask(odd, "count", by="monthly", start=at(0), end="2024-02-02")
        assert [answer["value"] for answer in answers] == [2, 0]
        answers = ask(odd, "count", by="monthly", start="9999-11-30", end=last["end"])
        assert [answer["value"] for answer in answers] == [0, 1]
        assert (answers[-1]["start"], answers[-1]["end"]) == ("9999-12-01T00:00:00+00:00", last["end"])
        (answer,) = ask(odd, "count", **last)
        assert ({name: answer[name] for name in last}, answer["value"]) == (last, 1)
        assert values(odd, "max", "seen") == ["9999-12-31T23:59:59.999999+00:00"]
        assert values(odd, "min", "seen", start=at(24), end=at(48)) == ["2024-01-01T00:00:00.000001+00:00"]

        # The one is a field, the other a key of the dict ``emb``.
        assert values(odd, "mean", "emb[0]") == [2.0]
        assert values(odd, "mean", "features.emb[0]") == [2.0]
        assert values(odd, "mean", "emb[a]") == [3.0]

    @pytest.mark.parametrize(
        ("second", "text"),
        [
            (253_402_300_800, "9999-12-31T23:59:59.999999+00:00"),
            (10**15, "9999-12-31T23:59:59.999999+00:00"),
            (253_402_300_799, "9999-12-31T23:59:59+00:00"),
            (-62_135_596_800, "0001-01-01T00:00:00+00:00"),
            (-62_135_596_801, "0001-01-01T00:00:00+00:00"),
            (-(10**15), "0001-01-01T00:00:00+00:00"),
        ],
    )
    def test_what_no_calendar_shows(self, second: int, text: str) -> None:
        assert result_range((second, second)) == ResultRange(text, text)

    def test_ranges_of_late_years_are_exact(self) -> None:
        late = TimeRange(start="9999-12-29T23:59:59.999999", end="9999-12-31T00:00:00.000001")  # type: ignore[arg-type]
        days = [second // DAY for second in align_to_buckets(late, DAY) if second is not None]
        assert days == [date_number("9999-12-29"), date_number("9999-12-31") + 1]

    @pytest.mark.parametrize("end", ["9999-12-31T23:30:00-01:00", "9999-12-31T23:59:59.999999-14:00"])
    def test_times_that_utc_does_not_have_are_refused(self, end: str) -> None:
        with pytest.raises(ValidationError) as caught:
            query(("count", None), start="2024-01-01", end=end)
        assert "years 1 to 9999" in str(caught.value.problems)

    def test_great_numbers_beside_others(self, monitored: SyncedVersion) -> None:
        monitored.write("serving", served(1.5, 1.6, age=[-1.797e308, -1.797e308]))
        monitored.connect("serving")
        monitored.sync()
        names = ("sum", "absolute_sum", "squared_sum", "variance", "std", "squared_deviation_sum", "mean")
        asked = query(*((name, "age") for name in names), ("count", None), ("median", "age"), by="daily")
        (item,) = monitored.registry.query_metrics(asked)
        found = {answer.id: answer.to_json() for answer in item.metrics}
        assert found["count"]["value"] == 2
        assert found["mean"]["value"] == -1.797e308
        for name in ("sum", "absolute_sum", "squared_sum", "variance", "std", "squared_deviation_sum"):
            answer = found[name]
            assert (answer["value"], answer["status"], answer["error"]) == (None, "undefined", None), name
            assert "float" in answer["reason"]


def date_number(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


class TestNames:
    @pytest.mark.parametrize(
        ("column", "key", "type_"),
        [
            ("emb[0]", "features.emb[0]", "numeric"),
            ("features.emb[0]", "features.emb[0]", "numeric"),
            ("emb", "features.emb", "dict"),
            ("emb[1]", "features.emb[1]", "numeric"),
            ("emb[a[b]]", "features.emb[a[b]]", "numeric"),
            ("emb[]", "features.emb[]", "numeric"),
            (f"emb[{'k' * 300}]", f"features.emb[{shortened('k' * 300)}]", "numeric"),
            ("parts[x]", "features.parts[x]", "dict"),
            ("parts[x][a]", "features.parts[x][a]", "numeric"),
            ("features.parts[x][a[0]]", "features.parts[x][a[0]]", "numeric"),
        ],
    )
    def test_brackets_are_of_names_or_of_keys(self, column: str, key: str, type_: str) -> None:
        features = {"emb[0]": "numeric", "emb": "dict", "parts[x]": "dict"}
        found = select_states(asked_about(column), version(features))
        assert (found.key, found.type, found.performance) == (key, type_, False)

    @pytest.mark.parametrize(
        ("column", "words"),
        [
            ("emb[0", "no field 'emb[0'; did you mean 'emb[0]'"),
            ("embb[0][a]", "no field 'embb'"),
            ("twice[a]", "several fields: write raw_inputs.twice or features.twice"),
        ],
    )
    def test_names_that_are_not_there(self, column: str, words: str) -> None:
        known = version({"emb[0]": "numeric", "emb": "dict", "twice": "dict"}, raw_inputs={"twice": "dict"})
        with pytest.raises(ValidationError) as caught:
            select_states(asked_about(column), known)
        assert words in caught.value.message

    def test_long_values_are_counted(self, monitored: SyncedVersion) -> None:
        cities = ["x" * 300, "x" * 299 + "y", "x" * 300, "Rome"]
        monitored.write("serving", served(1.5, 1.6, 1.7, 1.8, city=cities))
        monitored.connect("serving")
        monitored.sync()
        asked = ["x" * 300, "x" * 299 + "y", "x" * 299 + "z", "Rome"]
        assert [values(monitored, "value_count", "city", value=text) for text in asked] == [
            [2],
            [1],
            [0],
            [1],
        ]


def version(features: Mapping[str, str], **more: Any) -> VersionStates:
    schema = VersionSchema(
        model_type="binary",
        features=cast("Any", features),
        predictions=cast("Any", {"score": "numeric"}),
        **more,
    )
    return VersionStates(cast("Any", None), VersionRow(name="v1", registration=schema.to_wire("v1")))


def asked_about(column: str) -> Any:
    return query(("mean", column)).metrics[0]


class TestScores:
    def sync(
        self, monitored: SyncedVersion, scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]
    ) -> None:
        days = [1 + n / 1000 for n in range(len(scores))]
        monitored.write("serving", served(*days, score=scores, churned=labels))
        monitored.connect("serving", labels={"score": "churned"})
        monitored.sync()

    def test_few_labels_of_a_class_say_what_would_do(self, monitored: SyncedVersion) -> None:
        """On each of 28 days 3 of 120 labels are true, where an area takes 10 of each class."""
        days = [1 + day + row / 120 for day in range(28) for row in range(120)]
        rng = np.random.default_rng(9)
        scores, labels = rng.integers(0, 9, len(days)) / 8, np.arange(len(days)) % 120 < 3
        monitored.write("serving", served(*days, score=scores, churned=labels))
        monitored.connect("serving", labels={"score": "churned"})
        monitored.sync()
        (first, *_) = ask(monitored, "auc_roc", by="daily")
        assert (first["status"], first["value"]) == ("insufficient_data", None)
        assert first["reason"] == (
            "only 3 labels of one class; 10 are needed; set minimum=3, or use "
            'aggregation_period="weekly", which has enough samples at this rate'
        )
        per_day = list(zip(scores.reshape(28, 120), labels.reshape(28, 120), strict=True))
        areas = [oracle.roc_auc_score(true, given) for given, true in per_day]
        assert values(monitored, "auc_roc", by="daily", minimum=3) == pytest.approx(areas, rel=1e-12)
        weeks = zip(scores.reshape(4, 840), labels.reshape(4, 840), strict=True)
        areas = [oracle.roc_auc_score(true, given) for given, true in weeks]
        assert values(monitored, "auc_roc", by="weekly") == pytest.approx(areas, rel=1e-12)

    @pytest.mark.parametrize(("low", "high", "threshold"), [(0, 100, 50.0), (-4, 4, 0.0)])
    def test_other_scores_than_probabilities_need_a_threshold(
        self, monitored: SyncedVersion, low: int, high: int, threshold: float
    ) -> None:
        rng = np.random.default_rng(6)
        scores, labels = low + rng.integers(0, 9, 400) / 8 * (high - low), rng.random(400) < 0.4
        self.sync(monitored, scores, labels)
        (answer,) = ask(monitored, "accuracy")
        assert answer["value"] is None
        assert "not probabilities" in answer["error"]
        assert f"threshold from {low} to {high}" in answer["error"]
        assert values(monitored, "accuracy", threshold=threshold) == [
            pytest.approx(oracle.accuracy_score(labels, scores >= threshold), rel=1e-12)
        ]
        (area,) = ask(monitored, "auc_roc")
        assert abs(area["value"] - oracle.roc_auc_score(labels, scores)) <= area["bound"] + 1e-12

    def test_probabilities_are_judged_at_a_half(self, monitored: SyncedVersion) -> None:
        rng = np.random.default_rng(7)
        scores, labels = rng.integers(0, 9, 400) / 8, rng.random(400) < 0.4
        self.sync(monitored, scores, labels)
        expected = oracle.recall_score(labels, scores >= 0.5)
        assert values(monitored, "recall") == [pytest.approx(expected, rel=1e-12)]


@pytest.mark.parametrize("more", [{}, {"skip_period": "1d"}])
def test_only_a_baseline_moves(more: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        query(("count", None), data={"time_period": "2w", **more})
    (problem,) = caught.value.problems
    assert problem.startswith("metrics.0.datasets: ")
    assert "time_period and skip_period are for the baseline" in problem
    assert query(("psi", "age"), baseline={"time_period": "2w", **more}).metrics

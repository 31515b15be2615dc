"""Windows that move: their sums are those of the states added one by one, with few additions."""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict, replace
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.backend.deadlines import Deadline, DeadlineExceededError, ShutdownError, apply_deadline
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.metrics.moving_sums import MovingSum
from aporia_provider.backend.metrics.state_series import Series, total
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.metrics import MetricsQuery
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState
from tests.backend.stored import DAY, store_days
from tests.sizes import sized

pytestmark = pytest.mark.slow

BINS = NumericBins.of(np.linspace(-3, 3, 200))


def numeric(seed: int) -> State:
    return NumericState.of(np.random.default_rng(seed).normal(size=20) * 10.0 ** (seed % 30 - 15), 1, BINS)


def values(seed: int) -> State:
    found = np.random.default_rng(seed).integers(0, 9000, 700)
    counts = {f"value {value}": int(value) % 7 + 1 for value in set(found.tolist())}
    return ValueState.of(counts, sum(counts.values()), 0, CategoryBins(("value 1", "value 2"))).settled()


STATES = {kind: [make(seed) for seed in range(24)] for kind, make in (("n", numeric), ("v", values))}


@settings(max_examples=sized(8, 30))
@given(
    kind=st.sampled_from("nv"),
    buckets=st.sets(st.integers(0, 60), min_size=1, max_size=24),
    lengths=st.tuples(st.integers(1, 70), st.integers(1, 9)),
    backwards=st.booleans(),
)
def test_sums_are_those_of_the_states_to_the_last_bit(
    kind: str, buckets: set[int], lengths: tuple[int, int], backwards: bool
) -> None:
    series = Series(list(zip(sorted(buckets), STATES[kind], strict=False)))
    length, step = lengths
    starts = [*range(-length, 70, step), *(range(60, -10, -17) if backwards else ())]
    for start in starts:
        expected = total(state for _, state in series.within((start, start + length)))
        found = series.moving.within(start, start + length)
        assert found == expected
        assert (found and found.to_json()) == (expected and expected.to_json())


@settings(max_examples=sized(8, 30))
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40))
def test_windows_of_any_lengths_that_do_not_move_back(moves: list[tuple[int, int]]) -> None:
    timed = [(place, numeric(place)) for place in range(30)]
    moving, series = MovingSum(timed), Series(list(timed))
    start = end = 0
    for first, last in moves:
        start, end = start + first, max(end + last, start + first)
        assert moving.within(start, end) == total(state for _, state in series.within((start, end)))


class Additions:
    """Counts additions of states, in whatever is called in its block."""

    def __enter__(self) -> Additions:
        self.count = 0
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, _: Any) -> None:
        self.count += event == "call" and frame.f_code is State.__add__.__code__


@pytest.mark.parametrize("length", [1, 7, 150, 299, 1000])
def test_a_state_takes_part_in_a_bounded_number_of_additions(length: int) -> None:
    moving = MovingSum([(place, numeric(place % 5)) for place in range(300)])
    with Additions() as additions:
        for start in range(-length, 300):
            moving.within(start, start + length)
    assert additions.count <= 5 * 300


def drifts(fields: list[str], window: str) -> MetricsQuery:
    def question(name: str) -> dict[str, Any]:
        baseline = {"dataset_type": "serving", "time_period": window}
        datasets = {"data": {"dataset_type": "serving"}, "baseline": baseline}
        return {"metric": "drift_score", "parameters": {"column": name}, "datasets": datasets}

    return MetricsQuery.from_wire(
        {"model_id": "m", "metrics": [question(name) for name in fields], "aggregation_period": "daily"}
    )


FIELDS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("window", ["9999d", "30d"])
def test_five_questions_by_day_against_a_moving_baseline(sqlite_url: str, window: str) -> None:
    """Additions grow with the number of days, not with its square, and so do not the answers change."""
    days = 120
    store_days(sqlite_url, "prod", FIELDS, days)
    with EmbeddedRegistry(sqlite_url, "prod") as registry:
        with Additions() as additions:
            answers = registry.query_metrics(drifts(FIELDS, window))
        assert additions.count <= 5 * 5 * days
        for day in (1, 29, 30, 31, days - 1):
            time_range = asdict(answers[day].time_range)
            start = time_range["start"]
            length = min(day, 30 if window == "30d" else day)
            first = np.datetime64(start[:19]) - np.timedelta64(length * DAY, "s")
            fixed = drifts(FIELDS, window).model_dump()
            for metric in fixed["metrics"]:
                metric["datasets"]["data"]["time_range"] = time_range
                metric["datasets"]["baseline"] |= {
                    "time_period": None,
                    "time_range": {"start": str(first), "end": start},
                }
            (alone,) = registry.query_metrics(MetricsQuery.from_wire({**fixed, "aggregation_period": None}))
            # Advice differs, since it depends on the range of the query.
            pairs = zip(alone.metrics, answers[day].metrics, strict=True)
            assert all(replace(one, reason=None) == replace(other, reason=None) for one, other in pairs)


@pytest.mark.very_slow
def test_states_of_one_field_at_a_time_are_in_memory(sqlite_url: str) -> None:
    store_days(sqlite_url, "prod", FIELDS, 40)
    most = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal most
        if event == "call" and frame.f_code is Series.__init__.__code__:
            gc = sys.modules["gc"]
            most = max(most, sum(type(item) is NumericState for item in gc.get_objects()))

    import gc

    gc.collect()
    before = sum(type(item) is NumericState for item in gc.get_objects())
    with EmbeddedRegistry(sqlite_url, "prod") as registry:
        sys.setprofile(count)
        try:
            registry.query_metrics(drifts(FIELDS, "9999d"))
        finally:
            sys.setprofile(None)
    assert 40 <= most - before < 2 * 40 + 10


def test_the_states_of_a_query_are_limited(sqlite_url: str) -> None:
    fields = [f"f{number}" for number in range(20)]
    store_days(sqlite_url, "prod", fields, 2)
    with EmbeddedRegistry(sqlite_url, "prod") as registry:
        assert len(registry.query_metrics(drifts(fields, "9999d"))) == 2
        with registry.database.write_transaction() as session:
            # 400 more blocks of 31 days; the last of them is in 2053. Nothing of them is read.
            session.connection().exec_driver_sql(
                "WITH RECURSIVE blocks(n) AS (SELECT 31 UNION ALL SELECT n + 31 FROM blocks WHERE n < 12400) "
                "INSERT INTO aporia_state_block (created_at, dataset_key, part, field, span, first, last, "
                "buckets, rows, total, states) SELECT created_at, dataset_key, part, field, span, "
                "first + n * 86400, first + (n + 30) * 86400, 31, rows, total, states "
                "FROM aporia_state_block, blocks"
            )
        query = drifts(fields, "9999d").model_copy(update={"aggregation_period": "monthly"})
        with pytest.raises(
            ValidationError, match=r"reads 256,060 states.*200,000 is the limit.*fewer fields"
        ):
            registry.query_metrics(query)


def test_an_answer_that_is_overdue_is_refused_with_what_to_do(sqlite_url: str) -> None:
    store_days(sqlite_url, "prod", ["a"], 3)
    with EmbeddedRegistry(sqlite_url, "prod") as registry:
        with (
            apply_deadline(Deadline(0)),
            pytest.raises(ValidationError, match=r"after 0 seconds.*shorter time range"),
        ):
            registry.query_metrics(drifts(["a"], "7d"))
        assert len(registry.query_metrics(drifts(["a"], "7d"))) == 3
    assert not issubclass(DeadlineExceededError, AporiaError)


class Stopping(threading.Event):
    """Is set once it has been looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_server_that_is_stopped_gives_no_answer_at_all(sqlite_url: str) -> None:
    """Whenever it is: an error inside of an answer would not be worth a retry to the client."""
    store_days(sqlite_url, "prod", ["a"], 3)
    with EmbeddedRegistry(sqlite_url, "prod") as registry:
        never = Stopping(sys.maxsize)
        with apply_deadline(Deadline(60, never)):
            assert len(registry.query_metrics(drifts(["a"], "7d"))) == 3
        for looks in range(sys.maxsize - never.left):
            with (
                apply_deadline(Deadline(60, Stopping(looks))),
                pytest.raises(ShutdownError, match="try again"),
            ):
                registry.query_metrics(drifts(["a"], "7d"))

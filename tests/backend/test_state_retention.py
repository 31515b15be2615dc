"""States that retention drops: their sums remain, and queries tell what they lack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.monitors.measures import Measures, Question
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.store.profiles import is_stored, replace_profile
from aporia_provider.backend.store.retention_cutoffs import RetentionCutoffs
from aporia_provider.backend.store.state_retention import drop_states
from aporia_provider.backend.store.sync_tables import FIELDS, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import TransientError
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State
from aporia_provider.retention import Retention
from aporia_provider.schema import VersionSchema
from tests.backend.syncing import DAY

pytestmark = pytest.mark.slow

HOUR = 3_600
NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
FIRST = int(datetime(2025, 11, 16, tzinfo=UTC).timestamp())
DAYS = 120
RETENTION = {
    "hourly": "hourly for 10 days, daily for 45 days, monthly for 3 months",
    "daily": "daily for 45 days, monthly for 3 months",
}
# By hand: 45 days before now is February 3, and 3 months before is December 20.
FEBRUARY, DECEMBER = (int(datetime(*day, tzinfo=UTC).timestamp()) for day in ((2026, 2, 1), (2025, 12, 1)))
TENTH_OF_MARCH = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp())
BINS = NumericBins.of(np.arange(40.0))
Places = dict[tuple[int | None, str], State]


def made(bucket: int | None) -> dict[str, State]:
    """The states of two rows of a bucket."""
    values = np.random.default_rng(0 if bucket is None else bucket).normal(20, 5, 2)
    return {"rows": RowState(rows=2), "features.a": NumericState.of(values, 0, BINS)}


def places(seconds: int, start: int = FIRST) -> Places:
    buckets = [start + day * DAY + hour * HOUR for day in range(DAYS) for hour in (0, 7, 23)]
    aligned = [*dict.fromkeys(bucket // seconds * seconds for bucket in buckets), None]
    return {(bucket, field): state for bucket in aligned for field, state in made(bucket).items()}


class Stored:
    """A model whose states are stored without a sync."""

    def __init__(self, registry: EmbeddedRegistry, period: Any, start: int = FIRST) -> None:
        self.registry, self.seconds = registry, {"hourly": HOUR, "daily": DAY}[period]
        self.retention = Retention.parse(RETENTION[period])
        source = S3DataSource(object_path="b/k", object_format="delta")
        self.schema = VersionSchema(
            model_type="binary", features={"a": "numeric"}, predictions={"p": "boolean"}
        )
        dataset = DatasetConnection(role="serving", data_source=source, id_column="i", timestamp_column="t")
        registry.create_model(Model(id="m", name="M", aggregation_period=period, retention=self.retention))
        registry.create_model_version("m", "v1", self.schema)
        registry.connect_dataset("m", "v1", dataset)
        with registry.database.write_transaction() as session:
            self.key = session.scalars(select(DatasetRow.key)).one()
            self.version = session.scalars(select(VersionRow.key)).one()
            session.add(SyncRow(dataset_key=self.key, part=FIELDS, started_at=utc_now(), synced_at=utc_now()))
            replace_profile(
                session, self.key, FIELDS, places(self.seconds, start), None, null_timestamps=True
            )

    @property
    def cutoffs(self) -> RetentionCutoffs:
        return RetentionCutoffs.of(self.retention, NOW)

    def drop(self, now: datetime = NOW) -> int:
        with self.registry.database.write_transaction() as session:
            return drop_states(session, self.version, self.retention, now)

    def replace(self, states: Places, intervals: list[tuple[int, int]]) -> None:
        with self.registry.database.write_transaction() as session:
            replace_profile(session, self.key, FIELDS, states, intervals, False, self.cutoffs)

    def is_stored(self, states: Places) -> bool:
        with self.registry.database.read_transaction() as session:
            return is_stored(session, self.key, FIELDS, states, self.cutoffs)

    def answers(
        self, period: str | None, start: int | None = None, end: int | None = None, metric: str = "mean"
    ) -> dict[str | None, Any]:
        """Results by the start of their range."""
        within = None if start is None or end is None else {"start": _time(start), "end": _time(end)}
        question = {
            "id": "q",
            "metric": metric,
            "parameters": {"column": None if metric == "duplicate_ids" else "a"},
            "datasets": {"data": {"dataset_type": "serving", "model_version": "v1", "time_range": within}},
        }
        query = MetricsQuery.from_wire({"model_id": "m", "metrics": [question], "aggregation_period": period})
        return {
            item.time_range and item.time_range.start: item.metrics[0]
            for item in self.registry.query_metrics(query)
        }

    def size(self) -> int:
        row = StateBlockRow
        with self.registry.database.read_transaction() as session:
            lengths = func.coalesce(func.length(row.states), 0) + func.coalesce(func.length(row.total), 0)
            return session.scalars(select(func.sum(lengths))).one()


def _time(second: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).isoformat()


@pytest.fixture(params=RETENTION)
def period(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stored(ready_url: str, period: str) -> Iterator[Stored]:
    with EmbeddedRegistry(ready_url, "prod") as registry:
        yield Stored(registry, period)


def test_answers_from_sums_do_not_change(stored: Stored) -> None:
    end = FIRST + DAYS * DAY
    asked = {
        "daily": (FEBRUARY, end),
        "weekly": (FEBRUARY, end),
        "monthly": (DECEMBER, end),
        None: (DECEMBER, end),
    }
    before = {period: stored.answers(period, *within) for period, within in asked.items()}
    size, status = stored.size(), stored.registry.get_dataset_sync_status("m", "v1", "serving")
    assert all(answer.status == "ok" for answer in before["daily"].values())
    assert stored.drop() > 0
    assert {period: stored.answers(period, *within) for period, within in asked.items()} == before
    assert stored.size() < size
    after = stored.registry.get_dataset_sync_status("m", "v1", "serving")
    lost = (DECEMBER - FIRST) // DAY * (3 if stored.seconds == HOUR else 1)
    assert after["buckets"] == status["buckets"] - lost
    assert after["rows"] == status["rows"] - 2 * lost
    assert after["retention"] == str(stored.retention)
    assert stored.drop() == 0


def test_days_that_were_dropped_are_not_answered_as_days_without_rows(stored: Stored) -> None:
    before = stored.answers("daily", FIRST, FIRST + DAYS * DAY)
    stored.drop()
    after = stored.answers("daily", FIRST, FIRST + DAYS * DAY)
    assert after.keys() == before.keys()
    for start, answer in after.items():
        assert start is not None
        if datetime.fromisoformat(start).timestamp() >= FEBRUARY:
            assert answer == before[start]
        else:
            assert (answer.status, answer.value, answer.shown) == ("insufficient_data", None, None)
            assert answer.reason is not None
            assert repr(str(stored.retention)) in answer.reason
            assert start[:7] in answer.reason
    # Before the data, there was none.
    empty = stored.answers(None, FIRST - 9 * DAY, FIRST)[_time(FIRST - 9 * DAY)]
    assert empty.reason == "there are no rows in the range"


def test_a_range_that_is_dropped_in_part_has_no_reliable_answer(stored: Stored) -> None:
    stored.drop()
    answer = stored.answers(None, FEBRUARY - 3 * DAY, FEBRUARY + 3 * DAY, "count")[_time(FEBRUARY - 3 * DAY)]
    assert answer.status == "insufficient_data"
    assert answer.value is None
    assert answer.shown == 2 * 3 * (3 if stored.seconds == HOUR else 1)
    assert "2026-01-" in (answer.reason or "")
    # All rows are those that are kept, and the answer says since when.
    answer = stored.answers(None)[None]
    assert answer.status == "ok"
    assert "2025-11-16" in (answer.reason or "")
    days = [*stored.answers("daily").values()]
    assert "2025-11-16" in (days[0].reason or "")
    assert {day.reason for day in days[1:]} == {None}
    assert {day.status for day in days} == {"ok"}


@pytest.mark.parametrize("period", ["hourly"])
def test_hours_are_told_apart_from_days(stored: Stored) -> None:
    before = stored.answers("hourly", TENTH_OF_MARCH, TENTH_OF_MARCH + DAY)
    stored.drop()
    assert stored.answers("hourly", TENTH_OF_MARCH, TENTH_OF_MARCH + DAY) == before
    hours = stored.answers("hourly", TENTH_OF_MARCH - DAY, TENTH_OF_MARCH)
    assert {hour.status for hour in hours.values()} == {"insufficient_data"}
    assert all("2026-03-09" in (hour.reason or "") for hour in hours.values())
    # A result that hours are needed for, and a range that divides a day.
    assert stored.answers("daily", TENTH_OF_MARCH - DAY, TENTH_OF_MARCH, "duplicate_ids").popitem()[1].reason
    divided = stored.answers(None, TENTH_OF_MARCH - DAY + HOUR, TENTH_OF_MARCH + DAY)
    assert divided.popitem()[1].status == "insufficient_data"


def test_states_that_are_replaced_after_they_were_dropped(stored: Stored) -> None:
    """Days are replaced with the whole month if only its sum is kept, and hours with the whole day."""
    stored.drop()
    states = places(stored.seconds)
    changed = (FEBRUARY - 9 * DAY, "features.a"), (TENTH_OF_MARCH - 3 * DAY, "features.a")
    for bucket, field in changed:
        states[bucket, field] = NumericState.of(np.array([1.0, 2.0, 3.0]), 1, BINS)
    intervals = [(bucket, bucket + stored.seconds) for bucket, _ in changed]
    whole = list(stored.cutoffs.whole_sums(intervals))
    month = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    day = TENTH_OF_MARCH - 3 * DAY
    assert whole == [(month, FEBRUARY), (day, day + DAY)]
    new = {
        (bucket, field): state
        for (bucket, field), state in states.items()
        if bucket is not None and any(start <= bucket < end for start, end in whole)
    }
    stored.replace(new, whole)
    stored.drop()
    expected = _fresh(states, stored.seconds)
    for period, start in (("daily", FEBRUARY), ("monthly", DECEMBER)):
        found = stored.answers(period, start, FIRST + DAYS * DAY)
        for begin, answer in found.items():
            first = datetime.fromisoformat(begin or "")
            last = first + timedelta(days=1) if period == "daily" else _next_month(first)
            values = [state for bucket, state in expected if first.timestamp() <= bucket < last.timestamp()]
            total = sum((value.total for value in values), start=0)
            count = sum(value.rows - value.nulls for value in values)
            assert answer.value == pytest.approx(float(total / count), rel=1e-12)


def _fresh(states: Places, seconds: int) -> list[tuple[int, Any]]:
    return [(bucket, state) for (bucket, key), state in states.items() if key == "features.a" and bucket]


def _next_month(first: datetime) -> datetime:
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def test_a_part_of_a_dropped_sum_is_not_replaced(stored: Stored) -> None:
    stored.drop()
    bucket = FEBRUARY - 9 * DAY if stored.seconds == DAY else TENTH_OF_MARCH - 3 * DAY
    with pytest.raises(TransientError, match="sync again"):
        stored.replace({(bucket, "features.a"): made(3)["features.a"]}, [(bucket, bucket + stored.seconds)])


def test_states_that_were_dropped_are_not_new_again(stored: Stored) -> None:
    """Files without a log are read by every sync, and compared with what is stored."""
    states = places(stored.seconds)
    assert stored.is_stored(states)
    stored.drop()
    assert stored.is_stored(states)
    kept = {place: state for place, state in states.items() if (place[0] or FIRST * 2) >= DECEMBER}
    assert stored.is_stored(kept)
    for bucket in (None, DECEMBER, FEBRUARY, TENTH_OF_MARCH):
        other = {**states, (bucket, "features.a"): NumericState.of(np.array([1.0]), 1, BINS)}
        assert not stored.is_stored(other)
        assert not stored.is_stored({place: state for place, state in states.items() if place[0] != bucket})


def test_other_versions_of_the_model_need_no_sync(stored: Stored) -> None:
    stored.registry.create_model_version("m", "v2", stored.schema)
    with stored.registry.database.read_transaction() as session:
        newer = session.scalars(select(VersionRow.key).filter_by(name="v2")).one()
    size = stored.size()
    with stored.registry.database.write_transaction() as session:
        assert drop_states(session, newer, stored.retention, NOW) > 0
        assert drop_states(session, newer, stored.retention, NOW) == 0
    assert stored.size() < size
    assert stored.answers("daily", DECEMBER - DAY, DECEMBER).popitem()[1].status == "insufficient_data"


def test_monitors_read_the_sums_of_days(ready_url: str) -> None:
    now = utc_now()
    today = int(now.timestamp()) // DAY * DAY
    earlier = now - timedelta(days=45)
    month = int(datetime(earlier.year, earlier.month, 1, tzinfo=UTC).timestamp())
    days = [(start, start + DAY) for start in range(month - 2 * DAY, today, DAY)]
    with EmbeddedRegistry(ready_url, "prod") as registry:
        stored = Stored(registry, "hourly", today - DAYS * DAY)
        before = measured(registry, days)
        assert stored.drop(now) > 0
        after = measured(registry, days)
        assert after[2:] == before[2:]
        assert [result.status for result in after[:2]] == ["insufficient_data"] * 2
        hours = [(start, start + HOUR) for start in (today - 15 * DAY, today - 2 * DAY)]
        divided = [(start + HOUR, start + DAY) for start in (today - 15 * DAY, today - 2 * DAY)]
        for windows in (hours, divided):
            assert [result.status for result in measured(registry, windows)] == ["insufficient_data", "ok"]


def measured(registry: EmbeddedRegistry, windows: list[tuple[int, int]]) -> list[Any]:
    """The means that monitors judge."""
    with registry.database.read_transaction() as session:
        model = MonitoredModel(session, "prod", "m")
        version, measures = model.version("v1"), Measures(model)
        ends = [end for window in windows for end in window]
        version.prepare("serving", ["features.a"], (min(ends), max(ends)))
        return [measures.result(version, Question("mean"), "features.a", window) for window in windows]


def test_nothing_is_dropped_for_ever_or_of_a_baseline(ready_url: str) -> None:
    with EmbeddedRegistry(ready_url, "prod") as registry:
        stored = Stored(registry, "hourly")
        stored.retention = Retention.parse("hourly for ever")
        assert stored.drop() == 0
        stored.retention = Retention.parse("hourly for 10 days, daily for ever")
        assert stored.drop() > 0
        assert len(stored.answers("daily")) == DAYS
        with registry.database.write_transaction() as session:
            session.query(DatasetRow).update({"role": "training"})
        stored.retention = Retention.parse("hourly for 1 day")
        assert stored.drop() == 0

"""States in blocks, and sums of them, after random replacements and over random ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.profiles import is_stored, read_profile, replace_profile
from aporia_provider.backend.store.state_blocks import BlockLayout
from aporia_provider.backend.store.state_sums import SPANS, StateSums
from aporia_provider.backend.store.sync_tables import DAY, FIELDS, StateBlockRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State
from aporia_provider.schema import VersionSchema
from tests.backend.stored_states import stored_states
from tests.backend.syncing import SyncedVersion, spread
from tests.processes import starts_process
from tests.sizes import sized

START = 1_704_067_200 - 40 * 86_400
"""2023-11-22: the ranges below cross two ends of months."""
SECONDS = {"hourly": 3_600, "daily": 86_400}
BINS = NumericBins.of(np.arange(40.0))
Places = dict[tuple[int | None, str], State]


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
@starts_process(unless="sqlite")
def registry(request: pytest.FixtureRequest) -> Iterator[EmbeddedRegistry]:
    """Two models, one of hours and one of days, with a dataset each."""
    database = request.getfixturevalue(f"shared_{request.param}")
    with EmbeddedRegistry(database.url.render_as_string(hide_password=False), "blocks") as found:
        source = S3DataSource(object_path="b/k", object_format="delta")
        schema = VersionSchema(model_type="binary", features={"a": "numeric"}, predictions={"p": "boolean"})
        dataset = DatasetConnection(role="serving", data_source=source, id_column="i", timestamp_column="t")
        for period in SECONDS:
            found.create_model(Model(id=period, name="M", aggregation_period=period))  # type: ignore[arg-type]
            found.create_model_version(period, "v1", schema)
            found.connect_dataset(period, "v1", dataset)
        yield found


def dataset_key(registry: EmbeddedRegistry, period: str) -> int:
    query = (
        select(DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
        .where(ModelRow.environment == "blocks", ModelRow.id == period)
    )
    with registry.database.read_transaction() as session:
        return session.scalars(query).one()


def made(number: int) -> State:
    return NumericState.of(np.array([number / 7, float(number % 40)]), number % 3, BINS)


@st.composite
def replacements(draw: st.DrawFn, seconds: int) -> tuple[Places, list[tuple[int, int]] | None, bool]:
    """New states of two fields, the intervals that they replace, and whether those without a time are."""
    longest = 90 * 86_400 // seconds
    ends = sorted(draw(st.sets(st.integers(0, longest), max_size=4)))
    intervals = [(START + first * seconds, START + last * seconds) for first, last in [*pairwise(ends)][::2]]
    null_timestamps = draw(st.booleans())
    everything = draw(st.integers(0, 5)) == 0
    inside = [
        start + seconds * draw(st.integers(0, (end - start) // seconds - 1)) for start, end in intervals * 3
    ]
    buckets: list[int | None] = [*inside, *([None] if null_timestamps or everything else [])]
    states: Places = {}
    for bucket in buckets:
        for field in draw(st.sets(st.sampled_from(["features.a", "features.b"]))):
            states[bucket, field] = made(draw(st.integers(0, 100)))
    return states, None if everything else intervals, null_timestamps


HISTORY = settings(
    max_examples=sized(10, 25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@pytest.mark.parametrize("period", SECONDS)
@HISTORY
@given(data=st.data())
def test_sums_follow_every_replacement(registry: EmbeddedRegistry, period: str, data: st.DataObject) -> None:
    key, seconds, expected = dataset_key(registry, period), SECONDS[period], dict[Any, State]()
    with registry.database.write_transaction() as session:
        replace_profile(session, key, FIELDS, {}, None, null_timestamps=True)
    for _ in range(data.draw(st.integers(1, 5))):
        states, intervals, null_timestamps = data.draw(replacements(seconds))
        kept = {
            place: state
            for place, state in expected.items()
            if intervals is not None
            and not (null_timestamps if place[0] is None else any(a <= place[0] < b for a, b in intervals))
        }
        expected = {**kept, **states}
        with registry.database.write_transaction() as session:
            replace_profile(session, key, FIELDS, dict(states), intervals, null_timestamps)
        with registry.database.read_transaction() as session:
            found = stored_states(session, key)
            assert is_stored(session, key, FIELDS, dict(expected))
        assert found == {
            (FIELDS, field, bucket): state.to_json() for (bucket, field), state in expected.items()
        }
    _check_ranges(registry, key, seconds, expected, data)


def _check_ranges(
    registry: EmbeddedRegistry, key: int, seconds: int, expected: Places, data: st.DataObject
) -> None:
    """Sums of random ranges are those of their buckets, whatever spans are used."""
    whole: list[tuple[int | None, int | None]] = [(None, None)]
    ends = st.integers(-1, 91 * 86_400 // seconds).map(lambda place: START + place * seconds)
    ranges = data.draw(st.lists(st.tuples(ends, ends).map(sorted).map(tuple), max_size=4))
    with registry.database.read_transaction() as session:
        for start, end in whole + ranges:
            for spans in ((), (DAY,), SPANS):
                sums = StateSums(session, key, "features.a", (start, end), spans)
                pieces = sums.read()
                if spans == SPANS:
                    _check_reading_together(session, key, (start, end), spans)
                inside = {
                    bucket: state
                    for (bucket, field), state in expected.items()
                    if field == "features.a"
                    and (
                        (start is None) if bucket is None else (start is None or start <= bucket < (end or 0))
                    )
                }
                known = sorted(bucket for bucket in inside if bucket is not None)
                assert sums.extent == ((known[0], known[-1] + 1) if known else (None, None))
                assert len(pieces) <= sums.pieces
                states = [piece.state for piece in pieces]
                assert (reduce(add, states) if states else None) == (
                    reduce(add, inside.values()) if inside else None
                )
                if not spans:
                    assert {piece.first: piece.state for piece in pieces} == inside


def _check_reading_together(
    session: Session, key: int, within: tuple[int | None, int | None], spans: Sequence[str]
) -> None:
    """Fields that are read together have the states that each has alone, in any order of reading."""
    names = ["features.missing", "features.b", "features.a"]
    together = StateSums.of_fields(session, key, names, within, spans, BlockLayout.of(session, key))
    assert list(together) == names
    for field in (names[2], names[1], names[0], names[2]):
        alone = StateSums(session, key, field, within, spans)
        assert together[field].pieces == alone.pieces
        assert together[field].extent == alone.extent
        assert together[field].read() == alone.read()


@pytest.mark.very_slow
@pytest.mark.slow
def test_a_range_costs_the_number_of_its_sums(registry: EmbeddedRegistry) -> None:
    """Two years of hours from 2024-01-01, and ranges of them that do not begin with a month or a day."""
    first, key = 1_704_067_200, dataset_key(registry, "hourly")
    states = {(first + hour * 3_600, "features.a"): NumericState(rows=hour) for hour in range(731 * 24)}
    with registry.database.write_transaction() as session:
        replace_profile(session, key, FIELDS, dict(states), None, null_timestamps=True)
    expected = {
        (None, None, SPANS): 24,
        (None, None, (DAY,)): 731,
        (None, None, ()): 731 * 24,
        # From 05:00 on the 3rd of January to 02:00 on the 5th of March.
        (first + 53 * 3_600, first + (64 * 24 + 2) * 3_600, SPANS): 19 + 28 + 1 + 4 + 2,
    }
    with registry.database.read_transaction() as session:
        for (start, end, spans), pieces in expected.items():
            sums = StateSums(session, key, "features.a", (start, end), spans)
            assert (sums.pieces if start is None else len(sums.read())) == pieces
    data = {"dataset_type": "serving", "model_version": "v1"}
    metric = {"id": "x", "metric": "count", "parameters": {"column": "a"}, "datasets": {"data": data}}
    query = {"model_id": "hourly", "metrics": [metric]}
    (answer,) = registry.query_metrics(MetricsQuery.from_wire(query))
    assert answer.metrics[0].value == sum(range(731 * 24))


@pytest.mark.slow
def test_large_states_are_divided_into_several_rows(registry: EmbeddedRegistry) -> None:
    """Random numbers cannot be compressed: those of each day come to 160 kB."""
    rng, key = np.random.default_rng(1), dataset_key(registry, "daily")
    counts = [tuple(rng.integers(0, 2**62, 20_000).tolist()) for _ in range(31)]
    states = {
        (1_704_067_200 + day * 86_400, "features.a"): NumericState(rows=1, counts=counts[day])
        for day in range(31)
    }
    with registry.database.write_transaction() as session:
        replace_profile(session, key, FIELDS, dict(states), None, null_timestamps=True)
        changed = {(1_704_067_200, "features.a"): NumericState(rows=2)}
        replace_profile(session, key, FIELDS, dict(changed), [(1_704_067_200, 1_704_153_600)], False)
    with registry.database.read_transaction() as session:
        rows = session.scalars(select(StateBlockRow).filter_by(dataset_key=key)).all()
        assert len(rows) > 4
        assert max(len(row.states or b"") for row in rows) <= 1 << 20
        assert {(bucket, field): state for bucket, field, state in read_profile(session, key, None)} == {
            **states,
            **changed,
        }


def test_states_that_cannot_be_added_are_stored_without_a_sum(registry: EmbeddedRegistry) -> None:
    key, first = dataset_key(registry, "daily"), 1_704_067_200
    states = {
        (first, "features.a"): NumericState(rows=1, counts=(1, 2)),
        (first + 86_400, "features.a"): NumericState(rows=1, counts=(1, 2, 3)),
        (first + 2 * 86_400, "features.a"): RowState(rows=1, id_level=0),
    }
    with registry.database.write_transaction() as session:
        replace_profile(session, key, FIELDS, dict(states), None, null_timestamps=True)
    with registry.database.read_transaction() as session:
        assert session.scalars(select(StateBlockRow.total).filter_by(dataset_key=key)).all() == [None]
        pieces = StateSums(session, key, "features.a", (None, None)).read()
        assert [piece.state for piece in pieces] == list(states.values())


def test_damaged_states_say_what_to_do_and_are_computed_again(monitored: SyncedVersion) -> None:
    monitored.write("serving", spread(1, 3, per_day=4))
    monitored.connect("serving")
    monitored.sync()
    before = monitored.stored()
    with monitored.registry.database.write_transaction() as session:
        session.execute(update(StateBlockRow).values(total=StateBlockRow.states, states=b"\x02" + bytes(20)))
    data = {"dataset_type": "serving", "model_version": "v1"}
    metric = {"id": "x", "metric": "mean", "parameters": {"column": "age"}, "datasets": {"data": data}}
    reasons = {None: "they are not one state", "daily": "their format is 2, and this version reads format 1"}
    start = "The stored states of 'features.age' from 2024-01-01 cannot be read"
    for by, reason in reasons.items():
        query = MetricsQuery.from_wire({"model_id": "churn", "aggregation_period": by, "metrics": [metric]})
        answers = monitored.registry.query_metrics(query)
        (error,) = {answer.metrics[0].error for answer in answers}
        assert error == f"{start}: {reason}. Sync the dataset with full=True to compute them again"
    monitored.write("serving", spread(2, 2, per_day=1, seed=1))
    with pytest.raises(AporiaError, match=r"format is 2.* full=True"):
        monitored.sync()
    monitored.sync(full=True)
    assert monitored.stored().keys() == before.keys()
    monitored.check()

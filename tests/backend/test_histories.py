"""
Random histories: synced after every commit, a table ends with the states that one full scan gives it.

``APORIA_HISTORIES`` says how many are tried.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import ValidationError
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from tests.backend.clones import Clone, DeepClone, ShallowClone, clones
from tests.backend.commits import Append, Commit, Hide, Reshape, Rows, Table, Tidy, bare, commits, rows
from tests.backend.syncing import MODEL, SyncedVersion

pytestmark = pytest.mark.very_slow

log = logging.getLogger(__name__)

HISTORIES = int(os.environ.get("APORIA_HISTORIES", "4"))
SHARDS = 4
SCHEMA = VersionSchema(
    model_type="binary",
    features={
        "age": "numeric",
        "size": "numeric",
        "price": "numeric",
        "ratio": "numeric",
        "city": "categorical",
        "vip": "boolean",
        "emb": "vector",
        "parts": "dict",
        "bag": "dict",
    },
    raw_inputs={"at": "datetime"},
    predictions={"score": "numeric"},
)


@dataclass(frozen=True)
class Step:
    """
    A commit to one of the tables.

    :param synced: Whether it is synced before the next one comes.
    """

    role: str
    commit: Commit | Clone
    synced: bool = True

    @property
    def keeps_rows(self) -> bool:
        return isinstance(self.commit, Tidy | ShallowClone | DeepClone)


@dataclass(frozen=True)
class History:
    """
    What happens to the tables of a version.

    :param baseline: Rows of the training table; without, the first rows that are synced are the baseline.
    :param partitioned: Whether the tables are partitioned, by a column that changes.
    :param segments: Segments, and the number of steps after which each is registered.
    """

    period: str
    partitioned: bool
    baseline: Rows
    first: Rows
    labels: Rows
    steps: tuple[Step, ...]
    segments: tuple[tuple[int, Segment], ...] = ()

    def register_segments(self, monitored: SyncedVersion, steps: int) -> bool:
        """Register the segments after some of the steps; whether there are any."""
        given = [segment for place, segment in self.segments if place == steps]
        for segment in given:
            # The same one may be drawn twice.
            monitored.registry.create_segment(MODEL, segment, if_exists="skip")
        return bool(given)


steps = st.builds(
    Step, st.sampled_from(["serving", "actuals"]), commits | clones, st.integers(0, 4).map(bool)
)
atoms = st.sampled_from(
    [
        *("city = 'Rome'", "city != 'Oslo'", "city is null", "vip", "vip = false", "vip is not null"),
        *("age > 0", "age <= 41.5", "price >= 0.1", "ratio < 16777217", "5 < size", "score >= 0.5"),
        *("score is null", "at >= '2024-01-03'", "emb is null"),
    ]
)
conditions = st.recursive(
    atoms,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or", "&", "|"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        )
        | inner.map(lambda one: f"not ({one})")
    ),
    max_leaves=5,
)
segments = st.one_of(
    st.lists(conditions, min_size=1, max_size=3, unique=True).map(
        lambda texts: Segment(
            name="conditions", conditions=[(text, f"{place}") for place, text in enumerate(texts)]
        )
    ),
    st.just(Segment(name="cities", field="city", values=["Rome", "Bern", "a b/ü%20"])),
    st.just(Segment(name="ages", field="age", edges=[-10, 0, 0.1, 41.5, 1e300])),
)
histories = st.builds(
    History,
    st.sampled_from(["daily", "hourly"]),
    st.booleans(),
    rows | bare,
    rows | bare,
    rows,
    st.lists(steps, min_size=1, max_size=10).map(tuple),
    st.lists(st.tuples(st.integers(0, 5), segments), max_size=3).map(tuple),
)


@contextmanager
def empty_version(migrated: Path, engine: str, period: str) -> Iterator[SyncedVersion]:
    """A version with nothing connected to it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(migrated, folder / "aporia.db")
        with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
            yield SyncedVersion(folder, registry, engine).register(SCHEMA, period)


def live(monitored: SyncedVersion, history: History) -> None:
    """Let all of it happen."""
    if history.baseline:
        Table(monitored, "training").create(history.baseline)
        monitored.connect("training")
    tables = {role: Table(monitored, role, history.partitioned) for role in ("serving", "actuals")}
    for role, first in (("serving", history.first), ("actuals", history.labels)):
        tables[role].create(first)
        monitored.connect(role)
        monitored.sync(role)
    waiting = {"training"} if history.baseline and history.segments else set()
    for place, step in enumerate(history.steps):
        if history.register_segments(monitored, place):
            waiting |= {"serving", "actuals"}
        live_step(monitored, step, tables, waiting)
    if tables["serving"].misses_a_column:
        Reshape().to(tables["serving"])
        waiting.add("serving")
    # No more than that: a sync too many would hide what an earlier one left out.
    for role in sorted(waiting):
        monitored.sync(role)


def live_step(monitored: SyncedVersion, step: Step, tables: dict[str, Table], waiting: set[str]) -> None:
    """Let a commit happen, and sync its table or add its role to those that wait."""
    same = step.keeps_rows and step.role not in waiting
    before = monitored.stored("fields")
    step.commit.to(tables[step.role])
    waiting.add(step.role)
    if step.synced and synced(monitored, step.role, tables["serving"]):
        waiting.discard(step.role)
        assert not same or monitored.stored("fields") == before


def synced(monitored: SyncedVersion, role: str, predictions: Table) -> bool:
    """Sync a dataset; False if it fails, as it has to if the predictions lack a column that is connected."""
    if not predictions.misses_a_column:
        monitored.sync(role)
        return True
    before = monitored.stored("fields")
    with pytest.raises(ValidationError, match="'size'") if role == "serving" else suppress(ValidationError):
        monitored.sync(role)
    if role == "serving":
        assert monitored.stored("fields") == before
    return False


def test_a_label_of_a_prediction_without_a_time(migrated: Path, engine: str) -> None:
    """Chance seldom leaves this as the last word: a later commit of predictions would make good for it."""
    last = Step("actuals", Append(((1, 5, 3),)))
    history = History("daily", False, ((3, 3, 1),), ((1, None, 1), (2, 3, 2)), ((2, 0, 3),), (last,))
    with empty_version(migrated, engine, history.period) as monitored:
        live(monitored, history)
        assert monitored.outcomes()[None].labelled == 1
        monitored.check()


@pytest.mark.parametrize(("role", "partitioned"), [("serving", True), ("actuals", False)])
def test_clones(role: str, partitioned: bool, migrated: Path, engine: str) -> None:
    """A few rows, some of them deleted by deletion vectors, are cloned in both ways before more come."""
    given = ((1, 2, 3), (2, 8, 7), (3, 13, 1), (4, 13, 6))
    commits = (Hide(3, 1), ShallowClone(), DeepClone(), Append(((5, 1, 2), (6, 9, 4))))
    history = History(
        "daily", partitioned, given, given, given, tuple(Step(role, commit) for commit in commits)
    )
    with empty_version(migrated, engine, history.period) as monitored:
        live(monitored, history)
        monitored.check()


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_synced_step_by_step_or_at_once(shard: int, migrated: Path, engine: str) -> None:
    @seed(shard)
    @settings(
        max_examples=-(-HISTORIES // SHARDS),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories)
    def equal(history: History) -> None:
        try:
            with empty_version(migrated, engine, history.period) as monitored:
                live(monitored, history)
                monitored.check()
        except Exception:
            # The last one is the shortest. It is there even if there is no time to shrink it to the end.
            log.exception("This history fails: %r", history)
            raise

    equal()

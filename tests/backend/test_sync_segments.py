"""States of segments: computed with those of all rows, filled in alone, and removed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Monitor
from aporia_provider.segments import Segment
from tests.backend.syncing import MODEL, VERSION, SyncedVersion, bucket, labelled, served, spread

pytestmark = pytest.mark.process

SEGMENTS = (
    Segment(name="city", field="city", values=["Rome", "Oslo", "Bern"]),
    Segment(name="age", field="age", edges=[20, 35, 45, 80]),
    Segment(
        name="overlapping",
        conditions=[
            ("vip = true or age > 40", "important"),
            ("not (city = 'Rome') & score >= 0.5", "elsewhere"),
            ("city is null | age is null", "incomplete"),
        ],
    ),
)
CROSSED = Segment(name="crossed", intersection=("city", "age"))

Rows = Callable[[pd.DataFrame], "pd.Series[bool]"]
SELECTED: dict[tuple[str, str], Rows] = {
    ("city", "Rome"): lambda rows: rows.city == "Rome",
    ("city", "Oslo"): lambda rows: rows.city == "Oslo",
    ("city", "Bern"): lambda rows: rows.city == "Bern",
    ("age", "20"): lambda rows: (rows.age >= 20) & (rows.age < 35),
    ("age", "35"): lambda rows: (rows.age >= 35) & (rows.age < 45),
    ("age", "45"): lambda rows: (rows.age >= 45) & (rows.age <= 80),
    ("overlapping", "important"): lambda rows: rows.vip | (rows.age > 40),
    ("overlapping", "elsewhere"): lambda rows: (
        rows.city.notna() & (rows.city != "Rome") & (rows.score >= 0.5)
    ),
    ("overlapping", "incomplete"): lambda rows: rows.city.isna() | rows.age.isna(),
    ("crossed", "Oslo & 35"): lambda rows: (rows.city == "Oslo") & (rows.age >= 35) & (rows.age < 45),
}
"""Rows of terms, selected by pandas."""


@pytest.fixture
def monitored(folder: Path, migrated: Path, engine: str) -> Iterator[SyncedVersion]:
    with opened(folder, migrated, engine) as version:
        version.write("training", spread(1, 3, 40, seed=7))
        version.connect("training")
        yield version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "monitored"


@contextmanager
def opened(folder: Path, migrated: Path, engine: str) -> Iterator[SyncedVersion]:
    folder.mkdir()
    shutil.copyfile(migrated, folder / "aporia.db")
    with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
        yield SyncedVersion(folder, registry, engine).register()


def register(monitored: SyncedVersion, *segments: Segment) -> None:
    for segment in segments:
        monitored.registry.create_segment(MODEL, segment)


FEW = (("city", "Oslo"), ("age", "45"), ("overlapping", "elsewhere"), ("crossed", "Oslo & 35"))


def check_terms(
    monitored: SyncedVersion, migrated: Path, terms: Iterable[tuple[str, str]], labels: pa.Table | None = None
) -> None:
    """The states of terms are those of a dataset that has only their rows."""
    for place, (segment, label) in enumerate(terms):
        select = SELECTED[segment, label]
        found = of_term(monitored, segment, label)
        rows = monitored.rows("serving")
        listed = rows.to_pandas()
        kept = rows.filter(pa.array(select(listed).fillna(False).to_numpy(dtype=bool)))
        with opened(monitored.folder / f"filtered-{place}", migrated, monitored.engine) as filtered:
            filtered.connect("training", path=monitored.path("training"))
            filtered.write("serving", kept)
            filtered.connect("serving")
            filtered.sync("training")
            if labels is not None:
                filtered.write("actuals", labels)
                filtered.connect("actuals")
            filtered.sync("serving")
            expected = {
                place[1:]: state for place, state in filtered.stored().items() if place[0] == "serving"
            }
        assert found == expected, (segment, label)


def of_term(monitored: SyncedVersion, segment: str, label: str) -> dict[tuple[str, str, int | None], Any]:
    """The stored states of a term of the serving dataset, by part, field and bucket."""
    with monitored.registry.database.read_transaction() as session:
        from aporia_provider.backend.store.segment_tables import SegmentRow

        row = session.query(SegmentRow).filter_by(name=segment).one()
        place = [each for each, _ in row.terms].index(label)
        prefix, parts = (
            f"@{row.key}.{place}:",
            {f"{part}@{row.key}": part for part in ("fields", "performance")},
        )
    return {
        (parts[part], field.removeprefix(prefix), at): state
        for (role, part, field, at), state in monitored.stored(*parts).items()
        if role == "serving" and field.startswith(prefix)
    }


def test_states_are_those_of_the_rows_that_the_conditions_select(
    monitored: SyncedVersion, migrated: Path
) -> None:
    register(monitored, *SEGMENTS, CROSSED)
    monitored.write("serving", spread(5, 9, 30, seed=1))
    monitored.connect("serving")
    monitored.sync("training")
    monitored.sync("serving")
    # Appended, deleted and updated rows, some of which move to another term.
    monitored.write("serving", served(6.2, 9.9, None, seed=2, city=["Oslo", None, "Rome"]))
    monitored.delta("serving").delete("age > 50 and city = 'Bern'")
    monitored.delta("serving").update(predicate="city = 'Rome' and vip", updates={"city": "'Oslo'"})
    ids = monitored.rows("serving")["id"].to_pylist()
    labels = labelled(12, {name: place % 3 == 0 for place, name in enumerate(ids) if place % 4})
    monitored.write("actuals", labels)
    monitored.connect("actuals")
    monitored.sync("serving")
    monitored.sync("actuals")
    check_terms(monitored, migrated, (*FEW, ("overlapping", "incomplete")), labels)
    monitored.check()


def test_a_segment_that_is_added_is_filled_in_alone(monitored: SyncedVersion, migrated: Path) -> None:
    register(monitored, SEGMENTS[0])
    monitored.write("serving", spread(5, 9, 30, seed=1))
    monitored.connect("serving")
    monitored.sync("training")
    monitored.sync("serving")
    whole, city = monitored.status(), of_term(monitored, "city", "Rome")
    register(monitored, *SEGMENTS[1:], CROSSED)
    due = [each["reason"] for each in monitored.registry.explain_due_datasets() if each["role"] == "serving"]
    assert due == ["some segments have not been computed"]
    assert states_of_segments(monitored) == {
        "city": "synced",
        "age": "never_synced",
        "overlapping": "never_synced",
        "crossed": "never_synced",
    }
    done = monitored.sync("serving")
    assert done["changed"]
    # The states of all rows and of the first segment were not computed again.
    assert (done["reason"], done["rows_read"]) == (whole["reason"], whole["rows_read"])
    assert of_term(monitored, "city", "Rome") == city
    assert set(states_of_segments(monitored).values()) == {"synced"}
    check_terms(monitored, migrated, FEW)
    monitored.sync("training")
    assert [each["due"] for each in monitored.registry.explain_due_datasets()] == [False, False]
    assert not monitored.sync("serving")["changed"]


def test_a_segment_that_is_removed_leaves_nothing(monitored: SyncedVersion) -> None:
    register(monitored, *SEGMENTS[:2])
    monitored.write("serving", spread(5, 6, 30, seed=1))
    monitored.connect("serving")
    monitored.sync("serving")
    with monitored.registry.database.read_transaction() as session:
        from aporia_provider.backend.store.segment_tables import SegmentRow

        key = session.query(SegmentRow).filter_by(name="city").one().key
    part = f"fields@{key}"
    assert ("serving", part) in monitored.synced()
    assert monitored.stored(part)
    monitored.registry.delete_segment(MODEL, "city")
    assert ("serving", part) not in monitored.synced()
    assert not monitored.stored(part)
    # One with the same name has states of its own.
    register(monitored, SEGMENTS[0])
    assert states_of_segments(monitored) == {"age": "synced", "city": "never_synced"}


def test_a_dataset_without_the_field_says_so(monitored: SyncedVersion) -> None:
    monitored.write("serving", served(5, ids=["a"]))
    monitored.connect("serving")
    monitored.write("actuals", labelled(6, {"a": True}))
    monitored.connect("actuals")
    register(monitored, Segment(name="high", conditions=[("score > 0.5", "yes")]))
    monitored.sync("actuals")
    (segment,) = monitored.status("actuals")["segments"]
    assert (segment["segment"], segment["status"]) == ("high", "not_computable")
    assert "'score'" in segment["reason"]
    result = answer(monitored, "count", segment={"id": "high", "value": "yes"}, dataset_type="actuals")
    assert (result.value, result.status) == (None, "insufficient_data")
    assert "'score'" in str(result.reason)


def test_metrics_of_a_segment_are_those_of_its_rows(monitored: SyncedVersion) -> None:
    register(monitored, *SEGMENTS, CROSSED)
    monitored.write("serving", spread(5, 9, 30, seed=1))
    monitored.connect("serving")
    monitored.sync("training")
    monitored.sync("serving")
    rows = monitored.rows("serving").to_pandas()
    for (segment, label), select in SELECTED.items():
        kept = rows[select(rows)]
        given = {"segment": {"id": segment, "value": label}}
        assert answer(monitored, "count", **given).value == len(kept)
        mean = answer(monitored, "mean", column="age", **given)
        if len(kept):
            assert mean.value == pytest.approx(kept.age.mean(), rel=1e-12)
            assert mean.segment == given["segment"]
        else:
            assert mean.value is None


def test_drift_compares_a_segment_with_the_same_segment_of_the_baseline(monitored: SyncedVersion) -> None:
    register(monitored, SEGMENTS[0])
    monitored.write("serving", spread(5, 9, 30, seed=1))
    monitored.connect("serving")
    monitored.sync("training")
    monitored.sync("serving")
    rome, oslo = ({"id": "city", "value": city} for city in ("Rome", "Oslo"))

    def distance(data: Mapping[str, str], **baseline: Any) -> Any:
        given = {"baseline": {"dataset_type": "training", **baseline}} if baseline else {}
        few = {"minimum": 1, "minimum_baseline": 1}
        return answer(monitored, "js_distance", column="city", segment=data, **few, **given).value

    # All rows of a city have the same city.
    assert distance(rome) == 0
    assert distance(rome, segment=rome) == 0
    assert distance(rome, segment=oslo) == pytest.approx(1)
    # The divergence from all rows of the training set, of which a part has the city.
    for city, segment in (("Rome", rome), ("Oslo", oslo)):
        share = float((monitored.rows("training").to_pandas().city == city).mean())
        middle = (1 + share) / 2
        divergence = (-math.log2(middle) + share * math.log2(share / middle) + (1 - share)) / 2
        assert distance(segment, segment=None) == pytest.approx(math.sqrt(divergence), rel=1e-9)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ({"id": "ciy", "value": "Rome"}, "'city'"),
        ({"id": "city", "value": "Roma"}, "'Rome'"),
    ],
)
def test_unknown_segments_and_values(monitored: SyncedVersion, segment: Any, message: str) -> None:
    register(monitored, SEGMENTS[0])
    monitored.write("serving", spread(5, 5, 3))
    monitored.connect("serving")
    result = answer(monitored, "count", segment=segment)
    assert result.value is None
    assert message in str(result.error)


def states_of_segments(monitored: SyncedVersion) -> dict[str, str]:
    return {each["segment"]: each["status"] for each in monitored.status()["segments"]}


def answer(
    monitored: SyncedVersion,
    metric: str,
    *,
    segment: Any = None,
    dataset_type: str = "serving",
    baseline: Any = None,
    **parameters: Any,
) -> Any:
    data = {"dataset_type": dataset_type, "segment": segment}
    asked = {
        "metric": metric,
        "parameters": parameters,
        "datasets": {"data": data, **({"baseline": baseline} if baseline else {})},
    }
    query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked]})
    # The wire form of a query means the same.
    query = MetricsQuery.from_wire(query.to_wire())
    (result,) = monitored.registry.query_metrics(query)
    return result.metrics[0]


def test_buckets_are_those_of_the_term(monitored: SyncedVersion) -> None:
    register(monitored, SEGMENTS[0])
    monitored.write("serving", served(5.1, 6.1, 6.2, city=["Rome", "Oslo", "Rome"]))
    monitored.connect("serving")
    monitored.sync("serving")
    buckets = {at for _, field, at in of_term(monitored, "city", "Oslo") if field == "rows"}
    assert buckets == {bucket(6)}


def test_a_monitor_judges_each_value_and_again_after_late_rows(monitored: SyncedVersion) -> None:
    register(monitored, SEGMENTS[0])
    settings = {"metric": {"type": "count"}, "logicEvaluations": [{"name": "RANGE", "min": 3}]}
    identification = {"models": {"id": MODEL}, "segment": {"group": "city", "value": None}}
    body = {"identification": identification, "configuration": settings}
    monitor = Monitor(name="rows", type="model_activity", scheduling="0 * * * *", configuration=body)
    monitored.registry.create_monitor(monitor)
    monitored.write("serving", served(5.1, 5.2, 5.3, 5.4, city=["Rome", "Oslo", "Rome", "Rome"]))
    monitored.connect("serving")
    monitored.sync("serving")
    day, after = (datetime.fromtimestamp(bucket(number), UTC) for number in (5, 6))

    def failing() -> dict[str | None, float | None]:
        monitored.registry.evaluate_monitors(MODEL, now=after, start=day, end=after)
        alerts = monitored.registry.get_alerts(MODEL)
        of_day = [alert for alert in alerts if datetime.fromisoformat(alert.start) <= day]
        return {alert.segment: alert.failed[0].value for alert in of_day if alert.occurrences}

    assert failing() == {"city = Oslo": 1, "city = Bern": 0}
    monitored.write("serving", served(5.5, 5.6, ids=["late", "later"], city=["Oslo", "Oslo"]))
    monitored.sync("serving")
    monitored.registry.evaluate_monitors(MODEL, now=after, start=day, end=after)
    found = monitored.registry.get_verdicts(MODEL, VERSION, end=after)
    assert {each.segment: each.outcome for each in found} == {
        "city = Bern": "fail",
        "city = Oslo": "pass",
        "city = Rome": "pass",
    }

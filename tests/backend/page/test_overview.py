"""Contents of the overview: states of models, their order, and numbers by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from aporia_provider.backend.page.contents.model_lines import model_lines
from aporia_provider.backend.page.contents.model_summary import SummaryCache, model_summary
from aporia_provider.backend.page.contents.overview import Overview, Selection, overview
from aporia_provider.backend.store.sync_tables import SyncRow
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.models import Model
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    configuration,
    labelled,
    on,
    rows,
    usual,
)
from tests.backend.page.alerted import DAYS, HOSTILE, LONG, alerted_model


@pytest.fixture(scope="module")
def alerted(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredModel]:
    with alerted_model(copied(migrated, tmp_path_factory.mktemp("overview"))) as model:
        yield model


@pytest.fixture
def model(tmp_path: Path, migrated: Path) -> Iterator[MonitoredModel]:
    with MonitoredModel(copied(migrated, tmp_path), "e") as found:
        yield found


def shown(model: MonitoredModel, **selection: str) -> Overview:
    return overview(model.registry, Selection(**selection), SummaryCache())  # type: ignore[arg-type]


def names(found: Overview) -> list[str]:
    return [each.line.name for each in found.models]


def test_models_with_alerts_come_first(alerted: MonitoredModel) -> None:
    found = shown(alerted)
    assert names(found) == ["The <model>", HOSTILE, LONG]
    first, second, _ = found.models
    assert (first.state.kind, first.state.severity, first.state.reason) == ("alert", "LOW", "1 low")
    assert (second.state.kind, second.state.reason) == ("stale", "The model has no version")
    assert found.counts == {"alert": 1, "stale": 2, "insufficient": 0, "healthy": 0}
    assert [alert.monitor for alert in found.alerts] == ["Missing ages"]
    assert (found.total, found.matching, found.pages, found.alerts_left_out) == (3, 3, 1, 0)


def test_rows_are_those_of_each_day(alerted: MonitoredModel) -> None:
    line = shown(alerted).models[0].line
    assert (line.version, line.versions) == ("v1", 2)
    assert [each.day for each in line.days] == [on(day) for day in range(DAYS - 29, DAYS + 1)]
    # The last day has fields, but no state of its rows.
    assert [each.rows for each in line.days] == [300] * 30


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"search": "SCRIPT>"}, [HOSTILE]),
        ({"search": "m"}, ["The <model>"]),
        ({"state": "stale"}, [HOSTILE, LONG]),
        ({"state": "healthy"}, []),
        ({"sort": "name"}, [HOSTILE, LONG, "The <model>"]),
        ({"sort": "rows"}, ["The <model>", HOSTILE, LONG]),
        ({"sort": "no such order"}, ["The <model>", HOSTILE, LONG]),
    ],
)
def test_selections(alerted: MonitoredModel, selection: dict[str, str], expected: list[str]) -> None:
    assert names(shown(alerted, **selection)) == expected


def test_other_environments_are_not_shown(alerted: MonitoredModel) -> None:
    with alerted.registry.database.read_transaction() as session:
        assert model_lines(session, "another") == []


def test_a_model_is_healthy_if_its_monitors_pass(model: MonitoredModel) -> None:
    model.store({day: usual() for day in range(3)})
    model.complete_until(on(3))
    assert shown(model).models[0].state.reason == "No monitor has judged it"
    model.monitor("model_activity", configuration("count", {"name": "RANGE", "min": 100.0}), name="Rows")
    model.evaluate(3)
    state = shown(model).models[0].state
    assert (state.kind, state.reason) == ("healthy", "1 monitors passed")
    model.store({3: {**usual(), "rows": rows(10)}})
    model.complete_until(on(4))
    model.evaluate(4)
    assert shown(model).models[0].state.severity == "LOW"


def test_a_model_is_stale_if_its_syncs_fail_or_stop(model: MonitoredModel) -> None:
    model.store({0: usual()})
    later = overview(
        model.registry, Selection(), SummaryCache(), now=utc_now() + timedelta(days=3, minutes=1)
    )
    assert later.models[0].state.reason == "The last sync was 3 days ago"
    with model.registry.database.write_transaction() as session:
        for row in session.scalars(select(SyncRow)):
            row.error, row.latest_version, row.position = "planted error", 7, {"serving": {"version": 4}}
    found = shown(model).models[0]
    assert (found.state.kind, found.state.reason) == ("stale", "The last sync failed")
    assert found.line.sync is not None
    assert found.line.sync.lag == 3
    model.registry.create_model(Model(id="other", name="other"))
    assert names(shown(model, sort="lag")) == ["The <model>", "other"]


def test_a_summary_is_kept_until_a_sync_changes_states(model: MonitoredModel) -> None:
    cache = SummaryCache()
    model.store({day: usual() for day in range(10)}, role="training")
    model.store({day: labelled() for day in range(10)}, role="training", part="performance")
    model.store({day: usual() for day in range(3)})
    model.store({day: labelled() for day in range(2)}, part="performance")
    assert overview(model.registry, Selection(), cache).models[0].summary is None
    found = model_summary(model.registry, "m", cache)
    assert found.metric == "auc_roc"
    # 90 of 110 positives and 10 of 190 negatives have the high score.
    assert found.last_realised is not None
    assert found.last_realised.measured.value == pytest.approx((90 / 110 + 180 / 190) / 2)
    assert found.last_realised.day == on(1)
    assert overview(model.registry, Selection(), cache).models[0].summary is found
    model.store({1: labelled(110, 0, 0, 190)}, part="performance")
    with model.registry.database.write_transaction() as session:
        for row in session.scalars(select(SyncRow)):
            row.position = {"serving": {"version": 9}}
    assert overview(model.registry, Selection(), cache).models[0].summary is None
    again = model_summary(model.registry, "m", cache)
    assert again.last_realised is not None
    assert again.last_realised.measured.value == pytest.approx(1)

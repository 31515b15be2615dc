"""Alerts whose asset events tasks emit: each is claimed by one task at a time, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.monitor_tables import AlertRow
from tests.backend.monitors.test_alerts import MonitoredModel
from tests.processes import starts_process


@pytest.fixture(params=["shared_sqlite", "shared_postgres"])
@starts_process(unless="shared_sqlite")
def model(request: pytest.FixtureRequest, environment: str) -> Iterator[MonitoredModel]:
    """A model each of whose fields has alerts of its own."""
    return MonitoredModel(request.getfixturevalue(request.param), environment, alertGroupByEntity=False)


def fields(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def open_alerts(model: MonitoredModel, prefix: str, count: int) -> None:
    model.record_fields(0, **dict.fromkeys(fields(prefix, count), "F"))


def claimed(model: MonitoredModel, claimant: str) -> set[str]:
    """The fields of the alerts that a task receives."""
    found = model.registry.claim_opened_alerts(claimant)
    return {str(alert.failed[0].field).removeprefix("features.") for alert in found}


def confirm(model: MonitoredModel, claimant: str, emitted: set[str]) -> None:
    ids = [
        alert.id
        for alert in model.registry.get_alerts("m", limit=1000)
        if str(alert.failed[0].field).removeprefix("features.") in emitted
    ]
    model.registry.confirm_alert_events(claimant, ids)


def let_pass(database: Database, time: timedelta) -> None:
    """Let claims be older than they are."""
    with database.write_transaction() as session:
        for alert in session.scalars(select(AlertRow).where(AlertRow.claimed_until.is_not(None))):
            assert alert.claimed_until is not None
            alert.claimed_until -= time


def test_a_claim_that_is_not_confirmed_is_free_after_an_hour(model: MonitoredModel) -> None:
    open_alerts(model, "f", 2)
    assert claimed(model, "first") == {"f0", "f1"}
    confirm(model, "first", {"f1"})
    let_pass(model.registry.database, timedelta(minutes=59))
    assert claimed(model, "second") == set()
    let_pass(model.registry.database, timedelta(minutes=2))
    assert claimed(model, "second") == {"f0"}
    assert claimed(model, "first") == set()


def test_a_retry_receives_its_alerts_until_they_are_confirmed(model: MonitoredModel) -> None:
    open_alerts(model, "f", 1)
    assert claimed(model, "first") == claimed(model, "first") == {"f0"}
    confirm(model, "first", {"f0"})
    let_pass(model.registry.database, timedelta(days=9))
    assert claimed(model, "first") == claimed(model, "second") == set()


def test_no_alert_is_lost_to_the_limit_of_a_retry(model: MonitoredModel) -> None:
    """A retry emits the newest 100; what it claimed before and does not emit is free at once."""
    open_alerts(model, "old", 105)
    first = claimed(model, "first")
    assert len(first) == 100
    model.record_fields(1, **dict.fromkeys([*fields("old", 105), *fields("new", 30)], "F"))
    again = claimed(model, "first")
    assert len(again) == 100
    assert {field for field in again if field.startswith("new")} == set(fields("new", 30))
    rest = claimed(model, "second")
    assert (len(rest), again & rest) == (35, set())


def test_confirming_the_alerts_of_another_environment_changes_nothing(model: MonitoredModel) -> None:
    open_alerts(model, "f", 1)
    assert claimed(model, "first") == {"f0"}
    other = Registry(model.registry.database, f"{model.registry.environment}-other")
    other.confirm_alert_events("first", [alert.id for alert in model.registry.get_alerts("m")])
    assert claimed(model, "first") == {"f0"}


def test_tasks_at_the_same_time_receive_each_alert_once(model: MonitoredModel) -> None:
    open_alerts(model, "f", 220)
    received: list[str] = []
    barrier = threading.Barrier(4)

    def emit(claimant: str) -> None:
        barrier.wait(120)
        while found := model.registry.claim_opened_alerts(claimant):
            received.extend(alert.id for alert in found)
            model.registry.confirm_alert_events(claimant, [alert.id for alert in found])

    threads = [threading.Thread(target=emit, args=[f"task {number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A task that found all alerts locked has ended; those that others released remain for the next task.
    emit_rest = claimed(model, "last")
    assert len(received) == len(set(received))
    assert len(received) + len(emit_rest) == 220


def test_tasks_that_fail_at_the_same_time_lose_no_alert(model: MonitoredModel) -> None:
    open_alerts(model, "f", 130)
    barrier = threading.Barrier(4)

    def fail(claimant: str) -> None:
        barrier.wait(120)
        for _ in range(3):
            model.registry.claim_opened_alerts(claimant)

    threads = [threading.Thread(target=fail, args=[f"task {number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    let_pass(model.registry.database, timedelta(hours=1))
    found: set[str] = set()
    while more := claimed(model, "last"):
        confirm(model, "last", more)
        found |= more
    assert found == set(fields("f", 130))

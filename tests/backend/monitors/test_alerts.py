"""Alerts: opened, recurring, resolved, acknowledged, snoozed and delivered."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from aporia_provider.alerts import Alert, AlertEvent
from aporia_provider.backend.monitors.alert_recording import record_verdicts
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.tables import MonitorRow, VersionRow
from aporia_provider.errors import AporiaError, NotFoundError, ValidationError
from aporia_provider.models import Model, Monitor
from aporia_provider.schema import VersionSchema
from aporia_provider.verdicts import Outcome, Verdict, WindowVerdict
from tests.processes import starts_process
from tests.sizes import sized

DAY = 86_400
NOW = datetime(2024, 3, 1, tzinfo=UTC)
LETTERS: dict[str, Outcome] = {"F": "fail", "p": "pass", "i": "insufficient"}


class MonitoredModel:
    """A model with a version and a monitor, and verdicts that are recorded without an evaluation."""

    def __init__(self, database: Database, environment: str, **action: Any) -> None:
        self.registry = Registry(database, environment)
        self.registry.create_model(Model(id="m", name="M"))
        schema = VersionSchema(
            model_type="regression", features={"a": "numeric", "b": "numeric"}, predictions={"y": "numeric"}
        )
        self.registry.create_model_version("m", "v1", schema)
        configuration = {
            "identification": {"models": {"id": "m"}},
            "configuration": {"actions": [{"severity": "HIGH", **action}]},
        }
        monitor = Monitor(
            name="Rows", type="model_activity", scheduling="0 * * * *", configuration=configuration
        )
        self.monitor_id = self.registry.create_monitor(monitor)["id"]

    def record(self, day: int, letters: str, now: datetime = NOW) -> None:
        """Record windows of a day, one for each letter."""
        self.record_windows(
            [_window(day + place, {None: letter}) for place, letter in enumerate(letters)], now
        )

    def record_fields(self, day: int, **letters: str) -> None:
        """Record one window with a verdict for each field."""
        self.record_windows([_window(day, {f"features.{name}": each for name, each in letters.items()})])

    def record_windows(self, windows: Sequence[WindowVerdict], now: datetime = NOW) -> None:
        with self.registry.database.write_transaction() as session:
            query = select(MonitorRow).filter_by(id=self.monitor_id).with_for_update()
            monitor = session.scalars(query).one()
            keys = {row.name: row.key for row in session.scalars(select(VersionRow))}
            record_verdicts(session, {monitor: windows}, now, keys)

    @property
    def alerts(self) -> list[Alert]:
        """The alerts, oldest first."""
        return sorted(self.registry.get_alerts("m"), key=lambda alert: (alert.start, alert.id))

    @property
    def summary(self) -> list[tuple[str, int, str]]:
        """Status, occurrences and kinds of the changes of each alert."""
        return [
            (alert.status, alert.occurrences, " ".join(event.kind for event in alert.history))
            for alert in self.alerts
        ]


def _window(day: int, letters: dict[str | None, str]) -> WindowVerdict:
    verdicts = tuple(
        Verdict(outcome=LETTERS[letter], metric="count", field=field, value=float(day), effect=1.0)
        for field, letter in letters.items()
    )
    return WindowVerdict(
        model_version="v1",
        start=day * DAY,
        end=(day + 1) * DAY,
        verdicts=verdicts,
        description=f"Day {day}",
    )


@pytest.fixture(params=["shared_sqlite", "shared_postgres"])
@starts_process(unless="shared_sqlite")
def database(request: pytest.FixtureRequest) -> Database:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def model(database: Database, environment: str) -> Iterator[MonitoredModel]:
    return MonitoredModel(database, environment)


def test_an_alert_opens_recurs_and_is_resolved(model: MonitoredModel) -> None:
    model.record(0, "p")
    assert model.alerts == []
    model.record(1, "F")
    (alert,) = model.alerts
    assert (alert.model_id, alert.model_version, alert.monitor, alert.monitor_type) == (
        "m",
        "v1",
        "Rows",
        "model_activity",
    )
    assert (alert.severity, alert.status, alert.description) == ("HIGH", "open", "Day 1")
    assert (alert.start, alert.end) == ("1970-01-02T00:00:00+00:00", "1970-01-03T00:00:00+00:00")
    model.record(2, "F")
    assert model.summary == [("open", 2, "opened recurred")]
    assert [verdict.value for verdict in model.alerts[0].failed] == [2.0]
    model.record(3, "i")
    assert model.summary == [("open", 2, "opened recurred")]
    model.record(4, "p")
    assert model.summary == [("resolved", 2, "opened recurred resolved")]
    assert model.alerts[0].resolved_at == NOW.isoformat()


def test_the_same_verdicts_again_change_nothing(model: MonitoredModel) -> None:
    model.record(0, "pFFp")
    before = model.alerts
    model.record(0, "pFFp", NOW + timedelta(days=1))
    assert model.alerts == before


def test_a_later_failure_is_another_alert(model: MonitoredModel) -> None:
    model.record(0, "FpF")
    assert model.summary == [("resolved", 1, "opened resolved"), ("open", 1, "opened")]


def test_a_failure_within_the_time_of_grouping_opens_the_alert_again(
    database: Database, environment: str
) -> None:
    grouped = {"alertGroupByTime": True, "alertGroupTimeUnit": "d", "alertGroupTimeQuantity": 2}
    model = MonitoredModel(database, environment, **grouped)
    model.record(0, "Fp")
    model.record(2, "F")
    assert model.summary == [("open", 2, "opened resolved recurred")]
    model.record(3, "ppp")
    model.record(6, "F")
    assert [status for status, *_ in model.summary] == ["resolved", "open"]


def test_late_labels_resolve_an_alert_once(model: MonitoredModel) -> None:
    model.record(0, "pF")
    for _ in range(2):
        model.record(1, "p")
    assert model.summary == [("resolved", 1, "opened resolved")]
    assert model.alerts[0].history[-1].details["retracted"] is True


def test_late_labels_open_an_alert_once(model: MonitoredModel) -> None:
    model.record(0, "ppp")
    for _ in range(2):
        model.record(1, "F")
    assert model.summary == [("resolved", 1, "opened resolved")]


def test_late_labels_join_two_alerts(model: MonitoredModel) -> None:
    model.record(0, "FpF")
    first, second = model.alerts
    model.record(1, "F")
    assert [(alert.id, alert.status, alert.occurrences) for alert in model.alerts] == [
        (first.id, "open", 3),
        (second.id, "resolved", 1),
    ]
    assert model.alerts[1].history[-1].details["merged_into"] == first.id


def test_fields_of_one_window_are_one_alert(model: MonitoredModel) -> None:
    model.record_fields(0, a="F", b="p")
    model.record_fields(1, a="p", b="F")
    assert model.summary == [("open", 2, "opened recurred")]
    assert [verdict.field for verdict in model.alerts[0].failed] == ["features.b"]


def test_fields_have_their_own_alerts_if_they_are_not_grouped(database: Database, environment: str) -> None:
    model = MonitoredModel(database, environment, alertGroupByEntity=False)
    model.record_fields(0, a="F", b="F")
    model.record_fields(1, a="p", b="i")
    by_field = {alert.failed[0].field: alert.status for alert in model.alerts}
    assert by_field == {"features.a": "resolved", "features.b": "open"}


@settings(max_examples=sized(5, 10), deadline=None)
@given(data=st.data(), letters=st.text("Fpi", min_size=1, max_size=8))
def test_alerts_hold_exactly_the_failed_windows(
    shared_sqlite: Database, data: st.DataObject, letters: str
) -> None:
    model = MonitoredModel(shared_sqlite, f"environment-{uuid.uuid4().hex}")
    current = dict(enumerate(letters))
    for day in data.draw(st.permutations(sorted(current))):
        model.record(day, current[day])
    for day, letter in data.draw(
        st.dictionaries(st.sampled_from(sorted(current)), st.sampled_from("Fpi"))
    ).items():
        current[day] = letter
        model.record(day, letter)
    final = "".join(current[day] for day in sorted(current)).replace("i", "")
    live = [alert for alert in model.alerts if not _is_void(alert)]
    assert sum(alert.occurrences for alert in live) == final.count("F")
    assert [alert.status for alert in live].count("open") == final.endswith("F")


def _is_void(alert: Alert) -> bool:
    last = alert.history[-1].details
    return "retracted" in last or "merged_into" in last


def test_the_first_acknowledgement_remains(model: MonitoredModel) -> None:
    model.record(0, "F")
    alert_id = model.alerts[0].id
    first = model.registry.acknowledge_alert(alert_id, "ann@example.com")
    second = model.registry.acknowledge_alert(alert_id, "bob@example.com")
    assert (first.acknowledged_by, second.acknowledged_by) == ("ann@example.com", "ann@example.com")
    assert model.summary == [("open", 1, "opened acknowledged")]


def test_unknown_alerts_and_invalid_arguments_are_refused(model: MonitoredModel) -> None:
    refused: list[tuple[type[AporiaError], Callable[[], object]]] = [
        (NotFoundError, lambda: model.registry.acknowledge_alert("x")),
        (NotFoundError, lambda: model.registry.snooze_alert("x", NOW)),
        (NotFoundError, lambda: model.registry.get_alerts("unknown")),
        (ValidationError, lambda: model.registry.get_alerts(limit=0)),
        (ValidationError, lambda: model.registry.get_alerts(status="closed")),  # type: ignore[arg-type]
        (ValidationError, lambda: model.registry.snooze_alert("x", datetime(2024, 1, 1))),  # noqa: DTZ001
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()


def test_another_environment_sees_and_changes_nothing(model: MonitoredModel) -> None:
    model.record(0, "F")
    other = Registry(model.registry.database, f"{model.registry.environment}-other")
    assert other.get_alerts() == []
    with pytest.raises(NotFoundError):
        other.acknowledge_alert(model.alerts[0].id)


def test_events_are_delivered_once_and_in_order(model: MonitoredModel) -> None:
    model.record(0, "F")
    model.registry.acknowledge_alert(model.alerts[0].id)
    model.record(1, "Fp")
    sent: list[tuple[str, str]] = []
    report = model.registry.deliver_alert_events(
        lambda alert, event: sent.append((alert.monitor, event.kind))
    )
    assert sent == [("Rows", "opened"), ("Rows", "recurred"), ("Rows", "resolved")]
    assert (report.sent, report.errors) == (3, {})
    assert model.registry.deliver_alert_events(lambda *_: pytest.fail("sent twice")).sent == 0


def test_an_event_that_could_not_be_sent_is_sent_by_the_next_delivery(model: MonitoredModel) -> None:
    model.record(0, "Fp")
    (alert,) = model.alerts

    def refuse(*_: object) -> None:
        raise ConnectionError("no route; password=hunter2")

    report = model.registry.deliver_alert_events(refuse)
    assert report.sent == 0
    assert list(report.errors) == [alert.id]
    assert "hunter2" not in report.errors[alert.id]
    kinds: list[str] = []
    model.registry.deliver_alert_events(lambda _, event: kinds.append(event.kind))
    assert kinds == ["opened", "resolved"]


def test_a_receiver_that_has_received_an_event_does_not_receive_it_again(model: MonitoredModel) -> None:
    model.record(0, "Fp")
    received: dict[str, list[str]] = {"first": [], "third": []}

    def refuse(*_: object) -> None:
        raise ConnectionError("no route")

    def receive(name: str) -> Callable[[Alert, AlertEvent], None]:
        return lambda _, event: received[name].append(event.kind)

    receivers = {"first": receive("first"), "second": refuse, "third": receive("third")}
    report = model.registry.deliver_alert_events(receivers)
    assert (report.sent, list(report.errors.values())) == (0, ["second: ConnectionError: no route"])
    assert received == {"first": ["opened"], "third": ["opened"]}
    received["second"] = []
    report = model.registry.deliver_alert_events({name: receive(name) for name in received})
    assert (report.sent, report.errors) == (2, {})
    assert received == {
        "first": ["opened", "resolved"],
        "second": ["opened", "resolved"],
        "third": ["opened", "resolved"],
    }


def test_events_of_a_snoozed_alert_wait(model: MonitoredModel) -> None:
    model.record(0, "F")
    alert_id = model.alerts[0].id
    model.registry.snooze_alert(alert_id, datetime.now(UTC) + timedelta(hours=1))
    assert model.registry.deliver_alert_events(lambda *_: None).sent == 0
    model.registry.snooze_alert(alert_id, datetime.now(UTC) - timedelta(hours=1))
    assert model.registry.deliver_alert_events(lambda *_: None).sent == 1


def test_two_deliveries_at_once_send_each_event_once(model: MonitoredModel) -> None:
    for day in range(0, 20, 2):
        model.record(day, "Fp")
    sent: list[tuple[str, AlertEvent]] = []
    barrier = threading.Barrier(2)

    def deliver() -> None:
        barrier.wait(120)
        model.registry.deliver_alert_events(lambda alert, event: sent.append((alert.id, event)))

    threads = [threading.Thread(target=deliver) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 20
    assert len({(alert_id, event.kind) for alert_id, event in sent}) == 20

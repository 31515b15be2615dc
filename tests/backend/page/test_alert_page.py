"""Contents of the view of an alert, and the statement that selects its rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider.backend.page.contents.alert_page import alert_page, find_page_alert
from aporia_provider.backend.page.contents.concerned_rows import concerned_rows
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.session import spark_session
from aporia_provider.errors import NotFoundError
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_values import SegmentValue
from aporia_provider.segments import Segment
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import (
    SCHEMA,
    MonitoredModel,
    configuration,
    labelled,
    on,
    usual,
)
from tests.backend.page.alerted import DAYS, alert_of, alerted_model
from tests.backend.page.visiting import signed_in
from tests.backend.running import Served, serving, token_for
from tests.processes import starts_process


@pytest.fixture(scope="module")
def url(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return copied(migrated, tmp_path_factory.mktemp("alert"))


@pytest.fixture(scope="module")
def model(url: str) -> Iterator[MonitoredModel]:
    with alerted_model(url) as found:
        yield found


@pytest.fixture(scope="module")
@starts_process()
def server(url: str, model: MonitoredModel) -> Iterator[Served]:
    with serving(url, "--page") as served:
        yield served


def test_windows_before_the_alert_are_shown(model: MonitoredModel) -> None:
    page = alert_page(model.registry, "m", alert_of(model).id)
    assert page.points_note is None
    assert [point.start for point in page.points] == [on(day) for day in range(DAYS + 1)]
    assert [point.verdict.value for point in page.points] == [0.0] * DAYS + [0.5]
    assert [point.verdict.outcome for point in page.points] == ["pass"] * DAYS + ["fail"]
    assert {point.verdict.high for point in page.points} == {0.1}
    # The metric has no division into inputs and labels.
    assert page.explanation is None
    assert page.explanation_note is not None
    assert "missing_ratio" in page.explanation_note


def test_an_alert_belongs_to_its_model_and_environment(model: MonitoredModel) -> None:
    alert = alert_of(model)
    assert find_page_alert(model.registry, "m", alert.id) == alert
    for model_id, alert_id in (("other", alert.id), ("m", "none")):
        with pytest.raises(NotFoundError):
            find_page_alert(model.registry, model_id, alert_id)


def test_the_statement_selects_the_rows_of_the_windows(
    model: MonitoredModel, engine: str, tmp_path: Path
) -> None:
    """Run by the engine on a table whose columns and expressions need quotes."""
    table = tmp_path / "table"
    times = [datetime(2024, 1, 30, 23, 59, tzinfo=UTC) + timedelta(minutes=minute) for minute in range(4)]
    end = datetime(2024, 2, 1, tzinfo=UTC)
    write_deltalake(
        table,
        pa.table(
            {
                "i": list(range(6)),
                "when it was": pa.array([*times, end - timedelta(seconds=1), end], pa.timestamp("us", "UTC")),
                "the age": pa.array([None, None, 3.0, None, None, None], pa.float64()),
            }
        ),
    )
    source = S3DataSource(
        object_path=str(table), object_format="delta", select_expr=["i AS id", "`when it was`", "`the age`"]
    )
    dataset = DatasetConnection(
        role="serving",
        data_source=source,
        id_column="id",
        timestamp_column="when it was",
        features={"age": "the age"},
    )
    found = concerned_rows(alert_of(model), {"serving": dataset}, VersionSchema(**SCHEMA))
    assert found.sql is not None
    with spark_session(engine) as spark:
        assert sorted(row["id"] for row in spark.sql(found.sql).collect()) == [1, 3, 4]


def test_without_a_table_there_is_no_statement(model: MonitoredModel) -> None:
    files = DatasetConnection(
        role="serving",
        data_source=S3DataSource(object_path="s3://b/k", object_format="parquet"),
        id_column="i",
        timestamp_column="t",
    )
    schema = VersionSchema(**SCHEMA)
    for datasets, note in (({"serving": files}, "not a Delta table"), ({}, "no serving dataset")):
        found = concerned_rows(alert_of(model), datasets, schema)
        assert found.sql is None
        assert note in (found.note or "")


@pytest.fixture
def of_segment(tmp_path: Path, month: Path) -> Iterator[MonitoredModel]:
    """A model with an alert on the accuracy of a value of a segment."""
    with MonitoredModel(copied(month, tmp_path), "e") as found:
        segment = found.segment("plan", "gold", "it's")
        found.store({DAYS: usual()})
        days = {"gold": {DAYS: labelled()}, "it's": {DAYS: labelled(tp=50, tn=50, fp=50, fn=50)}}
        found.store_terms("plan", days, part="performance")
        each = {"group": segment, "value": None}
        body = configuration({"type": "accuracy"}, {"name": "RANGE", "min": 0.85}, segment=each)
        found.monitor("performance_degradation", body)
        found.complete_until(on(DAYS + 1))
        found.evaluate(DAYS + 1)
        yield found


def test_the_statement_selects_the_rows_of_the_segment(of_segment: MonitoredModel) -> None:
    (alert,) = of_segment.registry.get_alerts("m")
    page = alert_page(of_segment.registry, "m", alert.id)
    assert page.segment == SegmentValue(id="plan", value="it's")
    assert page.rows.sql is not None
    assert page.rows.sql.splitlines()[-2] == r"  AND `plan` = 'it\'s'"
    assert page.rows.note is None
    of_segment.registry.delete_segment("m", "plan")
    page = alert_page(of_segment.registry, "m", alert.id)
    assert page.segment is None
    assert page.rows.sql is not None
    assert "plan" not in page.rows.sql
    assert page.rows.note is not None
    assert "does not select the rows of plan = it's" in page.rows.note


def test_a_segment_that_was_registered_again_is_another(of_segment: MonitoredModel) -> None:
    """It may have other conditions than those of the alert."""
    (alert,) = of_segment.registry.get_alerts("m")
    of_segment.registry.delete_segment("m", "plan")
    again = Segment(name="plan", conditions=[("age > 1", "it's")])
    of_segment.registry.create_segment("m", again)
    page = alert_page(of_segment.registry, "m", alert.id)
    assert page.segment is None
    assert "age" not in (page.rows.sql or "")
    assert "plan = it's: the segment was deleted or changed" in (page.rows.note or "")


def test_of_two_segments_with_the_same_text_the_one_of_the_monitor_is_shown(
    tmp_path: Path, month: Path
) -> None:
    """Names and labels may contain what is between them in the text."""
    with MonitoredModel(copied(month, tmp_path), "e") as found:
        for name, label in (("a", "b = c"), ("a = b", "c")):
            found.segment(name, label)
        found.store({DAYS: usual()})
        found.store_terms("a = b", {"c": {DAYS: labelled(tp=50, tn=50, fp=50, fn=50)}}, part="performance")
        each = {"group": "a = b", "value": None}
        body = configuration({"type": "accuracy"}, {"name": "RANGE", "min": 0.85}, segment=each)
        found.monitor("performance_degradation", body)
        found.complete_until(on(DAYS + 1))
        found.evaluate(DAYS + 1)
        (alert,) = found.registry.get_alerts("m")
        assert alert.segment == "a = b = c"
        page = alert_page(found.registry, "m", alert.id)
        assert page.segment == SegmentValue(id="a = b", value="c")
        assert (page.rows.sql or "").splitlines()[-2] == "  AND `plan` = 'c'"


@pytest.fixture
@starts_process()
def segment_server(of_segment: MonitoredModel) -> Iterator[httpx2.Client]:
    url = of_segment.registry.database.url.render_as_string(hide_password=False)
    with serving(url, "--page") as served, signed_in(served.url, token_for(url, "e")) as client:
        yield client


def test_the_alert_of_a_segment_leads_to_its_rows(
    of_segment: MonitoredModel, segment_server: httpx2.Client
) -> None:
    (alert,) = of_segment.registry.get_alerts("m")
    text = segment_server.get(f"/page/models/m/alerts/{alert.id}").text
    assert 'href="/page/models/m?version=v1&amp;segment=plan&amp;value=it%27s"' in text
    followed = segment_server.get("/page/models/m?version=v1&segment=plan&value=it%27s")
    assert followed.status_code == 200
    assert "it&#39;s of plan" in followed.text


def test_a_read_only_token_reads_and_cannot_act(server: Served, model: MonitoredModel, url: str) -> None:
    from aporia_provider.backend.server.auth.tokens import create_token

    address = f"/page/models/m/alerts/{alert_of(model).id}"
    token = create_token(model.registry.database, "e", "reader", read_only=True)
    with signed_in(server.url, token) as client:
        page = client.get(address)
        assert page.status_code == 200
        assert "may only read" in page.text
        assert client.post(f"{address}/acknowledge").status_code == 403
        assert client.post(f"{address}/snooze", data={"hours": "8"}).status_code == 403
    alert = alert_of(model)
    assert (alert.acknowledged_at, alert.snoozed_until) == (None, None)


def test_who_acknowledges_and_snoozes_is_recorded(server: Served, model: MonitoredModel, url: str) -> None:
    address = f"/page/models/m/alerts/{alert_of(model).id}"
    before = datetime.now(UTC)
    with signed_in(server.url, token_for(url, "e")) as client:
        assert client.post(f"{address}/snooze", data={"hours": "9"}).status_code == 400
        assert client.post(f"{address}/snooze", data={"hours": "8"}).headers["location"] == address
        assert client.post(f"{address}/acknowledge").headers["location"] == address
        for path in ("/page/models/m/alerts/none/acknowledge", f"{address}/none"):
            assert client.post(path).status_code == 404
        lines = list(csv.DictReader(io.StringIO(client.get(f"{address}/windows.csv").text)))
    alert = alert_of(model)
    assert (alert.acknowledged_by or "").startswith("test-")
    until = datetime.fromisoformat(alert.snoozed_until or "")
    assert timedelta(hours=8) <= until - before < timedelta(hours=8, minutes=5)
    assert len(lines) == DAYS + 1
    assert (lines[-1]["value"], lines[-1]["outcome"], lines[-1]["field"]) == ("0.5", "fail", "features.age")
    assert f"acknowledged alert {alert.id}" in server.log


def test_tokens_of_other_environments_do_not_see_it(server: Served, model: MonitoredModel, url: str) -> None:
    with signed_in(server.url, token_for(url, "other")) as client:
        for path in ("", "/commits", "/windows.csv"):
            assert client.get(f"/page/models/m/alerts/{alert_of(model).id}{path}").status_code == 404
        assert client.post(f"/page/models/m/alerts/{alert_of(model).id}/acknowledge").status_code == 404

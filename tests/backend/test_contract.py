"""One contract, four ways to the same answers: SQL on two databases, and both clients of our server."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy
import pytest

from aporia_provider.api import AporiaApi
from aporia_provider.backend.registry import Registry
from aporia_provider.client import AporiaClient, AsyncAporiaClient
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ConflictError, NotFoundError, ValidationError
from aporia_provider.models import Model, Monitor
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.registrations import IfExists
from aporia_provider.retention import Retention
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from tests.backend.running import Served, token_for
from tests.processes import starts_process

Open = Callable[[str], AporiaApi]

SCHEMA = VersionSchema(
    model_type="binary",
    features={"zeta": "numeric", "alpha": "string", "embedding": {"type": "tensor", "dimensions": [3]}},
    predictions={"will_buy": "boolean"},
    raw_inputs={"city": "string"},
    feature_importance={"zeta": 0.5},
)

ODD_IDS = [
    "a b",
    "a/b",
    "größe ☃",
    "100%",
    "%2F",
    "v1.2.3",
    "..",
    ".",
    "a?b#c&d=e",
    "semi;colon",
    '"quoted"',
    "a\\b",
]
CRON = "0 * * * *"


class _Waiting:
    """The asynchronous client, each of its calls run to the end."""

    def __init__(self, client: AsyncAporiaClient, runner: asyncio.Runner) -> None:
        self.environment = client.environment
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return lambda *args, **kwargs: self._runner.run(call(*args, **kwargs))


@pytest.fixture(params=["sqlite", "postgres", "client", "async client"])
@starts_process(unless="sqlite")
def open_api(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens the API in an environment."""
    with ExitStack() as stack:
        yield _opener(request.param, request.getfixturevalue, stack)


def _opener(kind: str, fixture: Callable[[str], Any], stack: ExitStack) -> Open:
    if kind in ("sqlite", "postgres"):
        database = fixture(f"shared_{kind}")
        return lambda environment: Registry(database, environment)
    server: Served = fixture("server")
    url: str = fixture("shared_sqlite_url")
    if kind == "client":
        return lambda environment: stack.enter_context(
            AporiaClient(server.url, token_for(url, environment), environment)
        )
    runner = stack.enter_context(asyncio.Runner())

    def open_async(environment: str) -> Any:
        client = AsyncAporiaClient(server.url, token_for(url, environment), environment)
        stack.callback(lambda: runner.run(client.aclose()))
        return _Waiting(client, runner)

    return open_async


@pytest.fixture
def api(open_api: Open, environment: str) -> AporiaApi:
    return open_api(environment)


@pytest.fixture
def version(api: AporiaApi) -> tuple[str, str]:
    api.create_model(Model(id="churn", name="Churn"))
    api.create_model_version("churn", "v1", SCHEMA)
    return "churn", "v1"


def connect(api: AporiaApi, role: Any = "serving", *, if_exists: IfExists = "match", **changes: Any) -> Any:
    given = {
        "data_source": S3DataSource(object_path="lake/serving", object_format="delta"),
        "id_column": "id",
        "timestamp_column": "at",
        **changes,
    }
    return api.connect_dataset("churn", "v1", DatasetConnection(role=role, **given), if_exists=if_exists)


def test_it_tells_its_environment(api: AporiaApi, environment: str) -> None:
    assert api.environment == environment


def test_a_model_is_created_once(api: AporiaApi) -> None:
    given = {
        "description": "d",
        "owner": "o@example.com",
        "color": "red",
        "icon": "anomaly",
        "tags": {"Team": "x"},
    }
    assert api.create_model(Model(id="m", name="M", **given)) == {"id": "m", "status": "created"}
    assert api.create_model(Model(id="m", name="M", **given)) == {"id": "m", "status": "unchanged"}
    assert api.get_model_tags("m") == {"team": "x"}


def test_tags_and_their_case_are_no_conflict_when_a_model_is_registered_again(api: AporiaApi) -> None:
    api.create_model(Model(id="m", name="M", tags={"TEAM": "x"}))
    api.add_model_tags("m", {"team": "y", "more": "z"})
    assert api.create_model(Model(id="m", name="M", tags={"team": "x"}))["status"] == "unchanged"
    assert api.get_model_tags("m") == {"team": "y", "more": "z"}


def test_a_different_model_is_a_conflict_that_says_what_differs(api: AporiaApi) -> None:
    api.create_model(Model(id="m", name="M", color="red"))
    with pytest.raises(ConflictError) as conflict:
        api.create_model(Model(id="m", name="Other", color="red"))
    assert conflict.value.differences == ["name: 'M' is registered, 'Other' was given"]
    assert conflict.value.status == 409


def test_the_retention_of_a_model_is_changed(api: AporiaApi) -> None:
    api.create_model(Model(id="m", name="M", retention="daily for 2 years"))
    unchanged: Any = {"id": "m", "status": "unchanged", "notes": []}
    assert api.update_model("m", retention="Daily for two years") == unchanged
    narrowed = api.update_model("m", retention=Retention.parse("daily for 30 days, monthly for 2 years"))
    assert narrowed["status"] == "updated"
    (note,) = narrowed["notes"]
    assert "'daily for 30 days, monthly for 2 years' does not cover is dropped after the next sync" in note
    widened = api.update_model("m", retention=None)
    assert widened["status"] == "updated"
    (note,) = widened["notes"]
    month_ago = datetime.now(UTC) - timedelta(days=30)
    assert "are gone, also for full syncs: daily ones before " in note
    told = datetime.fromisoformat(note.split("daily ones before ")[1].split(",")[0])
    assert month_ago < told < month_ago + timedelta(hours=2)
    # The model is registered again with its new retention.
    assert api.create_model(Model(id="m", name="M"))["status"] == "unchanged"
    with pytest.raises(ConflictError, match="retention"):
        api.create_model(Model(id="m", name="M", retention="daily for 2 years"))


def test_a_retention_that_does_not_fit_is_refused_in_a_change_too(api: AporiaApi) -> None:
    api.create_model(Model(id="m", name="M", aggregation_period="daily"))
    for wrong, fault in (
        ("hourly for 2 days", "begins with 'hourly', but the buckets of the model are daily"),
        ("daily for some days", "'some' is not a whole number"),
        ("{{ params.retention }}", "template|retention"),
    ):
        with pytest.raises(ValidationError, match=fault):
            api.update_model("m", retention=wrong)
    with pytest.raises(NotFoundError):
        api.update_model("nobody", retention=None)


def test_if_exists_chooses_for_models(api: AporiaApi) -> None:
    api.create_model(Model(id="m", name="M"))
    assert api.create_model(Model(id="m", name="M"), if_exists="skip")["status"] == "unchanged"
    assert api.create_model(Model(id="m", name="Other"), if_exists="skip") == {"id": "m", "status": "skipped"}
    with pytest.raises(ConflictError):
        api.create_model(Model(id="m", name="M"), if_exists="fail")
    assert api.create_model(Model(id="m", name="M"))["status"] == "unchanged"


def test_the_aggregation_period_is_part_of_a_model(api: AporiaApi) -> None:
    assert api.create_model(Model(id="m", name="M", aggregation_period="hourly"))["status"] == "created"
    assert api.create_model(Model(id="m", name="M", aggregation_period="hourly"))["status"] == "unchanged"
    for other in (None, "daily"):
        with pytest.raises(ConflictError) as conflict:
            api.create_model(Model(id="m", name="M", aggregation_period=other))
        assert conflict.value.differences == ["aggregation_period: 'hourly' is registered, 'daily' was given"]
    api.create_model(Model(id="n", name="N"))
    assert api.create_model(Model(id="n", name="N", aggregation_period="daily"))["status"] == "unchanged"
    with pytest.raises(ValidationError) as fault:
        api.create_model(Model(id="o", name="O", aggregation_period="weekly"))
    assert fault.value.problems == ["aggregation_period: 'weekly' is not one of hourly, daily"]


def test_the_retention_is_part_of_a_model(api: AporiaApi) -> None:
    given = Model(id="m", name="M", aggregation_period="hourly", retention="Hourly for 30 days")
    assert api.create_model(given)["status"] == "created"
    same = Model(id="m", name="M", aggregation_period="hourly", retention="hourly for 30 days")
    assert api.create_model(same)["status"] == "unchanged"
    for other in (None, "hourly for 2 months"):
        with pytest.raises(ConflictError) as conflict:
            api.create_model(same.model_copy(update={"retention": other}))
        assert conflict.value.differences == [
            f"retention: 'hourly for 30 days' is registered, {'nothing' if other is None else repr(other)} "
            "was given"
        ]
    api.create_model_version("m", "v1", SCHEMA)
    source = S3DataSource(object_path="lake/serving", object_format="delta")
    dataset = DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at")
    api.connect_dataset("m", "v1", dataset)
    assert api.get_dataset_sync_status("m", "v1", "serving")["retention"] == "hourly for 30 days"


@pytest.mark.parametrize(
    ("call", "path", "expected"),
    [
        ("create_model", (), "not dict; write Model(id=…, name=…)"),
        ("create_model_version", ("m", "v"), "not dict; write VersionSchema(model_type=…"),
        ("connect_dataset", ("m", "v"), "not dict; write DatasetConnection(role=…, data_source=…"),
        ("create_monitor", (), "not dict; write Monitor(name=…, type=…"),
        ("create_segment", ("m",), "not dict; write Segment(name=…)"),
        ("segment_cost", ("m",), "not dict; write Segment(name=…)"),
        ("create_custom_metric", ("m",), "not dict; write CustomMetric(name=…, code=…)"),
        ("query_metrics", (), "not dict; write MetricsQuery(model_id=…, metrics=…"),
    ],
)
def test_what_is_no_domain_object_is_refused(
    api: AporiaApi, call: str, path: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(expected)):
        getattr(api, call)(*path, {"id": "m", "name": "M"})


def test_all_faults_of_a_model_are_told_at_once(api: AporiaApi) -> None:
    with pytest.raises(ValidationError) as fault:
        api.create_model(Model(id="m", name="M", color="mauve", tags={"k" * 16: "x"}))
    assert len(fault.value.problems) == 2
    with pytest.raises(NotFoundError):
        api.get_model_tags("m")


def test_a_version_is_created_once_and_shown_with_its_schema_in_order(api: AporiaApi) -> None:
    api.create_model(Model(id="m", name="M"))
    first = api.create_model_version("m", "v1", SCHEMA)
    assert first["status"] == "created"
    uuid.UUID(first["id"])
    assert api.create_model_version("m", "v1", SCHEMA) == {"id": first["id"], "status": "unchanged"}
    api.create_model_version("m", "v0", SCHEMA)
    older, newer = api.get_model_versions("m")
    assert api.get_model_versions("m", newer["name"]) == [newer]
    assert api.get_model_versions("m", "no such version") == []
    assert (older["id"], older["name"], older["model_type"]) == (first["id"], "v1", "binary")
    assert newer["name"] == "v0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", older["created_at"])
    assert older["registration"] == SCHEMA.to_wire("v1")
    assert list(older["registration"]["version_schema"]["features"]) == ["zeta", "alpha", "embedding"]


def test_a_different_version_is_a_conflict_that_says_what_differs(api: AporiaApi, version: Any) -> None:
    changed = VersionSchema(**{**SCHEMA.model_dump(), "raw_inputs": {"city": "categorical"}})
    with pytest.raises(ConflictError) as conflict:
        api.create_model_version("churn", "v1", changed)
    assert conflict.value.differences == [
        "version_schema.raw_inputs.city: 'string' is registered, 'categorical' was given"
    ]
    assert api.create_model_version("churn", "v1", changed, if_exists="skip")["status"] == "skipped"
    with pytest.raises(ConflictError):
        api.create_model_version("churn", "v1", SCHEMA, if_exists="fail")


def test_the_order_of_features_is_part_of_a_version(api: AporiaApi, version: Any) -> None:
    features = dict(reversed(SCHEMA.model_dump()["features"].items()))
    with pytest.raises(ConflictError) as conflict:
        api.create_model_version(
            "churn", "v1", VersionSchema(**{**SCHEMA.model_dump(), "features": features})
        )
    assert {line.split(":")[0] for line in conflict.value.differences} == {
        "version_schema.feature_positions.zeta",
        "version_schema.feature_positions.embedding",
    }


def test_importance_set_later_is_no_conflict(api: AporiaApi, version: Any) -> None:
    api.set_feature_importance("churn", "v1", {"zeta": 0.1, "alpha": 2})
    assert api.create_model_version("churn", "v1", SCHEMA)["status"] == "unchanged"


def test_importance_is_taken_in_the_numbers_of_other_libraries(api: AporiaApi, version: Any) -> None:
    api.set_feature_importance("churn", "v1", {"zeta": numpy.float32(0.25), "alpha": Fraction(1, 2)})  # type: ignore[dict-item]
    with pytest.raises(ValidationError):
        api.set_feature_importance("churn", "v1", {"zeta": numpy.float32("nan")})  # type: ignore[dict-item]


def test_importance_of_unknown_features_names_them_all(api: AporiaApi, version: Any) -> None:
    with pytest.raises(ValidationError) as fault:
        api.set_feature_importance("churn", "v1", {"zetta": 1, "alpha": 1, "beta": 1})
    assert fault.value.problems == [
        "'zetta' is not a feature; did you mean 'zeta'?",
        "'beta' is not a feature; did you mean 'zeta'?",
    ]


def test_a_dataset_is_connected_once_for_each_role(api: AporiaApi, version: Any) -> None:
    first = connect(api, schedule=CRON, features={"alpha": "a"}, labels={"will_buy": "bought"})
    assert first["status"] == "created"
    again = connect(api, schedule=CRON, features={"alpha": "a"}, labels={"will_buy": "bought"})
    assert again == {"id": first["id"], "status": "unchanged"}
    for role in ("training", "testing", "actuals"):
        assert connect(api, role)["status"] == "created"


def test_a_different_dataset_is_a_conflict_that_says_what_differs(api: AporiaApi, version: Any) -> None:
    connect(api)
    with pytest.raises(ConflictError) as conflict:
        connect(api, id_column="uid")
    assert conflict.value.differences == ["id_column: 'id' is registered, 'uid' was given"]
    assert connect(api, id_column="uid", if_exists="skip")["status"] == "skipped"
    with pytest.raises(ConflictError):
        connect(api, if_exists="fail")


def test_a_rotated_password_is_no_conflict(api: AporiaApi, version: Any) -> None:
    def source(password: str) -> JDBCDataSource:
        url = f"jdbc:postgresql://db/x?user=u&password={password}"
        return JDBCDataSource(url=url, query="SELECT 1", user="u", password=password)

    assert connect(api, data_source=source("old-secret"))["status"] == "created"
    assert connect(api, data_source=source("new-secret"))["status"] == "unchanged"


def test_a_mapping_has_to_name_fields_of_the_schema(api: AporiaApi, version: Any) -> None:
    with pytest.raises(ValidationError) as fault:
        connect(api, features={"alpa": "a"}, raw_inputs={"town": "t"}, labels={"alpha": "l"})
    assert fault.value.problems == [
        "features: 'alpa' is not among the features of the version; did you mean 'alpha'?",
        "labels: 'alpha' is not among the predictions of the version; there are 'will_buy'",
        "raw_inputs: 'town' is not among the raw_inputs of the version; there are 'city'",
    ]
    with pytest.raises(NotFoundError):
        api.get_dataset_sync_status("churn", "v1", "serving")


def test_a_reversed_mapping_is_recognised(api: AporiaApi, version: Any) -> None:
    with pytest.raises(ValidationError, match=r"looks reversed.*'will_buy': 'score'") as fault:
        connect(api, predictions={"score": "will_buy"})
    assert len(fault.value.problems) == 1


@pytest.mark.slow
def test_select_expr_is_checked_beside_the_mapping(api: AporiaApi, version: Any) -> None:
    source = S3DataSource(
        object_path="b/k", object_format="delta", select_expr=["reflect('java.lang.System', 'x')"]
    )
    with pytest.raises(ValidationError) as fault:
        connect(api, data_source=source, features={"alpa": "a"})
    assert len(fault.value.problems) == 2


@pytest.mark.slow
def test_syncs_are_turned_off_and_on(api: AporiaApi, version: Any) -> None:
    connect(api, schedule=CRON)
    status = api.get_dataset_sync_status("churn", "v1", "serving")
    given = {"dataset": "serving", "enabled": True, "schedule": CRON, "status": "never_synced"}
    assert {name: value for name, value in status.items() if value is not None} == {
        **given,
        "rows": 0,
        "buckets": 0,
        "provisional_bins": {},
        "late_buckets": 0,
        "notes": [],
        "segments": [],
    }
    assert {"last_sync_at", "table_version", "lag", "last_error", "performance"} <= set(status)
    api.set_sync_enabled("churn", "v1", False)
    assert api.get_dataset_sync_status("churn", "v1", "serving") == {**status, "enabled": False}
    assert connect(api, schedule=CRON)["status"] == "unchanged"
    assert api.get_dataset_sync_status("churn", "v1", "serving")["enabled"] is False
    api.set_sync_enabled("churn", "v1", True)
    assert api.get_dataset_sync_status("churn", "v1", "serving")["enabled"] is True


def test_tags_are_set_kept_and_removed(api: AporiaApi, version: Any) -> None:
    api.add_model_tags("churn", {"Team A": "x", "b": "ü%/"})
    api.add_model_tags("churn", {"TEAM a": "y"})
    assert api.get_model_tags("churn") == {"team a": "y", "b": "ü%/"}
    api.delete_model_tag("churn", "Team A")
    api.delete_model_tag("churn", "never there")
    assert api.get_model_tags("churn") == {"b": "ü%/"}


def test_a_model_has_ten_tags_and_no_more(api: AporiaApi, version: Any) -> None:
    ten = {f"tag{number}": "x" for number in range(10)}
    api.add_model_tags("churn", ten)
    with pytest.raises(ValidationError, match="11 tags"):
        api.add_model_tags("churn", {"tag0": "changed", "eleventh": "x"})
    assert api.get_model_tags("churn") == ten
    api.add_model_tags("churn", {"tag0": "changed"})
    assert api.get_model_tags("churn")["tag0"] == "changed"


def test_monitors_are_created_once_and_deleted(api: AporiaApi) -> None:
    given = {"scheduling": CRON, "configuration": {"identification": {"models": {"id": "churn"}}}}
    first = api.create_monitor(Monitor(name="Drift", type="data_drift", **given))
    assert first["status"] == "created"
    again = api.create_monitor(Monitor(name="Drift", type="data_drift", **given))
    assert again == {"id": first["id"], "status": "unchanged"}
    other = {"scheduling": CRON, "configuration": {"identification": {"models": {"id": "fraud"}}}}
    another = api.create_monitor(Monitor(name="Drift", type="data_drift", **other))
    assert (another["id"] != first["id"], another["status"]) == (True, "created")  # type: ignore[arg-type]
    with pytest.raises(ConflictError) as conflict:
        api.create_monitor(Monitor(name="Drift", type="data_drift", is_active=False, **given))
    assert conflict.value.differences == ["is_active: True is registered, False was given"]
    api.delete_monitor(first["id"])
    with pytest.raises(NotFoundError):
        api.delete_monitor(first["id"])


def activity(name: str, low: float = 1.0, model_id: str = "churn") -> Monitor:
    return MonitorDefinition(name=name, type="model_activity", min=low).to_monitor(model_id)


def test_monitors_are_applied_at_once(api: AporiaApi, version: Any) -> None:
    api.create_model(Model(id="other", name="Other"))
    kept = api.create_monitor(activity("Rows", model_id="other"))["id"]
    wanted = [activity("a"), activity("b")]
    assert [(each.action, each.id) for each in api.apply_monitors("churn", wanted, dry_run=True)] == [
        ("created", None),
        ("created", None),
    ]
    assert api.get_monitors("churn") == []
    first, second = api.apply_monitors("churn", wanted)
    assert [each["id"] for each in api.get_monitors("churn")] == [first.id, second.id]
    changed = api.apply_monitors("churn", [activity("b", 5), activity("c")], delete_others=True)
    assert [(each.name, each.action) for each in changed] == [
        ("b", "updated"),
        ("c", "created"),
        ("a", "deleted"),
    ]
    assert changed[0].id == second.id
    (line,) = changed[0].differences
    assert line.endswith("[{'name': 'RANGE', 'min': 5.0}] was given")
    assert [each["name"] for each in api.get_monitors("churn")] == ["b", "c"]
    again = api.apply_monitors("churn", [activity("b", 5), activity("c")], delete_others=True)
    assert {each.action for each in again} == {"unchanged"}
    assert [each["id"] for each in api.get_monitors("other")] == [kept]


def test_monitors_whose_names_begin_alike_are_deleted_in_the_same_call(api: AporiaApi, version: Any) -> None:
    api.apply_monitors("churn", [activity("team: a"), activity("team: b"), activity("mine")])
    wanted = [activity("team: b"), activity("team: c")]
    changed = api.apply_monitors("churn", wanted, delete_prefix="team: ", dry_run=True)
    assert [each["name"] for each in api.get_monitors("churn")] == ["team: a", "team: b", "mine"]
    again = api.apply_monitors("churn", wanted, delete_prefix="team: ")
    for changes in (changed, again):
        assert [(each.name, each.action) for each in changes] == [
            ("team: b", "unchanged"),
            ("team: c", "created"),
            ("team: a", "deleted"),
        ]
    assert [each["name"] for each in api.get_monitors("churn")] == ["team: b", "mine", "team: c"]


def test_nothing_is_applied_if_a_monitor_is_not_valid(api: AporiaApi, version: Any) -> None:
    wrong = Monitor(name="w", type="data_drift", scheduling="* * * * *", configuration={"identification": {}})
    monitors = [activity("a"), activity("a"), activity("x", model_id="other"), wrong]
    with pytest.raises(ValidationError) as fault:
        api.apply_monitors("churn", monitors)
    assert fault.value.problems[:2] == [
        "a: there are 2 monitors of this name",
        "x: identification.models.id is 'other', not 'churn'",
    ]
    assert {problem.partition(":")[0] for problem in fault.value.problems[2:]} == {"w"}
    assert api.get_monitors("churn") == []
    with pytest.raises(NotFoundError):
        api.apply_monitors("unknown", [activity("a", model_id="unknown")])


def test_a_model_is_deleted_with_all_that_belongs_to_it(api: AporiaApi, version: Any) -> None:
    connect(api)
    api.add_model_tags("churn", {"a": "b"})
    api.delete_model("churn")
    with pytest.raises(NotFoundError):
        api.get_model_versions("churn")
    with pytest.raises(NotFoundError):
        api.delete_model("churn")
    api.create_model(Model(id="churn", name="Again"))
    assert api.get_model_versions("churn") == []
    assert api.get_model_tags("churn") == {}


CITIES = Segment(name="cities", field="city", values=["Oslo", "Rome"])


@pytest.mark.slow
def test_segments_are_created_listed_and_deleted(api: AporiaApi, version: Any) -> None:
    made = api.create_segment("churn", CITIES)
    assert made["status"] == "created"
    assert api.create_segment("churn", CITIES) == {"id": made["id"], "status": "unchanged"}
    other = Segment(name="cities", field="city", values=["Oslo"])
    with pytest.raises(ConflictError) as conflict:
        api.create_segment("churn", other)
    assert conflict.value.differences == ["values: ['Oslo', 'Rome'] is registered, ['Oslo'] was given"]
    assert api.create_segment("churn", other, if_exists="skip") == {"id": made["id"], "status": "skipped"}
    with pytest.raises(ConflictError, match="Segment 'cities' of model 'churn' exists already"):
        api.create_segment("churn", CITIES, if_exists="fail")
    (stored,) = api.list_segments("churn")
    assert (stored["id"], stored["name"], stored["manual"]) == (made["id"], "cities", True)
    assert stored["registration"] == {"name": "cities", "field": "city", "values": ["Oslo", "Rome"]}
    assert stored["terms"] == [
        {"label": "Oslo", "condition": "raw_inputs.city = 'Oslo'"},
        {"label": "Rome", "condition": "raw_inputs.city = 'Rome'"},
    ]
    api.create_segment("churn", Segment(name="a/b c", conditions=[("zeta > 1", "high")]))
    for name in ("a/b c", made["id"]):
        api.delete_segment("churn", name)
    assert api.list_segments("churn") == []
    with pytest.raises(NotFoundError, match="Model 'churn' has no segment 'cities'"):
        api.delete_segment("churn", "cities")


def test_all_faults_of_the_conditions_of_a_segment_are_named(api: AporiaApi, version: Any) -> None:
    conditions = [("zeta > 'a'", "one"), ("alpah = 'x'", "two"), ("zeta >", "three"), ("zeta > 0", "good")]
    with pytest.raises(ValidationError) as error:
        api.create_segment("churn", Segment(name="S", conditions=conditions))
    one, two, three = error.value.problems
    assert one.startswith("one: ")
    assert "numeric" in one
    assert two.startswith("two: ")
    assert "did you mean 'alpha'?" in two
    assert three.startswith("three: ")
    assert api.list_segments("churn") == []
    with pytest.raises(ValidationError, match=r"embedding"):
        api.create_segment("churn", Segment(name="S", conditions=[("embedding = 1", "x")]))


@pytest.mark.slow
def test_custom_metrics_are_created_listed_and_deleted_with_their_filters(
    api: AporiaApi, version: Any
) -> None:
    given = CustomMetric(name="C", code='sum(column="zeta", filter="zeta>1") / count()')
    made = api.create_custom_metric("churn", given)
    assert made["status"] == "created"
    assert api.create_custom_metric("churn", given) == {"id": made["id"], "status": "unchanged"}
    other = CustomMetric(name="C", code="count()")
    with pytest.raises(ConflictError, match="code: "):
        api.create_custom_metric("churn", other)
    assert api.create_custom_metric("churn", other, if_exists="skip")["id"] == made["id"]
    segment, covariances = api.list_segments("churn")
    assert (segment["manual"], [term["label"] for term in segment["terms"]]) == (False, ["true"])
    assert covariances["name"].startswith("filter: sums of ")
    # The same filter, written in another way.
    second = CustomMetric(name="D", code='count(filter="zeta   >  1.0")')
    api.create_custom_metric("churn", second)
    stored = api.list_custom_metrics("churn")
    assert [(each["name"], each["code"]) for each in stored] == [("C", given.code), ("D", second.code)]
    assert stored[0]["filters"] == [segment["name"], covariances["name"]]
    assert (stored[1]["filters"], stored[1]["segments"]) == ([segment["name"]], [])
    assert len(api.list_segments("churn")) == 2
    with pytest.raises(ConflictError, match="is the filter of custom metrics"):
        api.delete_segment("churn", segment["name"])
    api.delete_custom_metric("churn", made["id"])
    assert len(api.list_segments("churn")) == 1
    api.delete_custom_metric("churn", "D")
    assert api.list_segments("churn") == api.list_custom_metrics("churn") == []
    with pytest.raises(NotFoundError, match="Model 'churn' has no custom metric 'D'"):
        api.delete_custom_metric("churn", "D")


def test_all_faults_of_a_custom_metric_are_named(api: AporiaApi, version: Any) -> None:
    code = 'sum(column="alpha") + mean(column="zeat", filter="zeta > 1") + count(filter="alpah = \'x\'")'
    with pytest.raises(ValidationError) as error:
        api.create_custom_metric("churn", CustomMetric(name="C", code=code))
    text = "\n".join(error.value.problems)
    assert "alpha is string" in text
    assert "'zeat'" in text
    assert "did you mean 'zeta'?" in text
    assert "did you mean 'alpha'?" in text
    assert api.list_custom_metrics("churn") == api.list_segments("churn") == []


@pytest.mark.slow
def test_the_cost_and_the_limits_of_a_segment_are_told_before_it_is_created(
    api: AporiaApi, version: Any
) -> None:
    for number in range(5):
        values = list(range(100 if number else 99))
        api.create_segment("churn", Segment(name=f"s{number}", field="zeta", values=values))
    cost = api.segment_cost("churn", CITIES)
    assert (cost["terms"], cost["states"], cost["bytes"]) == (2, 0, 0)
    assert (cost["sync_seconds"], cost["fill_seconds"]) == (None, None)
    assert any("nothing is stored yet" in note for note in cost["notes"])
    told = "it has 499 terms, and would have 501 with the 2 that are given; it can have 500"
    assert cost["problems"] == [told]
    with pytest.raises(ValidationError) as error:
        api.create_segment("churn", CITIES)
    assert error.value.problems == [told]
    assert api.segment_cost("churn", Segment(name="s1", field="zeta", values=[1]))["problems"] == []
    assert len(api.list_segments("churn")) == 5


def test_nothing_is_suggested_without_states(api: AporiaApi, version: Any) -> None:
    assert api.suggest_segments("churn", "v1") == {
        "model_id": "churn",
        "model_version": "v1",
        "segments": [],
        "left_out": [
            "no dataset of the version has been synced",
            "3 other fields: not among the most important features",
        ],
    }


def test_segments_and_custom_metrics_are_deleted_with_their_model(api: AporiaApi, version: Any) -> None:
    api.create_segment("churn", CITIES)
    api.create_custom_metric("churn", CustomMetric(name="C", code='count(filter="zeta > 1")'))
    api.delete_model("churn")
    api.create_model(Model(id="churn", name="Churn"))
    assert api.list_segments("churn") == api.list_custom_metrics("churn") == []
    with pytest.raises(NotFoundError, match="has no version"):
        api.create_segment("churn", CITIES)


def test_what_is_unknown_is_named_with_the_nearest_name_there_is(api: AporiaApi, version: Any) -> None:
    with pytest.raises(NotFoundError, match=r"'chrun'.*did you mean 'churn'"):
        api.get_model_tags("chrun")
    with pytest.raises(NotFoundError, match=r"'v2' of model 'churn'.*there are 'v1'"):
        api.set_sync_enabled("churn", "v2", True)
    for call in (
        lambda: api.create_model_version("nobody", "v1", SCHEMA),
        lambda: api.add_model_tags("nobody", {"a": "b"}),
        lambda: api.delete_model_tag("nobody", "a"),
        lambda: api.set_feature_importance("churn", "v9", {}),
        lambda: api.delete_monitor("nobody"),
        lambda: api.list_segments("nobody"),
        lambda: api.create_segment("nobody", CITIES),
        lambda: api.segment_cost("nobody", CITIES),
        lambda: api.suggest_segments("churn", "v9"),
        lambda: api.list_custom_metrics("nobody"),
    ):
        with pytest.raises(NotFoundError) as error:
            call()
        assert error.value.status == 404


@pytest.mark.parametrize("odd", ODD_IDS)
def test_ids_may_be_any_text(api: AporiaApi, odd: str) -> None:
    assert api.create_model(Model(id=odd, name=odd)) == {"id": odd, "status": "created"}
    api.create_model_version(odd, odd, SCHEMA)
    source = S3DataSource(object_path="b/k", object_format="delta")
    api.connect_dataset(
        odd, odd, DatasetConnection(role="serving", data_source=source, id_column=odd, timestamp_column=odd)
    )
    assert api.get_dataset_sync_status(odd, odd, "serving")["enabled"] is True
    assert [found["name"] for found in api.get_model_versions(odd)] == [odd]
    assert [found["name"] for found in api.get_model_versions(odd, odd)] == [odd]
    api.delete_model(odd)
    with pytest.raises(NotFoundError):
        api.get_model_versions(odd)


@pytest.mark.parametrize("bad", ["a\x00b", "\ud800", "x" * 256])
def test_ids_that_cannot_be_stored_are_refused(api: AporiaApi, version: Any, bad: str) -> None:
    for call in (
        lambda: api.create_model(Model(id=bad, name="M")),
        lambda: api.create_model_version("churn", bad, SCHEMA),
        lambda: api.get_model_versions(bad),
        lambda: api.set_sync_enabled("churn", bad, True),
        lambda: api.delete_monitor(bad),
        lambda: api.list_segments(bad),
        lambda: api.delete_segment("churn", bad),
        lambda: api.delete_custom_metric("churn", bad),
    ):
        with pytest.raises(ValidationError):
            call()


def test_environments_are_kept_apart(open_api: Open, environment: str) -> None:
    here, there = open_api(environment), open_api(f"{environment}-other")
    here.create_model(Model(id="churn", name="Churn", tags={"a": "b"}))
    here.create_model_version("churn", "v1", SCHEMA)
    monitor = here.create_monitor(
        Monitor(name="Drift", type="data_drift", scheduling=CRON, configuration={"a": 1})
    )
    with pytest.raises(NotFoundError, match="there are none"):
        there.get_model_versions("churn")
    with pytest.raises(NotFoundError):
        there.delete_monitor(monitor["id"])
    with pytest.raises(NotFoundError):
        there.delete_model("churn")
    assert there.create_model(Model(id="churn", name="Another"))["status"] == "created"
    assert there.get_model_versions("churn") == []
    assert here.get_model_tags("churn") == {"a": "b"}
    assert len(here.get_model_versions("churn")) == 1

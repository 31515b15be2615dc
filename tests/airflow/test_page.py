"""The page inside Airflow: what users of its auth manager see and may do."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import httpx2
import pyarrow as pa
import pytest
from airflow.models.asset import AssetEvent, AssetModel
from deltalake import CommitProperties, write_deltalake
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from aporia_provider.airflow_page import dag_views
from aporia_provider.airflow_page.airflow_access import AirflowAccess
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.page.application import create_page
from tests.airflow.api_server import ApiServer, api_server
from tests.backend.monitors.monitored_model import on
from tests.backend.page.alerted import DAYS, HOSTILE, alerted_model
from tests.backend.page.visiting import browser

pytestmark = pytest.mark.very_slow

USERS = {"vera": "viewer", "olga": "op", "anna": "admin"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the embedded backend, which the fixture ``server`` creates."""
    return tmp_path_factory.mktemp("page") / "aporia.db"


@pytest.fixture(scope="module")
def database_url(database: Path) -> str:
    return f"sqlite:///{database}"


@pytest.fixture(scope="module")
def alert_id(server: ApiServer, database_url: str) -> str:
    with EmbeddedRegistry(database_url, "default") as registry:
        (alert,) = registry.get_alerts("m")
        return alert.id


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AIRFLOW_HOME of the server, with its metadata database."""
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def without_database(database_url: str, migrated_airflow: Path, home: Path) -> Iterator[ApiServer]:
    """A server whose database of the embedded backend does not exist yet."""
    settings = {"AIRFLOW__APORIA__DATABASE_URL": database_url}
    with api_server(home, migrated_airflow, USERS, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def reply_without_database(without_database: ApiServer, database: Path) -> httpx2.Response:
    with as_user(without_database, "vera") as client:
        reply = client.get("/aporia/")
    assert not database.exists()
    return reply


@pytest.fixture(scope="module")
def server(
    without_database: ApiServer, reply_without_database: httpx2.Response, database: Path, database_url: str
) -> ApiServer:
    """The same server, after the database was created."""
    with alerted_model(database_url, "default", str(database.parent)):
        return without_database


def as_user(server: ApiServer, user: str) -> httpx2.Client:
    """A browser with the session of a user."""
    client = httpx2.Client(
        base_url=server.url,
        headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
        cookies={"_token": server.token(user)},
        trust_env=False,
        timeout=60,
    )
    return client


def addresses() -> list[tuple[str, str]]:
    """Method and address of all routes of the application, with values for their parameters."""
    app = create_page(NotImplementedError, AirflowAccess("/aporia", dag_views.routes))
    return [
        (method, "/aporia" + "".join(part.partition("}")[2] or part[:1] for part in route.path.split("{")))
        for route in app.routes
        for method in route.methods
    ]


def test_anonymous_users_get_nothing_from_any_route(server: ApiServer) -> None:
    routes = addresses()
    assert len(routes) > 5
    with browser(server.url) as client:
        for method, address in [*routes, ("GET", "/aporia/no/such/view"), ("PUT", "/aporia/")]:
            reply = client.request(method, address)
            assert reply.status_code in (303, 401, 405), (method, address, reply.status_code)
            assert "Missing ages" not in reply.text
        first = client.get("/aporia/models/m?days=7")
        assert first.status_code == 303
        assert first.headers["location"].startswith("/api/v2/auth/login?next=http%3A%2F%2F127.0.0.1")
        wrong = client.get("/aporia/", headers={"Cookie": "_token=wrong"})
        assert wrong.status_code == 303


def test_viewers_see_the_models_and_may_not_act(server: ApiServer, alert_id: str) -> None:
    with as_user(server, "vera") as client:
        page = client.get("/aporia/")
        assert page.status_code == 200
        assert "3 of 3 models" in page.text
        assert HOSTILE not in page.text
        assert "vera (may only read)" in page.text
        alert = client.get(f"/aporia/models/m/alerts/{alert_id}")
        assert alert.status_code == 200
        assert "Acknowledge</button>" not in alert.text
        for action in ("acknowledge", "snooze"):
            reply = client.post(f"/aporia/models/m/alerts/{alert_id}/{action}", data={"hours": "8"})
            assert reply.status_code == 403


def test_the_first_commit_leads_to_its_dag_run(server: ApiServer, database: Path, alert_id: str) -> None:
    rows = pa.table({"i": ["a"], "t": pa.array([on(DAYS + 0.5)], pa.timestamp("us", "UTC"))})
    run = {"dag_id": "score", "run_id": "manual__2026-01-31T00:00:00+00:00", "task_id": "write/predictions"}
    write_deltalake(database.parent / "serving", rows, commit_properties=CommitProperties(run))
    with as_user(server, "vera") as client:
        text = client.get(f"/aporia/models/m/alerts/{alert_id}/commits").text
    assert 'href="/dags/score/runs/manual__2026-01-31T00%3A00%3A00%2B00%3A00" target="_top"' in text
    assert f">{' / '.join(run.values())}</a>" in unescape(text)


def add_events(home: Path, events: dict[str, tuple[str, str, str]]) -> None:
    """Add an asset event of a DAG, run and task for each URI to the metadata database of the server."""
    engine = create_engine(f"sqlite:///{home}/airflow.db")
    with Session(engine) as session:
        for uri, (dag_id, run_id, task_id) in events.items():
            asset = AssetModel(name=uri, uri=uri)
            session.add(asset)
            session.flush()
            event = AssetEvent(asset_id=asset.id, source_dag_id=dag_id, source_run_id=run_id)
            event.source_task_id = task_id
            session.add(event)
        session.commit()
    engine.dispose()


def test_views_of_dags_and_tasks_show_their_models(server: ApiServer, home: Path) -> None:
    hostile = quote(HOSTILE, safe="")
    events = {
        "aporia://default/m/v1": ("train", "r1", "version"),
        f"aporia://default/{hostile}/v1": ("train", "r2", "version"),
        "aporia://other/n/v1": ("elsewhere", "r1", "version"),
    }
    add_events(home, events)
    with as_user(server, "vera") as client:
        both = client.get("/aporia/dags/train")
        assert both.status_code == 200
        assert "2 of 3 models" in both.text
        for run, model in (("r1", "m"), ("r2", hostile)):
            reply = client.get(f"/aporia/dags/train/runs/{run}/tasks/version")
            assert (reply.status_code, reply.headers["location"]) == (303, f"/aporia/models/{model}")
        assert "Missing ages" in both.text
        for address in ("train/runs/r1/tasks/other", "elsewhere", "unknown"):
            reply = client.get(f"/aporia/dags/{address}")
            assert reply.status_code == 200
            assert "0 of 3 models" in reply.text
            # Neither the model nor its open alert is shown.
            assert "The &lt;model&gt;" not in reply.text
            assert "Missing ages" not in reply.text


def test_operators_acknowledge_and_their_name_is_recorded(
    server: ApiServer, database_url: str, alert_id: str
) -> None:
    address = f"/aporia/models/m/alerts/{alert_id}"
    with as_user(server, "olga") as client:
        elsewhere = client.post(f"{address}/acknowledge", headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403
        with EmbeddedRegistry(database_url, "default") as registry:
            assert registry.get_alerts("m")[0].acknowledged_by is None
        reply = client.post(f"{address}/acknowledge")
        assert reply.status_code == 303
        assert reply.headers["location"] == address
        assert "acknowledged by olga" in client.get(address).text
    with EmbeddedRegistry(database_url, "default") as registry:
        (alert,) = registry.get_alerts("m")
    assert alert.acknowledged_by == "olga"
    assert [event.details.get("by") for event in alert.history if event.kind == "acknowledged"] == ["olga"]


def test_the_views_are_registered(server: ApiServer) -> None:
    headers = {"Authorization": f"Bearer {server.token('anna')}"}
    reply = httpx2.get(f"{server.url}/api/v2/plugins?limit=100", headers=headers, trust_env=False)
    (plugin,) = [each for each in reply.json()["plugins"] if each["name"] == "aporia"]
    views = {each["destination"]: each["href"] for each in plugin["external_views"]}
    assert views == {
        "nav": "/aporia/",
        "dag": "/aporia/dags/{DAG_ID}",
        "task_instance": "/aporia/dags/{DAG_ID}/runs/{RUN_ID}/tasks/{TASK_ID}",
    }
    assert plugin["fastapi_apps"][0]["url_prefix"] == "/aporia"


def test_every_response_has_the_security_headers(server: ApiServer) -> None:
    with as_user(server, "anna") as client:
        replies = [
            client.get("/aporia/"),
            client.get("/aporia/static/page.css"),
            client.get("/aporia/models/%00"),
            client.get("/aporia/no"),
            client.post("/aporia/models/m/alerts/a/snooze", content=b"x" * 20_000),
        ]
    assert [reply.status_code for reply in replies] == [200, 200, 400, 404, 413]
    for reply in replies:
        assert reply.headers["content-security-policy"].startswith("default-src 'none'; ")
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_without_a_database_the_page_says_what_to_do(reply_without_database: httpx2.Response) -> None:
    assert reply_without_database.status_code == 503
    assert "[aporia] database_url" in reply_without_database.text

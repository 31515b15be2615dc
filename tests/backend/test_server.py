"""The protocol on the wire: shapes, tokens, odd paths and bodies, and what is never stored or logged."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from aporia_provider import __version__
from aporia_provider.backend.registration.attachments import Kind
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.server.app import create_app
from aporia_provider.backend.server.auth.tokens import create_token, digest
from aporia_provider.backend.store.database import Database
from tests.backend.running import Served, serving, token_for

VERSION = {
    "name": "v1",
    "model_type": "binary",
    "version_schema": {
        "features": {"b": "numeric", "a": "string"},
        "predictions": {"p": "boolean"},
        "raw_inputs": None,
        "metrics": None,
        "feature_positions": {"b": 0, "a": 1},
    },
    "model_data_type": None,
    "labels": None,
    "feature_importance": None,
    "mapping": None,
}
SOURCE = {"type": "s3", "config": {"object_path": "b/k", "object_format": "delta"}}
DATASET = {"name": "serving", "data_source": SOURCE, "id_column": "id", "timestamp_column": "at"}


class Api:
    """A client of the running server in an environment of its own, with a model and a version."""

    def __init__(self, server: Served, url: str, environment: str) -> None:
        self.server = server
        self.environment = environment
        self.token = token_for(url, environment)
        self.post("/v1beta/models", {"id": "m", "name": "M"})
        self.post("/v1beta/models/m/versions", VERSION)

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        return self.server.ask(method, path, self.token, **options)

    def post(self, path: str, body: Any) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, content=content)


@pytest.fixture
def api(server: Served, shared_sqlite_url: str, environment: str) -> Api:
    return Api(server, shared_sqlite_url, environment)


def error_of(reply: httpx2.Response) -> dict[str, Any]:
    assert reply.headers["content-type"] == "application/json"
    error: dict[str, Any] = reply.json()["error"]
    assert error["message"]
    assert error["detail"]
    return error


def test_capabilities_are_told_with_any_number_of_slashes(api: Api) -> None:
    for path in ("/v1beta/capabilities/", "/v1beta/capabilities", "//v1beta///capabilities//"):
        reply = api.ask("GET", path)
        assert (reply.status_code, reply.json()) == (200, {"is_field_schema_supported": True})


def test_the_environment_of_the_token_is_told_to_its_owner_only(api: Api) -> None:
    reply = api.ask("GET", "/v1/environment")
    product = {"product": "airflow-provider-aporia", "version": __version__}
    assert (reply.status_code, reply.json()) == (200, {"environment": api.environment, **product})
    for token in (None, "guessed"):
        refused = api.server.ask("GET", "/v1/environment", token)
        assert refused.status_code == 401
        error_of(refused)
        for secret in (api.environment, "airflow-provider", __version__):
            assert secret not in refused.text
    described = api.server.ask("GET", "/openapi.json").json()["paths"]["/v1/environment"]["get"]
    assert described["security"]
    assert described["responses"]["200"]


def test_registrations_answer_their_id_and_status(api: Api) -> None:
    model = {"id": "n", "name": "N", "description": None, "owner": None, "color": "blue", "icon": "general"}
    assert api.post("/v1beta//models", {**model, "tags": None}).json() == {"id": "n", "status": "created"}
    again = api.post("/v1beta/models/", {"id": "n", "name": "N"})
    assert (again.status_code, again.json()) == (200, {"id": "n", "status": "unchanged"})
    first = api.post("/v1beta/models/n/versions", VERSION).json()
    assert set(first) == {"id", "status"}
    assert api.post("/v1beta/models/n/versions", VERSION).json() == {"id": first["id"], "status": "unchanged"}


def test_a_conflict_lists_its_differences(api: Api) -> None:
    reply = api.post("/v1beta/models/m/versions", {**VERSION, "model_type": "ranking"})
    assert reply.status_code == 409
    line = "model_type: 'binary' is registered, 'ranking' was given"
    assert error_of(reply)["differences"] == [line]
    assert line in error_of(reply)["message"]


def test_a_model_without_an_id_gets_one_of_its_name(api: Api) -> None:
    assert api.post("/v1beta/models", {"name": "Größe & Preis 2"}).json()["id"] == "größe-preis-2"
    assert api.post("/v1beta/models", {"name": "Größe & Preis 2"}).json()["status"] == "unchanged"
    assert api.post("/v1beta/models", {"name": "!!!"}).status_code == 422


def test_every_reply_to_the_sdk_is_json(api: Api) -> None:
    version = "/v1beta/models/m/versions/v1"
    monitor = {"name": "D", "type": "data_drift", "scheduling": "0 * * * *", "configuration": {"a": 1}}
    monitor_id = api.post(
        "/v1beta/monitors", {**monitor, "is_active": True, "custom_alert_description": None}
    )
    calls: list[tuple[str, str, Any]] = [
        (
            "POST",
            f"{version}/datasets",
            {**DATASET, "sync": {"enabled": True, "environment": api.environment}},
        ),
        ("POST", f"{version}/datasets_sync?enabled=False", {}),
        ("GET", f"{version}/sync_status/serving", None),
        ("POST", "/v1beta/models/m/tags", {"tags": {"a": "b"}}),
        ("GET", "/v1beta/models/m/tags", None),
        ("DELETE", "/v1beta/models/m/tags/never-there", None),
        ("POST", f"{version}/feature_importance", {"feature_importance": {"a": 1.5}}),
        ("POST", f"{version}/feature_positions", {"feature_positions": {"a": 2, "b": 1}}),
        ("POST", f"{version}/model_artifact", {"artifact_base64": "QUJD", "artifact_type": "onnx"}),
        ("POST", f"{version}/index_to_word_mapping", {"index_to_word_mapping": {"0": "the", "1": "a"}}),
        (
            "POST",
            f"{version}/training_sample",
            {"features": [{"a": "x"}], "labels": None, "raw_inputs": None},
        ),
        ("POST", "/v1beta/environments", {"name": api.environment}),
        ("GET", "/v1beta/environments", None),
        ("POST", "/v1beta/models/m/owner", {"owner": "o@example.com"}),
        ("GET", "/v1beta/models/m/versions", None),
        ("DELETE", f"/v1beta/monitors/{monitor_id.json()['id']}/", None),
        ("DELETE", "/v1beta/models/m/", None),
    ]
    for method, path, body in calls:
        reply = api.ask(method, path) if body is None else api.post(path, body)
        assert (path, reply.status_code) == (path, 200)
        assert reply.headers["content-type"] == "application/json"
        assert reply.json() is not None


def test_what_is_sent_for_a_version_is_kept_and_the_latest_wins(api: Api, shared_sqlite_url: str) -> None:
    sent: dict[Kind, dict[str, Any]] = {
        "feature_importance": {"a": 1.5, "b": 2},
        "feature_positions": {"a": 2, "b": 1},
        "model_artifact": {"artifact_base64": "QUJD", "artifact_type": "onnx"},
        "index_to_word_mapping": {"0": "the", "1": "a"},
        "training_sample": {"features": [{"a": 1}], "labels": [{"p": True}], "raw_inputs": None},
    }
    flat = ("model_artifact", "training_sample")
    api.post("/v1beta/models/m/versions/v1/feature_importance", {"feature_importance": {"a": 9}})
    for kind, body in sent.items():
        api.post(f"/v1beta/models/m/versions/v1/{kind}", body if kind in flat else {kind: body})
    api.post("/v1beta/models/m/owner", {"owner": "o@example.com"})
    with Database(shared_sqlite_url) as database:
        registry = Registry(database, api.environment)
        assert {kind: registry.get_attachment("m", "v1", kind) for kind in sent} == sent
        assert registry.get_model_owner("m") == "o@example.com"


def test_the_replies_that_are_read_have_the_documented_shape(api: Api) -> None:
    api.post("/v1beta/models/m/tags", {"tags": {"Team": "x"}})
    assert api.ask("GET", "/v1beta/models/m/tags").json() == {"tags": {"team": "x"}}
    assert api.post("/v1beta/models/m/owner", {"owner": "o"}).json() == {"model_id": "m", "owner": "o"}
    (environment,) = api.ask("GET", "/v1beta/environments").json()["environments"]
    assert environment["name"] == api.environment
    ids = api.post("/v1beta/environments", {"name": api.environment}).json()
    assert ids["environment_id"] == environment["id"]
    assert set(ids) == {"cluster_id", "environment_id"}
    (version,) = api.ask("GET", "/v1beta/models/m/versions").json()
    assert set(version) == {"id", "name", "model_type", "created_at", "registration"}


@pytest.mark.parametrize(
    ("written", "meant"), [("True", True), ("False", False), ("true", True), ("0", False)]
)
def test_syncs_are_set_in_every_spelling(api: Api, written: str, meant: bool) -> None:
    version = "/v1beta/models/m/versions/v1"
    api.post(f"{version}/datasets", {**DATASET, "sync": {"enabled": not meant}})
    assert api.post(f"{version}/datasets_sync?enabled={written}", {}).status_code == 200
    assert api.ask("GET", f"{version}/sync_status/serving").json()["enabled"] is meant
    refused = api.post(f"{version}/datasets_sync?enabled=perhaps", {})
    assert refused.status_code == 422
    assert error_of(refused)["problems"][0].startswith("query.enabled: ")


def test_the_positions_of_features_say_their_order(api: Api) -> None:
    fields = {**VERSION["version_schema"], "feature_positions": {"b": 2, "a": 1}}  # type: ignore[dict-item]
    api.post("/v1beta/models/m/versions", {**VERSION, "name": "v2", "version_schema": fields})
    registered = api.ask("GET", "/v1beta/models/m/versions").json()[-1]["registration"]["version_schema"]
    assert list(registered["features"]) == ["a", "b"]
    assert registered["feature_positions"] == {"a": 0, "b": 1}


@pytest.mark.parametrize("path", ["/v1/controller/graphql", "/v1/tenant-hasura/v1/graphql"])
def test_graphql_says_what_to_do_instead(api: Api, path: str) -> None:
    reply = api.post(path, {"query": "mutation { logPredictions }", "variables": {}})
    assert reply.status_code == 400
    (fault,) = reply.json()["errors"]
    assert "not supported" in fault["message"]
    assert "connect_serving" in fault["extensions"]["verbose_message"]


def test_no_token_or_a_wrong_one_reads_nothing(api: Api, server: Served) -> None:
    paths = ["/v1beta/models/m/versions", "/v1beta/environments", "/nowhere", "/v1beta/models", "//health/x"]
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {api.token}"},
        {"Authorization": f"Bearer {api.token}x"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {digest(api.token)}"},
    ]
    for path in paths:
        for given in headers:
            reply = server.ask("GET", path, headers=given)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert "M" not in error_of(reply)["message"].split()


def test_a_body_is_not_even_read_without_a_token(server: Served) -> None:
    assert server.ask("POST", "/v1beta/models", content=b"{broken").status_code == 401


def test_a_token_opens_its_own_environment_only(api: Api, server: Served, shared_sqlite_url: str) -> None:
    other = token_for(shared_sqlite_url, f"{api.environment}-other")
    assert server.ask("GET", "/v1beta/models/m/versions", other).status_code == 404
    assert server.ask("DELETE", "/v1beta/models/m", other).status_code == 404
    path = "/v1beta/models/m/versions/v1/datasets"
    meant = {**DATASET, "sync": {"enabled": True, "environment": "another"}}
    assert error_of(api.post(path, meant))["message"].endswith("not for 'another'")
    assert api.post(path, meant).status_code == 403
    assert api.post("/v1beta/environments", {"name": "another"}).status_code == 403
    assert api.ask("GET", "/v1beta/models/m/versions/v1/sync_status/serving").status_code == 404


def test_what_is_open_needs_no_token(server: Served) -> None:
    assert server.ask("GET", "/health").json() == {"status": "ok"}
    assert server.ask("GET", "/openapi.json").json()["openapi"].startswith("3.1")
    assert server.ask("GET", "/docs").status_code == 200


def test_encoded_characters_stay_inside_their_segment(api: Api) -> None:
    api.post("/v1beta/models", {"id": "a/b%2F c?ü", "name": "Odd"})
    path = "/v1beta//models/a%2Fb%252F%20c%3F%C3%BC/tags/"
    assert api.post(path, {"tags": {"a": "b"}}).status_code == 200
    assert api.ask("GET", path).json() == {"tags": {"a": "b"}}
    assert api.ask("GET", "/v1beta/m%6Fdels/m/tags").status_code == 200
    assert api.ask("GET", "/v1beta/models/a/b%2F%20c%3F/tags").status_code == 404


@pytest.mark.parametrize("path", ["%00", "a%00b", "%FF", "%ED%A0%80", "%C0%AF"])
def test_paths_that_are_no_text_are_refused(api: Api, path: str) -> None:
    reply = api.ask("GET", f"/v1beta/models/{path}/tags")
    assert reply.status_code == 400
    error_of(reply)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (400, b"{"),
        (400, b"[]"),
        (400, b'"text"'),
        (400, b"null"),
        (400, b'{"id": "x", "name": NaN}'),
        (400, b'{"id": "x", "name": Infinity}'),
        (400, b"\xff\xfe{}"),
        (400, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        (400, b'{"a":' + b"1" * 5000 + b"}"),
        (422, b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}"),
        (422, b'{"id": "x", "name": "a\\u0000b"}'),
        (422, b'{"id": "x", "name": "\\ud800"}'),
        (422, b'{"id": "x", "name": "n", "\\ud800": 1}'),
        (422, b'{"id": "x", "name": "n", "tags": {"a": 1e999}}'),
        (422, b'{"id": "", "name": "n"}'),
        (422, b'{"id": 5, "name": "n"}'),
        (422, b'{"id": "x", "name": "n", "color": "{{ var }}"}'),
        (422, b'{"id": "x", "name": "n", "aggregation_period": "weekly"}'),
        (422, b'{"id": "x", "name": "n", "aggregation_period": "{{ var }}"}'),
        (422, b'{"id": "x", "name": "n", "unknown": 1}'),
        (422, b"{}"),
    ],
)
def test_odd_bodies_are_refused_in_the_shape_of_the_protocol(api: Api, status: int, body: bytes) -> None:
    reply = api.post("/v1beta/models", body)
    assert reply.status_code == status
    error = error_of(reply)
    assert isinstance(error["problems"], list)


def test_all_faults_of_a_body_are_told_at_once(api: Api) -> None:
    reply = api.post("/v1beta/models/m/versions", {"model_type": "binary", "more": 1})
    assert error_of(reply)["problems"] == [
        "name: is required",
        "version_schema: is required",
        "more: is unknown",
    ]


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("feature_importance", {"feature_importance": {"a": "much"}}),
        ("feature_importance", {"feature_importance": {"a": 10**400}}),
        ("feature_importance", {"feature_importance": {"nobody": 1}}),
        ("feature_importance", {"feature_importance": []}),
        ("feature_positions", {"feature_positions": {"a": 1, "b": 1}}),
        ("feature_positions", {"feature_positions": {"a": True}}),
        ("model_artifact", {"artifact_base64": "no base64!", "artifact_type": "onnx"}),
        ("model_artifact", {"artifact_base64": "QUJD", "artifact_type": "exe"}),
        ("index_to_word_mapping", {"index_to_word_mapping": {"the": "0"}}),
        ("index_to_word_mapping", {"index_to_word_mapping": {"0": 1}}),
        ("training_sample", {"features": None}),
        ("training_sample", {"features": [1]}),
    ],
)
def test_wrong_attachments_are_refused(api: Api, call: str, body: Any) -> None:
    reply = api.post(f"/v1beta/models/m/versions/v1/{call}", body)
    assert reply.status_code == 422
    error_of(reply)


def test_unknown_routes_and_methods_answer_in_the_shape_of_the_protocol(api: Api) -> None:
    unknown = api.ask("GET", "/v1beta/nowhere")
    assert unknown.status_code == 404
    error_of(unknown)
    wrong = api.ask("PATCH", "/v1beta/models/m/tags")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET, HEAD, POST"
    error_of(wrong)
    options = api.ask("OPTIONS", "/v1beta/models")
    assert (options.status_code, options.headers["allow"]) == (405, "POST")


def test_head_is_get_without_the_body(api: Api) -> None:
    got, head = (api.ask(method, "/v1beta/models/m/tags") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.fixture
def small_app(sqlite_url: str) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """The application in this process, taking bodies of up to 1,000 bytes."""
    with Database(sqlite_url) as database:
        headers = {"Authorization": f"Bearer {create_token(database, 'prod', 'test')}"}
        yield TestClient(create_app(database, max_body=1000)), headers


@pytest.mark.slow
def test_a_body_is_limited_by_what_it_announces_and_by_what_arrives(
    small_app: tuple[TestClient, dict[str, str]],
) -> None:
    client, headers = small_app
    fits = json.dumps({"id": "m", "name": "M"}).encode().ljust(1000)
    assert client.post("/v1beta/models", content=fits, headers=headers).status_code == 200
    announced = client.post("/v1beta/models", content=fits + b" ", headers=headers)
    assert announced.status_code == 413
    assert "1000 bytes" in announced.json()["error"]["message"]
    streamed = client.post("/v1beta/models", content=iter([b" " * 600] * 2), headers=headers)
    assert streamed.status_code == 413


@pytest.mark.slow
def test_memory_is_released_after_requests_with_large_bodies(sqlite_url: str) -> None:
    calls: list[str] = []
    with Database(sqlite_url) as database:
        app = create_app(database, release_memory=lambda: calls.append("released"))
        headers = {"Authorization": f"Bearer {create_token(database, 'prod', 'test')}"}
        client = TestClient(app)

        def post(size: int, body: dict[str, str], **more: Any) -> int:
            content = json.dumps(body).encode().ljust(size)
            given: Any = iter([content[:5000], content[5000:]]) if more.pop("streamed", False) else content
            return client.post(
                "/v1beta/models", content=given, headers=more.get("headers", headers)
            ).status_code

        model = {"id": "m", "name": "M"}
        assert [post(100, model), post(16 * 1024 - 1, model)] == [200, 200]
        assert client.get("/v1beta/models/m/tags", headers=headers).status_code == 200
        assert calls == []
        assert post(16 * 1024, model) == 200
        assert len(calls) == 1
        assert post(20_000, model, streamed=True) == 200
        assert len(calls) == 2
        # Errors take the most memory.
        assert post(20_000, {"id": "m", "unknown": "x"}) == 422
        assert len(calls) == 3
        # The body of a request without a token is not read.
        assert post(20_000, model, headers={}) == 401
        assert len(calls) == 3


def test_a_server_takes_large_bodies_up_to_its_limit(api: Api) -> None:
    rows = [{"a": "x" * 1_000_000}] * 8
    reply = api.post("/v1beta/models/m/versions/v1/training_sample", {"features": rows})
    assert reply.status_code == 200
    assert api.post("/v1beta/models", b" " * (64 * 1024 * 1024 + 1)).status_code == 413


@pytest.mark.process
def test_local_data_is_taken_from_allowed_folders_only(sqlite_url: str, tmp_path: Path) -> None:
    allowed, secret = tmp_path / "lake", tmp_path / "secret"
    allowed.mkdir()
    secret.mkdir()
    (allowed / "link").symlink_to(secret)
    (allowed / "real").mkdir()
    with serving(sqlite_url, "--allow-local-folder", str(allowed)) as server:
        api = Api(server, sqlite_url, "prod")
        path = "/v1beta/models/m/versions/v1/datasets"

        def connect(role: str, object_path: str, object_format: str = "delta") -> httpx2.Response:
            config = {"object_path": object_path, "object_format": object_format}
            source = {"type": "s3", "config": config}
            return api.post(path, {**DATASET, "name": role, "data_source": source})

        outside = [
            str(secret),
            f"file://{secret}",
            f"{allowed}/../secret",
            f"{allowed}/link",
            f"file://{allowed}/%2e%2e/secret",
            f"file://localhost{secret}",
            f"{allowed}-other",
            "/etc",
        ]
        for object_path in outside:
            refused = connect("serving", object_path)
            assert (object_path, refused.status_code) == (object_path, 422)
            assert "outside the allowed folders" in error_of(refused)["problems"][0]
        for object_path in (
            f"{allowed}/{{ok.csv,../secret/a.csv}}",
            f"file://{allowed}/%7B..,x%7D",
            f"{allowed}/*",
        ):
            refused = connect("serving", object_path, "csv")
            assert (object_path, refused.status_code) == (object_path, 422)
            assert "may begin a pattern of files" in error_of(refused)["problems"][0]
        assert connect("serving", f"{allowed}/real").status_code == 200
        assert connect("training", f"file://{allowed}/not/there/yet").status_code == 200


def test_nothing_local_is_taken_unless_allowed(api: Api, tmp_path: Path) -> None:
    source = {"type": "s3", "config": {"object_path": str(tmp_path), "object_format": "delta"}}
    reply = api.post("/v1beta/models/m/versions/v1/datasets", {**DATASET, "data_source": source})
    assert reply.status_code == 422


@pytest.mark.process
def test_what_is_registered_outlives_the_server(sqlite_url: str) -> None:
    with serving(sqlite_url) as server:
        token = Api(server, sqlite_url, "prod").token
    with serving(sqlite_url) as server:
        (version,) = server.ask("GET", "/v1beta/models/m/versions", token).json()
    assert version["registration"] == VERSION


@pytest.mark.process
def test_secrets_are_neither_stored_nor_logged(sqlite_url: str, tmp_path: Path) -> None:
    base = {"query": "SELECT 1", "user": "u"}
    options = {"fs.s3a.secret.key": "planted-option", "url": "jdbc:x://h/d?x=planted-nested"}
    sources = {
        "serving": {
            "type": "jdbc",
            "config": {**base, "url": "jdbc:x://h?password=planted-url", "password": "planted-1"},
        },
        "training": {"type": "bigquery", "config": {"credentials_base64": "planted-2", "table": "t"}},
        "testing": {"type": "s3", "config": {**SOURCE["config"], "read_options": options}},  # type: ignore[dict-item]
    }
    with serving(sqlite_url) as server:
        api = Api(server, sqlite_url, "prod")
        path = "/v1beta/models/m/versions/v1/datasets"
        for role, source in sources.items():
            body = {**DATASET, "name": role, "data_source": source}
            assert api.post(path, body).json()["status"] == "created"
            conflict = api.post(path, {**body, "id_column": "planted-no-secret"})
            assert conflict.status_code == 409
            assert "planted" not in conflict.text.replace("planted-no-secret", "")
            invalid = api.post(path, {**body, "id_column": 5})
            assert invalid.status_code == 422
            assert "planted" not in invalid.text
        api.ask("GET", f"/v1beta/models/m/tags?token={api.token}")
        stored = b"".join(file.read_bytes() for file in (tmp_path / "home").iterdir())
    assert b"planted" not in stored
    assert "planted" not in server.log
    assert api.token.encode() not in stored
    assert digest(api.token).encode() in stored
    assert api.token not in server.log
    assert "GET '/v1beta/models/m/tags' 200" in server.log


@pytest.mark.process
def test_connecting_what_cannot_be_read_is_logged_with_what_it_would_need(sqlite_url: str) -> None:
    config = {"url": "jdbc:x://h", "query": "SELECT 1", "password": "planted"}
    with serving(sqlite_url) as server:
        api = Api(server, sqlite_url, "prod")
        path = "/v1beta/models/m/versions/v1/datasets"
        api.post(path, {**DATASET, "name": "serving", "data_source": SOURCE})
        api.post(path, {**DATASET, "name": "training", "data_source": {"type": "jdbc", "config": config}})
    (line,) = [line for line in server.lines if "WARNING" in line and "monitored" in line]
    assert "The training dataset of version 'v1' of model 'm' is connected, but will not be monitored" in line
    assert "'jdbc' cannot be read here: it would require a JDBC driver. Write the data to S3" in line


@pytest.mark.process
def test_the_backend_runs_without_airflow() -> None:
    modules = "backend.registry", "backend.server.serve", "backend.store.schema_upgrades", "cli.main"
    imports = "; ".join(f"import aporia_provider.{module}" for module in modules)
    code = f"{imports}; import sys; print([name for name in sys.modules if name.split('.')[0] == 'airflow'])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_many_callers_at_once_all_get_an_answer(api: Api) -> None:
    statuses: list[int] = []

    def call(number: int) -> None:
        statuses.append(api.post("/v1beta/models", {"id": "same", "name": "Same"}).status_code)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 50


@pytest.mark.slow
def test_a_database_that_is_gone_answers_in_the_shape_of_the_protocol(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Database(sqlite_url) as database:
        token = create_token(database, "prod", "test")
        client = TestClient(create_app(database))
        (tmp_path / "home").rename(tmp_path / "elsewhere")
        (tmp_path / "home").write_text("in the way")
        for path in ("/health", "/v1beta/environments"):
            reply = client.get(path, headers={"Authorization": f"Bearer {token}"})
            assert reply.status_code == 503
            assert str(tmp_path) not in reply.text
            assert reply.json()["error"]["detail"]

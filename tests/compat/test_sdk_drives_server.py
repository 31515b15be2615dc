"""The official SDK, unmodified, is a client of our own server, on both databases."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import migrate
from aporia_provider.client import AporiaClient
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from tests.backend.running import serving, token_for
from tests.compat.conftest import DriveSdk
from tests.compat.scenario import (
    COLUMNS,
    EVERYTHING,
    IDS,
    MODEL,
    OTHER_SOURCES,
    SMALL_VERSION,
    VERSION,
    Step,
    source,
)


def administer(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'aporia.db'}"
        return
    main: str = request.getfixturevalue("postgres_url")
    name = f"sdk_{uuid.uuid4().hex}"
    administer(main, f"CREATE DATABASE {name}")
    yield sqlalchemy.make_url(main).set(database=name).render_as_string(hide_password=False)
    administer(main, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def served(database_url: str) -> Iterator[tuple[str, str]]:
    """URL of a running server, and a token of its environment ``prod``."""
    migrate(database_url)
    token = token_for(database_url, "prod")
    with serving(database_url) as server:
        yield server.url, token


def test_every_call_of_the_sdk_succeeds(served: tuple[str, str], drive_sdk: DriveSdk) -> None:
    url, token = served
    report = drive_sdk(url, token, EVERYTHING)
    # set_feature_importance and log_index_to_word_mapping never raise: what they have to say is in the log.
    assert [entry for entry in report if entry["error"] or entry["log"]] == []
    results: dict[str, list[Any]] = {}
    for entry in report:
        results.setdefault(entry["call"], []).append(entry["result"])
    assert results["create_model"] == [MODEL, MODEL, "other"]
    assert results["get_model_tags"] == [{"tags": {"team": "risk"}}]
    assert all(isinstance(each, str) and each for each in results["create_monitor"])
    assert len(set(results["create_monitor"])) == 2
    assert results["environments"][0].keys() >= {"cluster_id", "environment_id"}
    assert isinstance(results["get_dataset_sync_status"][0], dict)
    with AporiaClient(url, token, "prod") as client:
        the_server_holds_what_the_sdk_sent(client)


def the_server_holds_what_the_sdk_sent(client: AporiaClient) -> None:
    versions = {version["name"]: version for version in client.get_model_versions(MODEL)}
    assert list(versions) == [VERSION, "tensors", *OTHER_SOURCES]
    registered = versions[VERSION]["registration"]
    assert registered["version_schema"]["features"] == {
        "z": "numeric",
        "amount": "numeric",
        "country": "string",
    }
    tensor = versions["tensors"]["registration"]["version_schema"]["features"]["e"]
    assert tensor == {"type": "tensor", "dimensions": [3, 2]}
    assert client.get_model_tags(MODEL) == {"team": "risk"}
    for role in ("training", "testing", "serving", "actuals"):
        assert isinstance(client.get_dataset_sync_status(*IDS.values(), role), dict)


OPTIONS = {"versionAsOf": 3, "header": True, "samplingRatio": 0.5, "escape": "true"}
AS_TEXT = {"versionAsOf": "3", "header": "true", "samplingRatio": "0.5", "escape": "true"}


def test_options_of_any_type_are_one_dataset(
    served: tuple[str, str], database_url: str, drive_sdk: DriveSdk
) -> None:
    url, token = served
    ids = {"model_id": "m", "model_version": "v1"}

    def connected(options: Any) -> Step:
        return Step("connect_serving", {**ids, **COLUMNS, "data_source": s3_source(read_options=options)})

    steps = [
        Step("create_model", {"model_id": "m", "name": "M"}),
        Step("create_model_version", {**ids, **SMALL_VERSION}),
        *(connected(options) for options in (OPTIONS, AS_TEXT, OPTIONS)),
        connected({**OPTIONS, "header": False}),
        connected({"header": None}),
        connected({"header": {"nested": 1}}),
    ]
    report = drive_sdk(url, token, steps)
    assert [entry["error"] for entry in report[:5]] == [None] * 5
    differs, none, nested = (entry["error"] for entry in report[5:])
    assert "read_options.header: 'true' is registered, 'false' was given" in differs
    assert "read_options.header: an option is text, an integer, a float, or true or false" in none
    assert "read_options.header" in nested
    with EmbeddedRegistry(database_url, "prod") as registry:
        (dataset,) = registry.get_datasets("m", "v1")
    assert dataset.data_source.read_options == AS_TEXT
    with AporiaClient(url, token, "prod") as client:
        for options in (OPTIONS, AS_TEXT):
            source = S3DataSource(object_path="bucket/key", object_format="delta", read_options=options)
            made = client.connect_dataset(
                "m", "v1", DatasetConnection(role="serving", data_source=source, **COLUMNS)
            )
            assert made["status"] == "unchanged"


def s3_source(**arguments: Any) -> dict[str, Any]:
    return source("S3DataSource", object_path="bucket/key", object_format="delta", **arguments)


def test_the_sdk_is_told_what_is_wrong(served: tuple[str, str], drive_sdk: DriveSdk) -> None:
    url, token = served
    report = drive_sdk(url, "not-the-token", EVERYTHING[:1])
    assert "token" in report[0]["error"]
    report = drive_sdk(url, token, EVERYTHING[3:4])
    assert MODEL in report[0]["error"]

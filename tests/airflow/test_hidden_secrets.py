"""No secret that a data source holds is in any text that is stored, shown or sent back."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from fastapi.testclient import TestClient

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.server.app import create_app
from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.data_sources import (
    DATA_SOURCES,
    DataSource,
    data_source_from_wire,
    stored_data_source,
)
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.lineage import table_dataset
from aporia_provider.models import Model
from aporia_provider.operators.access import GrantS3ReadAccessOperator
from aporia_provider.operators.dataset import ConnectServingOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from tests.airflow.planting import KINDS, PARTS
from tests.airflow.running import START, execute

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
INFERRED = {"model_type": "binary", "predictions": ["p"]}
COLUMNS = {"id_column": "id", "timestamp_column": "at"}


@dataclass(frozen=True)
class Backend:
    registry: EmbeddedRegistry
    folder: Path
    server: TestClient
    headers: dict[str, str]

    def stored(self) -> str:
        return "\n".join(path.read_bytes().decode("latin-1") for path in self.folder.iterdir())


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("home")
    with EmbeddedRegistry(f"sqlite:///{folder}/aporia.db", "prod") as registry:
        registry.create_model(Model(id="m", name="M"))
        token = create_token(registry.database, "prod", "test")
        server = TestClient(create_app(registry.database))
        yield Backend(registry, folder, server, {"Authorization": f"Bearer {token}"})


class Texts:
    """Places to the texts that are found there."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = tokens
        self.found: dict[str, str] = {}

    def add(self, place: str, text: Any) -> None:
        self.found[place] = text if isinstance(text, str) else json.dumps(text, default=repr)

    @property
    def leaks(self) -> list[str]:
        return [place for place, text in self.found.items() if any(token in text for token in self.tokens)]


def of_a_source(texts: Texts, source: DataSource) -> None:
    """What is shown of a data source by itself, and by Airflow."""
    from airflow.sdk.serde import serialize
    from airflow.serialization.helpers import serialize_template_field

    dataset = DatasetConnection(role="serving", data_source=source, **COLUMNS)
    for name, word in (("source", source), ("dataset", dataset)):
        texts.add(f"{name}: repr", repr(word))
        texts.add(f"{name}: str", str(word))
        texts.add(f"{name}: serialize", word.serialize())
        texts.add(f"{name}: model_dump", word.model_dump())
        texts.add(f"{name}: model_dump_json", word.model_dump_json())
        texts.add(f"{name}: XCom", serialize(word))
        texts.add(f"{name}: rendered field", serialize_template_field(word, "data_source"))
    texts.add("URI", getattr(source, "uri", ""))
    texts.add("OpenLineage", [vars(dataset) for dataset in table_dataset(source)])
    texts.add("why it is not read", source.unreadable_reason or "")


def in_a_dag(texts: Texts, name: str, given: Any, version: dict[str, str]) -> Any:
    """What Airflow stores of a DAG and of a task that registers the data source."""
    from airflow.serialization.helpers import serialize_template_field
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("secrets", schedule=None, start_date=START) as dag:
        connect = ConnectServingOperator(
            task_id="serving", data_source=given, preflight=False, **COLUMNS, **version
        )
        CreateModelVersionOperator(task_id="version", infer_from=given, **INFERRED, **version)
        GrantS3ReadAccessOperator(task_id="grant", role_name="r", data_sources=[given], trusted_principal="p")
        ConnectServingOperator.partial(task_id="mapped", data_source=given, **COLUMNS, model_id="m").expand(
            model_version=["v"]
        )
    texts.add(f"{name}: DAG", DagSerialization.to_dict(dag))
    connect.render_template_fields({})
    for field in connect.template_fields:
        rendered = serialize_template_field(getattr(connect, field), field)
        texts.add(f"{name}: rendered {field}", rendered)
    texts.add(f"{name}: repr of the operator's fields", {k: repr(v) for k, v in vars(connect).items()})
    texts.add(f"{name}: XCom of the task", execute(connect))
    for link in connect.operator_extra_links:
        texts.add(f"{name}: link {link.name}", link.get_link(connect, ti_key=None))
    lineage = connect.get_openlineage_facets_on_complete(None)
    texts.add(f"{name}: lineage", [vars(dataset) for dataset in (*lineage.inputs, *lineage.outputs)])
    return connect


def in_the_backend(texts: Texts, backend: Backend, source: DataSource, version: str) -> None:
    """What the registry and the server answer, and what they store."""
    registry, path = backend.registry, f"/v1beta/models/m/versions/{version}/datasets"
    registry.connect_dataset("m", version, DatasetConnection(role="training", data_source=source, **COLUMNS))
    texts.add("registered datasets", repr(registry.get_datasets("m", version)))
    other = data_source_from_wire({"type": "glue", "config": {"query": "SELECT 2"}})
    for name, changed in (
        ("columns", {"data_source": source, **COLUMNS, "id_column": "other"}),
        ("source", {"data_source": other, **COLUMNS}),
    ):
        with pytest.raises(AporiaError) as conflict:
            registry.connect_dataset("m", version, DatasetConnection(role="training", **changed))
        texts.add(f"conflict of the {name}", str(conflict.value))
    connection = DatasetConnection(role="testing", data_source=source, **COLUMNS)
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("created", connection.to_wire("prod")),
        ("unchanged", connection.to_wire("prod")),
        ("conflict", {**connection.to_wire("prod"), "timestamp_column": "other"}),
        ("invalid", {**connection.to_wire("prod"), "id_column": 5}),
    ]
    for name, body in bodies:
        texts.add(f"reply: {name}", backend.server.post(path, json=body, headers=backend.headers).text)
    for asked in ("sync_status/testing", "sync_status/training"):
        answer = backend.server.get(f"/v1beta/models/m/versions/{version}/{asked}", headers=backend.headers)
        texts.add(asked, answer.text)


def wrong_configs(wire: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The data source with each of its fields in a place where it is not expected."""
    for name, value in wire["config"].items():
        yield {**wire, "config": {**wire["config"], name: [value]}}
        yield {**wire, "config": {**wire["config"], f"{name}s": value}}
    yield {"type": wire["type"], "config": json.dumps(wire["config"])}


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_is_shown_nowhere(
    kind: str,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [f"tok{secrets.token_hex(8)}" for _ in range(PARTS)]
    wire, texts = KINDS[kind](*tokens), Texts(*tokens)
    version = f"v{secrets.token_hex(4)}"
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", f"sqlite:///{backend.folder}/aporia.db")
    monkeypatch.setenv("AIRFLOW__APORIA__ENVIRONMENT", "prod")
    backend.registry.create_model_version("m", version, SCHEMA)
    for wrong in wrong_configs(wire):
        with pytest.raises(AporiaError) as refused:
            data_source_from_wire(wrong)
        texts.add(f"error {len(texts.found)}", f"{refused.value} {refused.value!r}")
    try:
        source = data_source_from_wire(wire)
    except AporiaError as error:
        texts.add("refused", str(error))
        body = {"name": "serving", "data_source": wire, "sync": {"enabled": True}, **COLUMNS}
        path = f"/v1beta/models/m/versions/{version}/datasets"
        reply = backend.server.post(path, json=body, headers=backend.headers)
        assert reply.status_code == 422
        texts.add("reply: refused", reply.text)
        if wire["type"] != "glue":
            # As one that an earlier release has registered.
            of_a_source(texts, stored_data_source(wire))
    else:
        of_a_source(texts, source)
        keys = {"model_id": "m", "model_version": version}
        in_a_dag(texts, "a data source", source, keys)
        in_a_dag(texts, "a mapping", wire, keys)
        in_the_backend(texts, backend, source, version)
        assert source.to_wire() == data_source_from_wire(source.to_wire()).to_wire()
        again = data_source_from_wire(source.serialize())
        assert again.serialize() == source.serialize(), "what is hidden once stays what it is"
    texts.add("files of the database", backend.stored())
    texts.add("log", caplog.text)
    texts.add("output", "".join(capfd.readouterr()))
    assert texts.leaks == []


def test_fields_are_hidden_unless_they_are_known_to_be_harmless() -> None:
    """A field that is added to a data source is hidden until somebody decides otherwise."""

    class New(DataSource):
        type = "new"
        colour: str

    shown = {name for source in DATA_SOURCES.values() for name in source.model_fields}
    assert "colour" not in shown
    assert New(colour="tok").serialize()["config"]["colour"] == "***"

"""The drop-in has the names and signatures of the official SDK, and registers what that registers."""

from __future__ import annotations

import inspect
import json
import subprocess
from collections.abc import Iterator, Sequence
from enum import EnumMeta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, select

import aporia_provider.sdk as aporia
from aporia_provider.errors import AporiaError
from aporia_provider.sdk import session
from aporia_provider.sdk.core import core_api, errors
from aporia_provider.sdk.core.types import data_source, field
from tests.backend.running import serving, token_for
from tests.compat.conftest import HERE, PYTHON, DriveSdk
from tests.compat.scenario import SHARED, Step

REFUSED = ("Model.log_", "pandas.pandas_to_dict", "experimental.run_all", "experimental.delete_model_version")
TELLS_APART = ("key", "id", "created_at", "updated_at")


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what another one told ``init``."""
    monkeypatch.setattr(session, "_current", None)


@pytest.fixture(scope="module")
def surface() -> dict[str, Any]:
    """The public names of the SDK, see ``sdk_surface.py``."""
    command = [str(PYTHON), str(HERE / "sdk_surface.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={}, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(name: str) -> Any:
    places = {"core.types.data_source": data_source, "core.types.field": field}
    place, _, last = name.rpartition(".")
    return getattr(places[place], last) if place in places else attrgetter(name)(aporia)


def test_every_call_has_the_parameters_of_the_sdk(surface: dict[str, Any]) -> None:
    signatures = surface["signatures"]
    assert {"init", "create_model_version", "Model.connect_actuals", "S3DataSource"} <= set(signatures)
    # The one call whose name starts like those that log rows, and that logs none.
    offered = [
        name for name in signatures if not name.startswith(REFUSED) or name.endswith("index_to_word_mapping")
    ]
    for name in offered:
        parameters = [
            (each.name, each.kind.name, None if each.default is each.empty else repr(each.default))
            for each in inspect.signature(ours(name)).parameters.values()
        ]
        theirs = [tuple(parameter) for parameter in signatures[name]]
        assert parameters[: len(theirs)] == theirs, name
        assert {kind for _, kind, _ in parameters[len(theirs) :]} <= {"KEYWORD_ONLY"}, name


def test_every_other_call_raises_and_says_what_to_do(surface: dict[str, Any]) -> None:
    refused = [name for name in surface["signatures"] if name.startswith(REFUSED)]
    refused.remove("Model.log_index_to_word_mapping")
    assert len(refused) == 19
    for name in refused:
        given = {} if name.startswith(("Model.", "pandas.")) else {"model_id": "m", "model_version": "v1"}
        with pytest.raises(AporiaError, match=f"^{name.rpartition('.')[2]} is not supported: "):
            ours(name)(**given)


def test_enumerations_have_the_members_of_the_sdk(surface: dict[str, Any]) -> None:
    assert len(surface["words"]) == 6
    for name, words in surface["words"].items():
        found = ours(name)
        assert isinstance(found, EnumMeta)
        assert words.items() <= {member.name: member.value for member in found}.items(), name


FRAME = """{
    "whole": [1, 2], "unsigned": numpy.array([1, 2], dtype="uint64"), "real": [1.5, None],
    "flag": [True, False], "word": ["a", "b"], "when": pandas.to_datetime(["2026-01-01", "2026-01-02"]),
    "zoned": pandas.to_datetime(["2026-01-01", "2026-01-02"], utc=True),
    "level": pandas.Categorical([1, 2]), "colour": pandas.Categorical(["a", "b"]),
    "list": [[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]], "array": [numpy.array([1.0, 2.0]), numpy.array([1.0, 2.0])],
    "by_name": [{"a": 1.0}, {"b": 2.0}], "nullable": pandas.array([1, None], dtype="Int64"),
}"""
TEXTS = '{"few": ["a", "b"] * 100, "many": [str(number % 51) for number in range(200)]}'


def test_schemas_of_data_frames_are_those_of_the_sdk() -> None:
    code = f"import json, numpy, pandas; frames = [pandas.DataFrame(data) for data in [{FRAME}, {TEXTS}]]"
    started = (
        "import aporia; aporia.init(token='t', environment='e'); import aporia.pandas.pandas_utils as utils"
    )
    shown = "print(json.dumps([utils.infer_schema_from_dataframe(frame) for frame in frames]))"
    command = [str(PYTHON), "-c", f"{code}; {started}; {shown}"]
    done = subprocess.run(command, capture_output=True, text=True, env={}, check=True)
    found: dict[str, Any] = {}
    exec(code, found)
    infer = aporia.pandas.pandas_utils.infer_schema_from_dataframe
    assert [infer(frame) for frame in found["frames"]] == json.loads(done.stdout)


def test_paths_that_scripts_import_from() -> None:
    assert data_source.S3DataSource is aporia.S3DataSource
    assert core_api.init is aporia.init
    assert errors.AporiaError is AporiaError


def make(steps: Sequence[Step]) -> None:
    """Make the steps with the drop-in."""
    monitor_id = ""
    for step in steps:
        arguments = dict(step.arguments)
        if "data_source" in arguments:
            given = arguments["data_source"]
            arguments["data_source"] = getattr(aporia, given["class"])(**given["arguments"])
        if step.call == "delete_monitor":
            arguments["monitor_id"] = monitor_id
        call: Any = getattr(aporia, step.call, None) or getattr(aporia.experimental, step.call, None)
        if call is None:
            model = aporia.Model(arguments.pop("model_id"), arguments.pop("model_version"))
            call = getattr(model, step.call)
        result = call(**arguments)
        monitor_id = result if step.call == "create_monitor" else monitor_id


def stored(database_url: str) -> dict[str, list[Any]]:
    """What is in the tables, apart from keys and times that differ every time."""
    engine = create_engine(database_url)
    tables = MetaData()
    tables.reflect(engine)
    kept = [name for name in tables.tables if name.startswith("aporia_") and not name.endswith("_token")]
    with engine.connect() as connection:
        found = {
            name: [
                {column: value for column, value in row.items() if _is_content(name, column)}
                for row in connection.execute(select(tables.tables[name])).mappings()
            ]
            for name in kept
        }
    engine.dispose()
    return found


def _is_content(table: str, column: str) -> bool:
    return column not in TELLS_APART or (table, column) == ("aporia_model", "id")


@pytest.fixture
def servers_of_two(tmp_path: Path) -> Iterator[list[tuple[str, str, str]]]:
    """Of two servers: database, URL and token of the environment ``prod``."""
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("theirs", "ours")]
    tokens = [token_for(url, "prod") for url in urls]
    with serving(urls[0]) as first, serving(urls[1]) as second:
        yield [(urls[0], first.url, tokens[0]), (urls[1], second.url, tokens[1])]


def test_a_script_registers_the_same_with_either(
    servers_of_two: list[tuple[str, str, str]],
    drive_sdk: DriveSdk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (their_database, their_url, their_token), (our_database, our_url, our_token) = servers_of_two
    report = drive_sdk(their_url, their_token, SHARED)
    assert [entry for entry in report if entry["error"] or entry["log"]] == []
    expected = stored(their_database)
    assert len(expected["aporia_dataset"]) == 11
    host, _, port = our_url.rpartition(":")
    aporia.init(token=our_token, host=host, port=int(port), environment="prod", preflight=False)
    make(SHARED)
    assert stored(our_database) == expected
    embedded = f"sqlite:///{tmp_path / 'embedded.db'}"
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", embedded)
    aporia.init(environment="prod", preflight=False)
    make(SHARED)
    assert stored(embedded) == expected

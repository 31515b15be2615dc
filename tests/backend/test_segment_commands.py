"""Suggested segments, their cost, and the commands of segments and custom metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sqlalchemy import delete, func, select, update

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.monitor_tables import BucketChangeRow
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, utc_now
from aporia_provider.cli.main import main
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_file import parse_segment_file
from aporia_provider.segments import Segment
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, categories, labelled, numbers, usual
from tests.defined_names import ROOT

DAYS = 4
FILE = """
model: m
segments:
  - {name: ages, field: age, edges: [0, 50, 100]}
  - {name: plans, field: plan, values: [gold, basic]}
  - {name: both, intersection: [ages, plans]}
custom_metrics:
  - name: old
    code: |
      old = count(filter="age > 70")
      old / count()
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A database with a few usual days, to be copied."""
    folder = tmp_path_factory.mktemp("stored")
    with MonitoredModel(copied(migrated, folder), "e") as model:
        model.store({day: usual() for day in range(DAYS)})
        model.store({day: labelled() for day in range(DAYS)}, part="performance")
    return folder / "aporia.db"


@pytest.fixture
def model(tmp_path: Path, stored: Path) -> Iterator[MonitoredModel]:
    with MonitoredModel(copied(stored, tmp_path / "home"), "e") as found:
        yield found


@pytest.fixture
def run(model: MonitoredModel, capsys: pytest.CaptureFixture[str]) -> Run:
    where = ["--database-url", model.registry.database.url.render_as_string(), "--environment", "e"]

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([*map(str, arguments), *where])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "segments.yaml"
    path.write_text(FILE)
    return path


def suggested(model: MonitoredModel) -> dict[str, Segment]:
    found = model.registry.suggest_segments("m", "v1")
    return {each["segment"]["name"]: Segment(**each["segment"]) for each in found["segments"]}


@pytest.mark.slow
def test_ranges_between_quantiles_and_frequent_values_are_suggested(model: MonitoredModel) -> None:
    found = suggested(model)
    assert list(found) == ["age", "plan", "latency"]
    assert found["plan"].values == ["basic", "gold"]
    ages = np.arange(300) % 100
    edges = found["age"].edges
    assert edges is not None
    assert (len(edges), edges[0], edges[-1]) == (9, 0, 99)
    assert np.abs(np.array(edges) - np.quantile(ages, np.arange(9) / 8)).max() < 1
    counts, _ = np.histogram(ages, edges)
    assert counts.sum() == len(ages)
    assert counts.min() > 0.1 * len(ages)
    for segment in found.values():
        assert model.registry.create_segment("m", segment)["status"] == "created"
    again = model.registry.suggest_segments("m", "v1")
    assert again["segments"] == []
    assert "features.age: there is a segment 'age' already" in again["left_out"]


def test_what_is_not_suggested_is_told(model: MonitoredModel) -> None:
    model.store({day: usual(age=numbers([7] * 300), plan=categories(basic=300)) for day in range(DAYS)})
    left_out = model.registry.suggest_segments("m", "v1")["left_out"]
    assert left_out == [
        "features.age: one value has so many rows that its quantiles do not divide it",
        "features.plan: it has fewer than two values that a segment can have",
        "features.emb: nothing is suggested for fields of type vector",
    ]


def test_the_twenty_most_frequent_values_are_suggested(model: MonitoredModel) -> None:
    counts = {f"plan{number:02}": 100 - number for number in range(30)}
    rows = sum(counts.values())
    model.store({day: usual(plan=categories(**counts)) for day in range(DAYS)})
    found = model.registry.suggest_segments("m", "v1")["segments"]
    (plans,) = [each for each in found if each["segment"]["name"] == "plan"]
    assert plans["segment"]["values"] == list(counts)[:20]
    share = sum(list(counts.values())[:20]) / rows
    assert plans["reason"].endswith(f"its 20 most frequent values, which {share:.0%} of the rows have")


def test_the_most_important_features_come_first(model: MonitoredModel) -> None:
    model.registry.set_feature_importance("m", "v1", {"age": 0.1, "plan": -0.7})
    assert list(suggested(model)) == ["plan", "age"]
    left_out = model.registry.suggest_segments("m", "v1")["left_out"]
    assert left_out == ["2 other fields: not among the most important features"]


def test_the_cost_is_that_of_the_stored_states_for_each_term(model: MonitoredModel) -> None:
    fields = len(usual()) + len(labelled())
    with model.registry.database.write_transaction() as session:
        session.execute(update(SyncRow).values(seconds=None, report=None))
        serving = select(DatasetRow.key).filter_by(role="serving").scalar_subquery()
        of_serving = SyncRow.dataset_key == serving, SyncRow.part == "fields"
        session.execute(update(SyncRow).where(*of_serving).values(seconds=8.0, report={"rows_read": 300}))
        stored = session.scalars(select(StateBlockRow)).all()
        size = sum(len(row.states or b"") + len(row.total or b"") for row in stored)
    plans = Segment(name="plans", field="plan", values=["gold", "basic"])
    cost = model.registry.segment_cost("m", plans)
    assert (cost["terms"], cost["states"], cost["bytes"]) == (2, 2 * DAYS * fields, 2 * size)
    # A term is taken to add 7.5 % of a sync without segments; the last sync read the rows of one of the days.
    assert (cost["sync_seconds"], cost["fill_seconds"]) == (pytest.approx(1.2), pytest.approx(8.0 * DAYS))
    assert cost["problems"] == []
    model.registry.create_segment("m", Segment(name="ages", field="age", edges=[0, 50, 100]))
    cost = model.registry.segment_cost("m", plans)
    assert cost["sync_seconds"] == pytest.approx(8 / 1.15 * 0.15)


@pytest.mark.slow
def test_the_states_of_a_deleted_segment_are_deleted_and_no_others(model: MonitoredModel) -> None:
    registry = model.registry
    for name in ("kept", "gone"):
        registry.create_segment("m", Segment(name=name, field="age", values=[1]))
    with registry.database.write_transaction() as session:
        keys = {row.name: row.key for row in session.scalars(select(SegmentRow))}
        dataset = session.scalars(select(DatasetRow).filter_by(role="serving")).one()
        session.execute(delete(BucketChangeRow))
        for key in keys.values():
            for part in (f"fields@{key}", f"performance@{key}"):
                own: dict[str, Any] = {"dataset_key": dataset.key, "part": part}
                block = {"field": f"@{key}.0:{part}", "span": "month", "first": 0, "last": 0}
                session.add(StateBlockRow(**own, **block, buckets=1, rows=1, total=b"", states=b""))
                session.add(SyncRow(**own, started_at=utc_now()))
                session.add(BucketChangeRow(**own, bucket=0, changes=1))
    whole = count(model, "fields")
    registry.delete_segment("m", "gone")
    for part in ("fields", "performance"):
        assert count(model, f"{part}@{keys['gone']}") == [0, 0, 0]
        assert count(model, f"{part}@{keys['kept']}") == [1, 1, 1]
    assert count(model, "fields") == whole
    assert whole[0] > 0


def count(model: MonitoredModel, part: str) -> list[int]:
    with model.registry.database.read_transaction() as session:
        return [
            session.scalar(select(func.count()).select_from(table).filter_by(part=part)) or 0
            for table in (StateBlockRow, SyncRow, BucketChangeRow)
        ]


@pytest.mark.slow
def test_a_file_is_created_listed_and_deleted(run: Run, file: Path) -> None:
    names = ("ages", "plans", "both")
    status, out, err = run("segments", "create", file)
    assert (status, out) == (0, "".join(f"created\tm\t{name}\n" for name in names))
    assert err == "3 of 3 segments are registered.\n"
    assert run("segments", "create", file)[1] == out.replace("created", "unchanged")
    assert run("custom-metrics", "create", file)[1] == "created\tm\told\n"
    lines = [line.split("\t")[1:] for line in run("segments", "list", "m")[1].splitlines()]
    assert lines == [
        ["2", "manual", "ages"],
        ["2", "manual", "plans"],
        ["4", "manual", "both"],
        ["1", "filter", lines[3][2]],
        ["1", "sums", lines[4][2]],
    ]
    assert "age > 70" in lines[3][2]
    assert "sums of" in lines[4][2]
    _, out, _ = run("segments", "list", "m", "--terms")
    assert "plans\tgold\tfeatures.plan = 'gold'\n" in out
    listed = json.loads(run("segments", "list", "m", "--json")[1])
    assert [each["name"] for each in listed[:3]] == list(names)
    _, out, _ = run("custom-metrics", "list", "m")
    assert out.rstrip("\n").split("\t")[1:] == ["old", "2", 'old = count(filter="age > 70") old / count()']
    assert run("custom-metrics", "delete", "m", "old")[2] == "Custom metric old of model m was deleted.\n"
    assert run("segments", "delete", "m", *names)[0] == 0
    assert run("segments", "list", "m")[1] == run("custom-metrics", "list", "m")[1] == ""


@pytest.mark.slow
def test_the_file_of_the_guide_is_valid(tmp_path: Path, migrated: Path) -> None:
    file = parse_segment_file((ROOT / "docs" / "examples" / "segments.yaml").read_text())
    schema = VersionSchema(
        model_type="binary",
        raw_inputs={"channel": "categorical"},
        features={"amount": "numeric"},
        predictions={"proba": "numeric"},
    )
    with EmbeddedRegistry(copied(migrated, tmp_path / "guide"), "e") as registry:
        registry.create_model(Model(id=file.model, name="M"))
        registry.create_model_version(file.model, "v1", schema)
        for segment in file.segments:
            registry.create_segment(file.model, segment)
        for metric in file.custom_metrics:
            registry.create_custom_metric(file.model, metric)
        assert [len(each["terms"]) for each in registry.list_segments(file.model)] == [2, 3, 1, 6, 1]


@pytest.mark.slow
def test_the_faults_of_all_segments_are_told(run: Run, file: Path) -> None:
    text = FILE.replace("field: age, edges", "field: aeg, edges").replace("[gold, basic]", "[gold, gold]")
    file.write_text(text)
    status, out, err = run("segments", "create", file)
    assert (status, out) == (2, "")
    assert "segments.yaml: segments.1: there are several terms 'gold'" in err
    file.write_text(text.replace("gold, gold", "gold"))
    status, out, err = run("segments", "create", file)
    assert (status, out) == (2, "created\tm\tplans\n")
    assert "m: ages: There is no field 'aeg'; did you mean 'age'?" in err
    assert "there is no segment 'ages'" in err
    assert err.endswith("1 of 3 segments are registered.\n")
    assert run("segments", "create", file, "--if-exists", "fail")[1] == ""


@pytest.mark.parametrize(
    ("text", "expected_text"),
    [
        ("model: m", "segments or custom_metrics is required"),
        ("- a", "The file needs the keys model, and segments or custom_metrics"),
        (
            "model: m\nsegments:\n- {name: a, field: b, values: [1]}\n- {name: a, field: b, values: [1]}",
            "several",
        ),
        ("model: m\nsegment: []", "did you mean 'segments'?"),
        ("model: m\nmodel: n\nsegments: []", "the key 'model' is repeated"),
    ],
)
def test_a_file_that_is_not_valid_is_refused(run: Run, file: Path, text: str, expected_text: str) -> None:
    file.write_text(text)
    status, out, err = run("segments", "create", file)
    assert (status, out) == (2, "")
    assert expected_text in err


@pytest.mark.slow
def test_suggestions_are_printed_as_a_file_that_can_be_created(run: Run, file: Path) -> None:
    status, out, err = run("segments", "suggest", "m", "v1")
    assert status == 0
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["age", "features.age"],
        ["plan", "features.plan"],
        ["latency", "raw_inputs.latency"],
    ]
    assert "features.emb: nothing is suggested for fields of type vector" in err
    _, printed, _ = run("segments", "suggest", "m", "v1", "--yaml")
    assert yaml.safe_load(printed)["model"] == "m"
    file.write_text(printed)
    assert run("segments", "create", file)[1].count("created") == 3
    assert json.loads(run("segments", "suggest", "m", "v1", "--json")[1])["segments"] == []


def test_all_faults_of_a_file_are_told_in_one_pass(run: Run, file: Path) -> None:
    file.write_text("""
model: m
segments:
  - {name: ages, field: aeg, edges: [0, 50]}
  - {name: plans, field: plan, values: [gold, gold]}
  - {name: both, intersection: [ages, plans]}
  - {name: lost, intersection: [ages, agse]}
  - name: named
    conditions: [["(age = 'x'", same], ["agee > 1", same]]
  - name: long
    conditions: [["age > 1 and planned = 'gold'", first]]
custom_metrics:
  - {name: old, code: 'sums(column="age") + count(filter="aeg > 1")'}
  - {name: "", code: count()}
""")
    for action in (("segments", "create"), ("segments", "cost"), ("custom-metrics", "create")):
        status, out, err = run(*action, file)
        assert (status, out) == (2, "")
        for expected_text in (
            "segments.yaml: segments.1: there are several terms 'gold'",
            "segments.yaml: segments.4: there are several terms 'same'",
            "segments.yaml: custom_metrics.1.name: must not be empty",
            "m: ages: There is no field 'aeg'; did you mean 'age'?",
            "there is no segment 'agse'",
            "m: named: same: '(' at character 1 is not closed",
            "m: named: same: the field age at character 2 is numeric",
            "m: named: same: the field agee at character 1 is not a field of the model",
            "the field planned at character 13 is not a field of the model",
            "line 1, column 1: there is no function 'sums'",
            "filter: the field aeg at character 1 is not a field of the model",
        ):
            assert expected_text in err
        assert "m: both:" not in err


@pytest.mark.slow
def test_the_cost_of_a_file_is_printed(model: MonitoredModel, run: Run, file: Path) -> None:
    file.write_text(FILE.replace("{name: plans, field: plan, values", "{name: plans, field: paln, values"))
    status, out, err = run("segments", "cost", file)
    assert (status, [line.split("\t")[0] for line in out.splitlines()]) == (2, ["ages", "old"])
    assert "m: plans: There is no field 'paln'" in err
    assert "there is no segment 'plans'; there are 'ages'" in err
    file.write_text(FILE)
    status, out, err = run("segments", "cost", file)
    expected = model.registry.segment_cost("m", Segment(name="ages", field="age", edges=[0, 50, 100]))
    first = out.splitlines()[0].split("\t")
    assert (status, first[:4]) == (0, ["ages", "2", str(expected["states"]), str(expected["bytes"])])
    assert expected["notes"][0] in err
    body = json.loads(run("segments", "cost", file, "--json")[1])
    costs = {each["name"]: each["terms"] for each in body}
    assert costs == {"ages": 2, "plans": 2, "both": 4, "old": 2}
    file.write_text(FILE.replace("- name: old", "- name: old\n    segments: [plans, both]"))
    body = json.loads(run("segments", "cost", file, "--json")[1])
    # A filter and the covariances, of all rows and of the six terms.
    assert (body[-1]["terms"], body[-1]["states"]) == (14, 7 * body[0]["states"])
    assert {each["model_id"] for each in body} == {"m"}
    assert model.registry.list_segments("m") == []


def test_names_print_no_control_characters_and_no_further_lines(model: MonitoredModel, run: Run) -> None:
    name, label = "a\x1b[2J\nb\u202ec", "x\ty\x9b"
    model.registry.create_segment("m", Segment(name=name, conditions=[("age > 1", label)]))
    printed = ("a\\x1b[2J\\nb\\u202ec", "x\\ty\\x9b", "age > 1")
    assert run("segments", "list", "m", "--terms")[1] == "\t".join(printed) + "\n"
    (line,) = run("segments", "list", "m")[1].splitlines()
    assert line.split("\t")[1:] == ["1", "manual", printed[0]]
    (told,) = json.loads(run("segments", "list", "m", "--json")[1])
    assert told["name"] == name

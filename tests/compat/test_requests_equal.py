"""Our client sends what the official SDK sends, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aporia_provider import data_sources
from aporia_provider.client import AporiaClient
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import Model, Monitor
from aporia_provider.schema import VersionSchema
from tests.compat.conftest import DriveSdk
from tests.compat.scenario import EVERYTHING, MODEL, SDK_ONLY, SHARED, Step
from tests.recording import Answer, Recorded, recording

TOKEN = "token-of-the-test"
MADE = {
    "id": "monitor-1",
    "is_field_schema_supported": True,
    "tags": {"a": "b"},
    "cluster_id": "c",
    "environment_id": "e",
}
PROBE = ("GET", "/v1beta/capabilities/")


def make(client: AporiaClient, step: Step) -> None:
    arguments = dict(step.arguments)
    role = step.call.removeprefix("connect_")
    if role != step.call:
        given = arguments.pop("data_source")
        source = getattr(data_sources, given["class"])(**given["arguments"])
        ids = {key: arguments.pop(key) for key in ("model_id", "model_version")}
        client.connect_dataset(**ids, dataset=DatasetConnection(role=role, data_source=source, **arguments))
    elif step.call == "create_model_version":
        ids = {key: arguments.pop(key) for key in ("model_id", "model_version")}
        client.create_model_version(**ids, schema=VersionSchema(**arguments))
    elif step.call == "create_model":
        client.create_model(Model(id=arguments.pop("model_id"), **arguments))
    elif step.call == "create_monitor":
        client.create_monitor(Monitor(type=arguments.pop("monitor_type"), **arguments))
    elif step.call == "delete_monitor":
        client.delete_monitor(MADE["id"])
    else:
        renamed = {"dataset": "role", "tag_key": "key"}
        getattr(client, step.call)(**{renamed.get(key, key): value for key, value in arguments.items()})


def of_the_sdk(drive_sdk: DriveSdk, steps: Sequence[Step]) -> list[Recorded]:
    with recording() as server:
        server.otherwise = Answer(200, MADE)
        report = drive_sdk(server.url, TOKEN, steps)
        assert [entry["error"] or entry["log"] for entry in report] == [[]] * len(steps)
        return list(server.recorded)


def of_ours(steps: Sequence[Step]) -> list[Recorded]:
    with recording() as server, AporiaClient(server.url, TOKEN, "prod") as client:
        server.otherwise = Answer(200, MADE)
        for step in steps:
            make(client, step)
        return list(server.recorded)


def without_probes(recorded: Sequence[Recorded]) -> list[tuple[Any, ...]]:
    return [
        (each.method, each.path, each.content, each.headers["Authorization"], each.headers["Content-Type"])
        for each in recorded
        if (each.method, each.path) != PROBE
    ]


def test_every_request_is_the_sdks_byte_for_byte(drive_sdk: DriveSdk) -> None:
    theirs, ours = without_probes(of_the_sdk(drive_sdk, SHARED)), without_probes(of_ours(SHARED))
    assert len(theirs) == len(SHARED)
    for step, their, our in zip(SHARED, theirs, ours, strict=True):
        assert our == their, step


def test_the_probe_comes_before_a_version_with_tensors_only(drive_sdk: DriveSdk) -> None:
    versions = ("POST", f"/v1beta/models/{MODEL.replace(' ', '%20')}/versions")
    steps = [step for step in SHARED if step.call == "create_model_version"][:2]
    theirs = [(each.method, each.path) for each in of_the_sdk(drive_sdk, steps)]
    assert theirs == [PROBE, versions, PROBE, versions]
    assert [(each.method, each.path) for each in of_ours(steps)] == [versions, PROBE, versions]


def test_the_scenario_leaves_no_call_out() -> None:
    """The calls of the reference, section 1.4."""
    assert {step.call for step in EVERYTHING} - {step.call for step in SDK_ONLY} == {
        "create_model", "delete_model", "create_model_version", "connect_serving", "connect_training",
        "connect_testing", "connect_actuals", "set_sync_enabled", "get_dataset_sync_status", "add_model_tags",
        "delete_model_tag", "get_model_tags", "set_feature_importance", "create_monitor", "delete_monitor",
    }  # fmt: skip

"""Versions that share a baseline: it is read once, and the copies are what reading it would come to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.sync_tables import FIELDS, BinsRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from tests.backend.stored_states import stored_states
from tests.backend.syncing import MODEL, NOWHERE, SCHEMA, VERSION, SyncedVersion, labelled, spread

pytestmark = pytest.mark.process


@pytest.fixture
def shared(ready_url: str, tmp_path: Path, engine: str) -> Iterator[SyncedVersion]:
    """A version on either database, its training set synced."""
    with EmbeddedRegistry(ready_url, "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry, engine).register()
        monitored.connect("training")
        monitored.write("training", spread(1, 3, 40))
        monitored.sync("training")
        yield monitored


def add(
    registry: Any, monitored: SyncedVersion, version: str, schema: VersionSchema = SCHEMA, **more: Any
) -> None:
    """Register another version on the same training set."""
    registry.create_model_version(MODEL, version, schema)
    kept = {name: more.pop(name) for name in ("select_expr", "sample_size") if name in more}
    source = S3DataSource(object_path=monitored.path("training"), object_format="delta", **kept)
    columns = {"id_column": "id", "timestamp_column": "at"}
    registry.connect_dataset(
        MODEL, version, DatasetConnection(role="training", data_source=source, **{**columns, **more})
    )


def sync(monitored: SyncedVersion, version: str, **more: Any) -> dict[str, Any]:
    return monitored.registry.sync_dataset(MODEL, version, "training", **{"engine": monitored.engine, **more})


def kept(registry: Any, version: str, role: str = "training") -> dict[str, Any]:
    """Everything that syncs of a dataset store, besides how they came to it."""
    with registry.database.read_transaction() as session:
        key = session.scalars(select(VersionRow.key).filter_by(name=version)).one()
        dataset = session.scalars(select(DatasetRow.key).filter_by(version_key=key, role=role)).one()
        bins = session.scalars(select(BinsRow).filter_by(version_key=key)).one()
        row = session.scalars(select(SyncRow).filter_by(dataset_key=dataset, part=FIELDS)).one()
        report = row.report or {}
        return {
            "states": stored_states(session, dataset),
            "grids": (bins.role, bins.grids, bins.origins),
            "sync": (row.fingerprint, row.position, row.grids, row.latest_version, row.error),
            "report": {name: report[name] for name in ("notes", "types", "made_at", "buckets_recomputed")},
        }


def test_the_copy_is_what_reading_comes_to(shared: SyncedVersion, tmp_path: Path) -> None:
    add(shared.registry, shared, "v2")
    # No engine is there, so nothing can be read.
    result = sync(shared, "v2", engine=NOWHERE)
    assert (result["changed"], result["rows"], result["buckets"], result["table_version"]) == (
        True,
        120,
        3,
        0,
    )
    assert (result["rows_read"], result["files_read"], result["bytes_read"]) == (0, 0, 0)
    assert result["reason"] == "copied from version 'v1' of model 'churn', whose training dataset is the same"
    copied = kept(shared.registry, "v2")
    assert copied == kept(shared.registry, VERSION)
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/other.db", "prod") as alone:
        alone.create_model(Model(id=MODEL, name="Churn"))
        add(alone, shared, "v2")
        read = alone.sync_dataset(MODEL, "v2", "training", engine=shared.engine)
        assert read["rows_read"] == 120
        assert kept(alone, "v2") == copied

    # From here on it is a dataset like any other.
    assert sync(shared, "v2", engine=NOWHERE)["changed"] is False
    shared.write("training", spread(4, 4, 40, seed=1))
    assert (sync(shared, "v2")["rows_read"], sync(shared, VERSION)["rows_read"]) == (40, 40)


def test_one_record_is_read_of_the_versions_that_are_alike(shared: SyncedVersion) -> None:
    """Bins and reports are large, and the records of other versions are locked while they are read."""
    for version in ("v2", "v3", "v4"):
        add(shared.registry, shared, version)
    for version in ("v2", "v3"):
        sync(shared, version, engine=NOWHERE)
    loaded: set[int] = set()

    def note(row: SyncRow, _: Any) -> None:
        loaded.add(row.dataset_key)

    event.listen(SyncRow, "load", note)
    try:
        assert "version 'v1'" in sync(shared, "v4", engine=NOWHERE)["reason"]
    finally:
        event.remove(SyncRow, "load", note)
    with shared.registry.database.read_transaction() as session:
        first = session.scalars(select(func.min(DatasetRow.key))).one()
        last = session.scalars(select(func.max(DatasetRow.key))).one()
    assert loaded == {first, last}


@pytest.mark.parametrize(
    "difference",
    [
        {"select_expr": ["*", "age + 1 AS older"]},
        {"sample_size": 0.5},
        {"features": {"age": "score"}},
        {
            "schema": VersionSchema(
                model_type="binary", features={"age": "numeric"}, predictions={"score": "numeric"}
            )
        },
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_a_baseline_that_is_another_one_is_read(shared: SyncedVersion, difference: Any) -> None:
    add(shared.registry, shared, "v2", **difference)
    with pytest.raises(AporiaError, match="is not an engine"):
        sync(shared, "v2", engine=NOWHERE)


@pytest.mark.parametrize("change", ["a commit", "bins of an earlier commit", "a failure", "full"])
def test_what_was_made_at_another_time_is_read(shared: SyncedVersion, change: str) -> None:
    if change != "full" and change != "a failure":
        shared.write("training", spread(4, 4, 4, seed=1))
    if change == "bins of an earlier commit":
        assert shared.sync("training")["rows_read"] == 4
    if change == "a failure":
        with pytest.raises(AporiaError):
            shared.sync("training", engine=NOWHERE, full=True)
    add(shared.registry, shared, "v2")
    full = change == "full"
    with pytest.raises(AporiaError, match="is not an engine"):
        sync(shared, "v2", engine=NOWHERE, full=full)
    rows = 120 if change in ("full", "a failure") else 124
    assert sync(shared, "v2", full=full)["rows_read"] == rows


def test_a_table_that_was_made_anew_is_read(shared: SyncedVersion) -> None:
    import shutil

    shutil.rmtree(shared.path("training"))
    shared.write("training", spread(1, 3, 40, seed=2))
    add(shared.registry, shared, "v2")
    with pytest.raises(AporiaError, match="is not an engine"):
        sync(shared, "v2", engine=NOWHERE)


def test_another_environment_shares_nothing(shared: SyncedVersion) -> None:
    url = shared.registry.database.url.render_as_string(hide_password=False)
    with EmbeddedRegistry(url, "staging") as staging:
        staging.create_model(Model(id=MODEL, name="Churn"))
        add(staging, shared, "v2")
        with pytest.raises(AporiaError, match="is not an engine"):
            staging.sync_dataset(MODEL, "v2", "training", engine=NOWHERE)


def test_bins_that_were_made_from_predictions_give_way(monitored: SyncedVersion) -> None:
    monitored.connect("training")
    monitored.write("training", spread(1, 3, 40))
    monitored.sync("training")
    monitored.registry.create_model_version(MODEL, "v2", SCHEMA)
    monitored.write("serving", spread(1, 1, 40, seed=1))
    source = S3DataSource(object_path=monitored.path("serving"), object_format="delta")
    columns = {"id_column": "id", "timestamp_column": "at"}
    monitored.registry.connect_dataset(
        MODEL, "v2", DatasetConnection(role="serving", data_source=source, **columns)
    )
    monitored.registry.sync_dataset(MODEL, "v2", "serving", engine=monitored.engine)
    source = S3DataSource(object_path=monitored.path("training"), object_format="delta")
    monitored.registry.connect_dataset(
        MODEL, "v2", DatasetConnection(role="training", data_source=source, **columns)
    )
    sync(monitored, "v2", engine=NOWHERE)
    assert kept(monitored.registry, "v2") == kept(monitored.registry, VERSION)
    due = monitored.registry.explain_due_datasets()
    assert {(one["model_version"], one["role"]): one["reason"] for one in due if one["due"]} == {
        ("v2", "serving"): "the bins of some fields were rebuilt"
    }


@pytest.fixture
def served_alike(ready_url: str, tmp_path: Path, engine: str) -> Iterator[SyncedVersion]:
    """A version on either database whose baseline is its serving dataset; its labels are compared."""
    with EmbeddedRegistry(ready_url, "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry, engine).register()
        predictions = spread(1, 3, 40)
        monitored.write("serving", predictions)
        ids = predictions["id"].to_pylist()
        monitored.write("actuals", labelled(9, {id_: place % 3 == 0 for place, id_ in enumerate(ids)}))
        monitored.connect("serving")
        monitored.connect("actuals")
        monitored.sync("serving")
        monitored.sync("actuals")
        yield monitored


def serve(registry: Any, monitored: SyncedVersion, version: str, *, labels: bool) -> None:
    """Register another version on the same serving dataset, with the same labels or none."""
    registry.create_model_version(MODEL, version, SCHEMA)
    source = S3DataSource(object_path=monitored.path("serving"), object_format="delta")
    registry.connect_dataset(
        MODEL,
        version,
        DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at"),
    )
    if labels:
        source = S3DataSource(object_path=monitored.path("actuals"), object_format="delta")
        columns = {"id_column": "id", "timestamp_column": "known", "labels": {"score": "churned"}}
        registry.connect_dataset(
            MODEL, version, DatasetConnection(role="actuals", data_source=source, **columns)
        )


def test_the_labels_of_a_version_are_not_copied(served_alike: SyncedVersion, tmp_path: Path) -> None:
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/other.db", "prod") as alone:
        alone.create_model(Model(id=MODEL, name="Churn"))
        for version, parts in (("v2", ["fields"]), ("v3", ["fields", "performance"])):
            for registry in (served_alike.registry, alone):
                serve(registry, served_alike, version, labels="performance" in parts)
            copied = served_alike.registry.sync_dataset(MODEL, version, "serving", engine=served_alike.engine)
            assert copied["reason"].startswith("copied from version 'v1'")
            assert copied["changed_parts"] == parts
            read = alone.sync_dataset(MODEL, version, "serving", engine=served_alike.engine, full=True)
            assert read["rows_read"] == 120
            found = kept(served_alike.registry, version, "serving")
            assert found == kept(alone, version, "serving")
            assert sorted({part for part, _, _ in found["states"]}) == parts

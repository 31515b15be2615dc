"""Deletion of a segment while a sync stores something of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.segment_keys import segment_part
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.backend.sync.context import Checkpoint
from aporia_provider.backend.sync.leases import Lease
from aporia_provider.backend.sync.sync_store import StoredPart, SyncStore
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from tests.backend.killable import poll
from tests.backend.test_sync_turns import waiting_for_locks

SCHEMA = VersionSchema(model_type="binary", features={"age": "numeric"}, predictions={"score": "numeric"})
SERVING = DatasetConnection(
    role="serving",
    data_source=S3DataSource(object_path="b/k", object_format="delta"),
    id_column="id",
    timestamp_column="at",
)


@pytest.fixture
def registry(ready_url: str) -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(ready_url, "prod") as made:
        made.create_model(Model(id="m", name="M"))
        made.create_model_version("m", "v1", SCHEMA)
        made.connect_dataset("m", "v1", SERVING)
        made.create_segment("m", Segment(name="ages", field="age", edges=[0, 50, 100]))
        yield made


def stored_part(registry: EmbeddedRegistry) -> StoredPart:
    """The part of the segment, as a sync loads it."""
    with registry.database.read_transaction() as session:
        segment = VersionSegment.of(session.scalars(select(SegmentRow)).one())
        key = session.scalars(select(DatasetRow.key)).one()
        return StoredPart(key, "serving", segment_part(FIELDS, segment.key), Checkpoint(), segment=segment)


def checkpoints(registry: EmbeddedRegistry) -> list[str]:
    with registry.database.read_transaction() as session:
        return list(session.scalars(select(SyncRow.part)))


def test_the_failure_of_a_segment_is_stored_unless_it_was_deleted(registry: EmbeddedRegistry) -> None:
    with registry.database.read_transaction() as session:
        version = session.scalars(select(VersionRow.key)).one()
    part, lease = stored_part(registry), Lease(registry.database, version, 60)
    with lease.hold("a sync", 0):
        store = SyncStore(registry.database, version, lease)
        store.record_failure(part, utc_now(), AporiaError("no rows"), None)
        assert checkpoints(registry) == [part.part]
        registry.delete_segment("m", "ages")
        assert checkpoints(registry) == []
        store.record_failure(part, utc_now(), AporiaError("no rows"), None)
        assert checkpoints(registry) == []


def test_a_deletion_removes_what_a_sync_stores_meanwhile(registry: EmbeddedRegistry) -> None:
    """A sync locks the segment before it stores states; in SQLite, it locks the database."""
    part = stored_part(registry)
    deletion = threading.Thread(target=registry.delete_segment, args=("m", "ages"))
    with registry.database.write_transaction() as session:
        session.scalars(select(SegmentRow).with_for_update(read=True)).one()
        deletion.start()
        if registry.database.engine.dialect.name == "postgresql":
            poll(lambda: waiting_for_locks(registry.database) == 1)
        session.add(SyncRow(dataset_key=part.dataset_key, part=part.part, started_at=utc_now()))
    deletion.join(60)
    assert registry.list_segments("m") == []
    assert checkpoints(registry) == []

"""A model whose states, and those of the terms of its segments, are written directly."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from aporia_provider.backend.store.profiles import replace_profile
from aporia_provider.backend.store.segment_keys import segment_part, term_prefix
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.monitoring.states.state import State
from aporia_provider.segments import Segment
from tests.backend.monitors.monitored_model import DAY, START, MonitoredModel


def store_terms(
    model: MonitoredModel,
    segment: Segment,
    days: Mapping[int, Mapping[str, Mapping[str, State]]],
    *,
    part: str = "performance",
    version: str = "v1",
) -> None:
    """Create a segment, if there is none, and store the states of its terms by day, label and key."""
    model.registry.create_segment("m", segment)
    first = int(START.timestamp())
    with model.registry.database.write_transaction() as session:
        row = session.scalars(select(SegmentRow).filter_by(name=segment.name)).one()
        places = {label: place for place, (label, _) in enumerate(row.terms)}
        query = select(DatasetRow.key).join(VersionRow, DatasetRow.version_key == VersionRow.key)
        dataset = session.scalars(query.where(VersionRow.name == version, DatasetRow.role == "serving")).one()
        states = {
            (first + day * DAY, f"{term_prefix(row.key, places[label])}{key}"): state
            for day, found in days.items()
            for label, keys in found.items()
            for key, state in keys.items()
        }
        name = segment_part(part, row.key)
        session.add(SyncRow(dataset_key=dataset, part=name, started_at=utc_now(), synced_at=utc_now()))
        replace_profile(session, dataset, name, states, None, False)

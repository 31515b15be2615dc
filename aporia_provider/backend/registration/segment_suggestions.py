"""Segments that are suggested for the most important fields of a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.suggested_terms import Suggested, suggested_segment
from aporia_provider.backend.store.field_totals import read_totals
from aporia_provider.backend.store.lookups import find_version
from aporia_provider.backend.store.segment_lookups import model_segments, version_fields
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import AttachmentRow, DatasetRow, VersionRow
from aporia_provider.monitoring.profiles.plan import load_bins
from aporia_provider.segment_reports import SegmentSuggestions

MAX_FIELDS: Final = 10
"""Maximum number of fields that segments are suggested for."""
_ROLES = ("serving", "training", "testing")


class Suggestions(RegistryBase):
    """Registry method for suggested segments."""

    def suggest_segments(self, model_id: str, model_version: str) -> SegmentSuggestions:
        """
        Return segments for the most important fields of a version, from its stored states.

        These are the ten features of the greatest absolute importance, or the first ten features and raw
        inputs if no importance is known. For categorical, string and boolean fields, the 20 most frequent
        values are suggested; for numeric fields, eight ranges with about equal numbers of rows. The states
        are those of the serving dataset; of a version without serving data, those of the training or the
        testing dataset. Nothing is created.
        """
        with self.database.read_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            names = {row.name for row in model_segments(session, version.model_key)}
            chosen, left_out = _important_fields(session, version)
            suggested = list(_suggested(session, version, chosen, names))
        return {
            "model_id": model_id,
            "model_version": model_version,
            "segments": [
                {"segment": suggestion.segment.to_wire(), "reason": suggestion.text}
                for suggestion in suggested
                if suggestion.segment is not None
            ],
            "left_out": [
                *(suggestion.text for suggestion in suggested if suggestion.segment is None),
                *left_out,
            ],
        }


def _important_fields(session: Session, version: VersionRow) -> tuple[dict[str, str], list[str]]:
    """Return the most important fields with their types, and what is left out."""
    fields = {
        key: type_ for key, type_ in version_fields(version).items() if not key.startswith("predictions.")
    }
    importance = _importance(session, version)
    if importance:
        keys = [f"features.{name}" for name in sorted(importance, key=lambda name: -abs(importance[name]))]
        keys = [key for key in keys if key in fields]
        reason = "not among the most important features"
    else:
        # Features come before raw inputs.
        keys = sorted(fields, key=lambda key: not key.startswith("features."))
        reason = f"not among the first {MAX_FIELDS}; no importance of features is known"
    chosen = keys[:MAX_FIELDS]
    others = len(fields) - len(chosen)
    return {key: fields[key] for key in chosen}, [f"{others} other fields: {reason}"] if others else []


def _importance(session: Session, version: VersionRow) -> Mapping[str, float]:
    """Return the importance of features that was sent last, or registered; may be empty."""
    query = select(AttachmentRow.body).filter_by(version_key=version.key, kind="feature_importance")
    return session.scalar(query) or version.registration.get("feature_importance") or {}


def _suggested(
    session: Session, version: VersionRow, fields: Mapping[str, str], names: set[str]
) -> Iterator[Suggested]:
    dataset = _dataset_with_states(session, version)
    if dataset is None:
        yield Suggested(None, "no dataset of the version has been synced")
        return
    totals = read_totals(session, dataset.key, list(fields))
    grids = session.scalar(select(SyncRow.grids).filter_by(dataset_key=dataset.key, part=FIELDS)) or {}
    bins = load_bins({key: grids[key] for key in fields if key in grids})
    bare = [key.partition(".")[2] for key in version_fields(version)]
    for key, type_ in fields.items():
        name = key.partition(".")[2]
        name = name if bare.count(name) == 1 else key
        if name in names:
            yield Suggested(None, f"{key}: there is a segment {name!r} already")
        elif key not in totals:
            yield Suggested(None, f"{key}: the {dataset.role} dataset has no states of it that can be added")
        else:
            yield suggested_segment(name, key, type_, totals[key], bins.get(key))


def _dataset_with_states(session: Session, version: VersionRow) -> DatasetRow | None:
    query = (
        select(DatasetRow)
        .join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
        .where(DatasetRow.version_key == version.key, SyncRow.part == FIELDS, SyncRow.synced_at.is_not(None))
    )
    datasets = {row.role: row for row in session.scalars(query)}
    return next((datasets[role] for role in _ROLES if role in datasets), None)

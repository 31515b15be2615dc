"""The stored states of a version."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.dropped_ranges import NOTHING_DROPPED, DroppedRanges
from aporia_provider.backend.metrics.state_series import Series, StatesKey, StatesSummary, total
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.version_segments import dataset_fields
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.lookups import find_dataset
from aporia_provider.backend.store.retention_cutoffs import RETAINED_ROLES
from aporia_provider.backend.store.segment_keys import segment_part
from aporia_provider.backend.store.state_blocks import BlockLayout
from aporia_provider.backend.store.state_sums import StateSums
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.monitoring.profiles.plan import Bins, load_bins
from aporia_provider.monitoring.states.state import State
from aporia_provider.retention import Retention
from aporia_provider.schema import CATEGORIES, VersionSchema


class VersionStates:
    """
    The stored bins and states of a version.

    :param session: A session with a read transaction.
    :param row: The version.
    :param retention: Retention of the model; None if states are kept for ever.
    :param term: Term of a segment whose states are read; None for those of all rows.
    """

    def __init__(
        self,
        session: Session,
        row: VersionRow,
        retention: Retention | None = None,
        term: StatesTerm | None = None,
    ) -> None:
        self._session, self._row, self._retention, self.term = session, row, retention, term
        self._datasets: dict[str, tuple[DatasetRow, BlockLayout]] = {}
        self._of_terms: dict[StatesTerm, VersionStates] = {}
        self.of_all_rows: VersionStates = self
        self._read: dict[StatesKey, Series] = {}
        self._sums: dict[StatesKey, StateSums] = {}
        self._outlines: dict[StatesKey, StatesSummary] = {}
        self._dropped: dict[StatesKey, DroppedRanges] = {}
        self._merged: dict[StatesKey, State | None] = {}
        self._bins: dict[tuple[str, str], Bins | None] = {}
        self._dumped_bins: dict[str, dict[str, msgspec.Raw]] = {}
        self._synced: dict[str, bool] = {}
        self._labelled: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        """Return the name of the version."""
        return self._row.name

    def of_term(self, term: StatesTerm | None) -> VersionStates:
        """Return the states of the rows of a term of a segment; None for those of all rows."""
        if term is None:
            return self
        if term not in self._of_terms:
            self._of_terms[term] = self._with_term(term)
            self._of_terms[term].of_all_rows = self
        return self._of_terms[term]

    def _with_term(self, term: StatesTerm) -> VersionStates:
        return VersionStates(self._session, self._row, self._retention, term)

    @cached_property
    def schema(self) -> VersionSchema:
        """Return the schema of the version."""
        if self.of_all_rows is not self:
            return self.of_all_rows.schema
        return VersionSchema.from_wire(self._row.registration)

    @cached_property
    def field_types(self) -> dict[str, str]:
        """Return the types of fields and labels by key; that of a label is empty: it is not declared."""
        types = {
            f"{category}.{name}": field.type
            for category in CATEGORIES
            for name, field in self.schema.fields(category).items()
        }
        return {**types, **{f"labels.{name}": "" for name in self.schema.predictions}}

    @cached_property
    def _keys_by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key in self.field_types:
            for name in {key, key.partition(".")[2]}:
                found.setdefault(name, []).append(key)
        return found

    def fields_named(self, name: str) -> list[str]:
        """Return the keys of the fields and labels with a name, which may be qualified."""
        return self._keys_by_name.get(name, [])

    def bins(self, role: str, key: str) -> Bins | None:
        """Return the bins that the stored states of a dataset's field use."""
        if self.of_all_rows is not self:
            return self.of_all_rows.bins(role, key)
        if (role, key) not in self._bins:
            stored = self._stored_bins(role).get(key)
            self._bins[role, key] = (
                None if stored is None else load_bins({key: msgspec.json.decode(stored)})[key]
            )
        return self._bins[role, key]

    def _stored_bins(self, role: str) -> dict[str, msgspec.Raw]:
        if role not in self._dumped_bins:
            dataset, _ = self._dataset(role)
            of_fields = SyncRow.dataset_key == dataset.key, SyncRow.part == FIELDS
            text = self._session.scalar(select(cast(SyncRow.grids, Text)).where(*of_fields))
            # With many fields, parsing the bins of all of them takes longer than the rest of a query.
            self._dumped_bins[role] = msgspec.json.decode(text, type=dict[str, msgspec.Raw]) if text else {}
        return self._dumped_bins[role]

    def is_synced(self, role: str) -> bool:
        """Return whether a sync of a dataset, or of the segment in it, has ever succeeded."""
        if role not in self._synced:
            dataset, _ = self._dataset(role)
            part = FIELDS if self.term is None else segment_part(FIELDS, self.term.segment.key)
            synced = select(SyncRow.synced_at).filter_by(dataset_key=dataset.key, part=part)
            self._synced[role] = self._session.scalar(synced) is not None
        return self._synced[role]

    def faults_of_segment(self, role: str) -> list[str]:
        """Return why the segment cannot be computed from a dataset; nothing if it can."""
        if self.term is None:
            return []
        dataset = connection_of(find_dataset(self._session, self._row, role))
        return self.term.segment.faults(dataset_fields(dataset, self.schema))

    def labelled(self, role: str) -> list[str]:
        """
        Return the predictions that have labels in a dataset.

        The labels of the serving dataset include those in the actuals.
        """
        if self.of_all_rows is not self:
            return self.of_all_rows.labelled(role)
        if role not in self._labelled:
            self._labelled[role] = self._find_labelled(role)
        return self._labelled[role]

    def _find_labelled(self, role: str) -> list[str]:
        roles = ("serving", "actuals") if role == "serving" else (role,)
        query = select(DatasetRow).filter(DatasetRow.version_key == self._row.key, DatasetRow.role.in_(roles))
        datasets = [connection_of(row) for row in self._session.scalars(query)]
        columns = [item for dataset in datasets for item in dataset.columns(self.schema)]
        labelled_names = {name for category, name, _ in columns if category == "labels"}
        return [name for name in self.schema.predictions if name in labelled_names]

    def summary(self, key: StatesKey) -> StatesSummary:
        """
        Return a summary of the states that :meth:`series` would read.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        if key not in self._outlines:
            sums = self._state_sums(key)
            self._outlines[key] = StatesSummary(sums.extent, sums.pieces)
        return self._outlines[key]

    def series(self, key: StatesKey) -> Series:
        """
        Return the states of a field of a dataset in a range; they are cached until :meth:`forget` is called.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        if key not in self._read:
            self._read[key] = self._part_of_known(key) or self._read_series(key)
        return self._read[key]

    def dropped(self, key: StatesKey) -> DroppedRanges:
        """
        Return the ranges whose states :meth:`series` lacks because retention has dropped them.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        if self._retention is None or key.role not in RETAINED_ROLES:
            return NOTHING_DROPPED
        if key not in self._dropped:
            self._dropped[key] = DroppedRanges(self._state_sums(key).dropped, self._retention.described)
        return self._dropped[key]

    def _read_series(self, key: StatesKey) -> Series:
        pieces = self._state_sums(key).read()
        return Series([(piece.first, piece.state) for piece in pieces], [piece.last for piece in pieces])

    def _part_of_known(self, key: StatesKey) -> Series | None:
        for read_key, series in self._read.items():
            if self.dropped(read_key):
                continue
            is_finer = (read_key.role, read_key.field) == (key.role, key.field) and {*read_key.spans} <= {
                *key.spans
            }
            if is_finer and _contains(read_key.within, key.within):
                part = series.part(key.within)
                if part is not None:
                    return part
        return None

    def _state_sums(self, key: StatesKey) -> StateSums:
        if key not in self._sums:
            dataset, layout = self._dataset(key.role)
            found = self._session, dataset.key, self._stored_field(key), key.within, key.spans, layout
            self._sums[key] = StateSums(*found)
        return self._sums[key]

    def _stored_field(self, key: StatesKey) -> str:
        return key.field if self.term is None else f"{self.term.prefix}{key.field}"

    def _dataset(self, role: str) -> tuple[DatasetRow, BlockLayout]:
        """Return a dataset and the layout of its states; terms of segments share what was found."""
        known = self.of_all_rows._datasets
        if role not in known:
            row = find_dataset(self._session, self._row, role)
            known[role] = row, BlockLayout.of(self._session, row.key)
        return known[role]

    def prepare_sums(self, reads: Sequence[tuple[VersionStates, StatesKey]]) -> None:
        """
        Find the stored states of several fields or terms of segments with one query.

        Nothing is done if there is no such dataset.

        :param reads: Keys of one role, range and spans, each with this version or one of its terms.
        """
        missing = {version._stored_field(key): (version, key) for version, key in reads}
        _, first = reads[0]
        try:
            dataset, layout = self._dataset(first.role)
        except NotFoundError:
            return
        sums = StateSums.of_fields(
            self._session, dataset.key, list(missing), first.within, first.spans, layout
        )
        for field, (version, key) in missing.items():
            version._sums[key] = sums[field]

    def forget(self) -> None:
        """Clear the cache of states."""
        self._read.clear()
        self._merged.clear()
        for states in self._of_terms.values():
            states.forget()

    def merged(self, key: StatesKey) -> State | None:
        """Return the sum of the states in a range; None if it has no rows."""
        if key not in self._merged:
            self._merged[key] = total(state for _, state in self.series(key).states)
        return self._merged[key]


def _contains(whole: Range, part: Range) -> bool:
    """Return whether a range contains another. Only the unbounded range contains rows without a timestamp."""
    if whole[0] is None or whole[1] is None:
        return True
    return part[0] is not None and part[1] is not None and whole[0] <= part[0] and part[1] <= whole[1]

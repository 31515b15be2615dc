"""Numbers of times that buckets were replaced by different ones."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from itertools import accumulate

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.lookups import insert
from aporia_provider.backend.store.monitor_tables import BucketChangeRow

_BATCH_SIZE = 200


def record_changes(session: Session, dataset_key: int, part: str, buckets: Collection[int]) -> None:
    """
    Increment the numbers of changes of buckets.

    :param buckets: Starts of the buckets in seconds since 1970.
    """
    key = {"dataset_key": dataset_key, "part": part}
    rows = [{**key, "bucket": bucket, "changes": 1} for bucket in sorted(buckets)]
    for start in range(0, len(rows), _BATCH_SIZE):
        statement = insert(session, BucketChangeRow).values(rows[start : start + _BATCH_SIZE])
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["dataset_key", "part", "bucket"],
                set_={"changes": BucketChangeRow.changes + 1},
            )
        )


class BucketChanges:
    """
    Numbers of changes of the buckets of a part of a dataset.

    :param session: A session with a transaction.
    :param dataset_key: Key of the dataset.
    :param part: The part.
    :param start: Start of the range to read, in seconds since 1970.
    """

    def __init__(self, session: Session, dataset_key: int, part: str, start: int) -> None:
        row = BucketChangeRow
        query = select(row.bucket, row.changes).filter_by(dataset_key=dataset_key, part=part)
        found = session.execute(query.where(row.bucket >= start).order_by(row.bucket)).all()
        self.start, self.dataset_key, self.part = start, dataset_key, part
        self._buckets = [bucket for bucket, _ in found]
        self._sums = [0, *accumulate(changes for _, changes in found)]

    def within(self, start: int, end: int) -> str:
        """Return a text that differs if a bucket in a range has changed: their number and that of changes."""
        first, last = bisect_left(self._buckets, start), bisect_left(self._buckets, end)
        return f"{last - first}.{self._sums[last] - self._sums[first]}"

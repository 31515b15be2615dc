"""Loading of the sums and states of several fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.store.sync_tables import StateBlockRow

_BATCH_SIZE: Final = 200
_MOST_KEPT: Final = 2 * _BATCH_SIZE


class BlockLoader:
    """
    Loads columns of rows by their keys.

    A query also loads rows that were announced by :meth:`expect`, so that several fields take one query.
    At most a few hundred rows are in memory at a time.

    :param session: A session with a transaction.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        # The keys of a dict are in the order in which they were added.
        self._expected: dict[str, dict[int, None]] = defaultdict(dict)
        self._loaded: dict[tuple[str, int], bytes] = {}

    def expect(self, column: Any, keys: Collection[int]) -> None:
        """
        Announce that rows will be read.

        :param column: The column that will be read: ``total`` or ``states``.
        :param keys: Keys of the rows, in the order in which they will be read.
        """
        self._expected[column.key].update(dict.fromkeys(keys))

    def read(self, column: Any, keys: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """
        Yield the keys of rows and a column of them. Rows that no longer exist are omitted.

        :param column: The column.
        :param keys: Keys of the rows.
        """
        for start in range(0, len(keys), _BATCH_SIZE):
            check_deadline()
            batch = keys[start : start + _BATCH_SIZE]
            missing = [key for key in batch if (column.key, key) not in self._loaded]
            if missing:
                self._load(column, missing)
            for key in batch:
                stored = self._loaded.pop((column.key, key), None)
                if stored is not None:
                    yield key, stored

    def _load(self, column: Any, missing: Sequence[int]) -> None:
        expected = self._expected[column.key]
        for key in missing:
            expected.pop(key, None)
        if len(self._loaded) > _MOST_KEPT:
            # Rows that were expected and are read by none.
            expected.clear()
        others = list(islice(expected, _BATCH_SIZE - len(missing)))
        for key in others:
            del expected[key]
        query = select(StateBlockRow.key, column).where(StateBlockRow.key.in_([*missing, *others]))
        for key, stored in self._session.execute(query):
            self._loaded[column.key, key] = stored

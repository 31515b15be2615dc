"""
Leases, which prevent concurrent syncs of a version.

The holder of a lease renews it periodically. The lease expires if it is not renewed, or at once if the
holder's process is known to have ended. A lease whose expiry is further ahead than the maximum duration was
taken while the clock was wrong, and counts as expired.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.lookups import insert_or_find
from aporia_provider.backend.store.sync_tables import LeaseRow
from aporia_provider.backend.store.tables import UtcDateTime
from aporia_provider.backend.sync.processes import has_exited, this_process
from aporia_provider.errors import AporiaError, TransientError

LEASE_SECONDS = 60.0
MAX_LEASE_SECONDS = 600
"""Maximum duration of a lease in seconds."""
_POLL_SECONDS = 1.0
# Seconds by which the clock may be set back while a lease is held.
_CLOCK_TOLERANCE = 60


class Lease:
    """
    Exclusive right to change the profiles of a version.

    :param database: The database.
    :param version_key: Key of the version.
    :param seconds: Duration of the lease in seconds after its last renewal.
    """

    def __init__(self, database: Database, version_key: int, seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._version_key = version_key
        self._seconds = seconds
        self._holder = str(uuid4())
        self._process = this_process()

    @contextmanager
    def hold(self, description: str, wait_seconds: float) -> Iterator[None]:
        """
        Hold the lease during the block, and renew it in the background.

        :param what: Description of the holder, shown to syncs that wait for the lease.
        :param wait_seconds: Maximum time in seconds to wait for another holder.
        :raises aporia_provider.errors.TransientError: if another sync still holds the lease after that time;
            the message names the holder.
        """
        self._acquire(description, wait_seconds)
        stop = threading.Event()
        renewal = threading.Thread(target=self._renew_periodically, args=(stop,), daemon=True)
        renewal.start()
        try:
            yield
        finally:
            stop.set()
            renewal.join()
            self._release()

    def check_held(self, session: Session) -> None:
        """
        Check that the lease is still held, within a transaction that writes.

        :raises aporia_provider.errors.TransientError: if the lease expired and another sync took it.
        """
        if not self.renew(session):
            raise TransientError("The lease of the sync has expired, and another sync has acquired it")

    def renew(self, session: Session) -> bool:
        """Renew the lease if it is still held; return whether it is."""
        own_row = update(LeaseRow).filter_by(version_key=self._version_key, holder=self._holder)
        renewed = session.execute(own_row.values(expires_at=self._new_expiry(session)))
        return bool(renewed.rowcount)  # type: ignore[attr-defined]

    def _acquire(self, description: str, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds
        while (holder := self._try_to_acquire(description)) is not None:
            if time.monotonic() >= deadline:
                raise TransientError(f"Another sync of this version is running: {holder}")
            time.sleep(min(_POLL_SECONDS, self._seconds / 3))

    def _try_to_acquire(self, description: str) -> str | None:
        """Acquire the lease and return None, or return a description of the current holder."""
        with self._database.write_transaction() as session:
            values = {"holder": self._holder, "process": self._process, "what": description}
            expiry = {"expires_at": self._new_expiry(session)}
            row, is_new = insert_or_find(
                session, LeaseRow, {"version_key": self._version_key}, values | expiry
            )
            if is_new:
                return None
            # Read again: another sync may have acquired the lease before the row was locked.
            locked = select(LeaseRow).filter_by(key=row.key).with_for_update()
            current = session.scalar(locked.execution_options(populate_existing=True))
            if current is None or not self._has_expired(current, _now(session)):
                return row.what
            for name, value in values.items():
                setattr(current, name, value)
            # Computed only now, since acquiring the lock may have taken a long time.
            current.expires_at = self._new_expiry(session)
            return None

    def _has_expired(self, row: LeaseRow, now: datetime) -> bool:
        # The maximum duration, because the holder's duration may be longer than this lease's.
        max_duration = timedelta(seconds=MAX_LEASE_SECONDS + _CLOCK_TOLERANCE)
        return not now < row.expires_at <= now + max_duration or has_exited(row.process)

    def _renew_periodically(self, stop: threading.Event) -> None:
        while not stop.wait(self._seconds / 4):
            try:
                with self._database.write_transaction() as session:
                    self.renew(session)
            except AporiaError:
                # The next renewal may succeed; otherwise the final transaction is refused.
                continue

    def _release(self) -> None:
        with self._database.write_transaction() as session:
            row = session.scalar(
                select(LeaseRow).filter_by(version_key=self._version_key, holder=self._holder)
            )
            if row is not None:
                session.delete(row)

    def _new_expiry(self, session: Session) -> datetime:
        return _now(session) + timedelta(seconds=self._seconds)


def _now(session: Session) -> datetime:
    """
    Return the time of the database server, since the clocks of the workers may differ.

    On PostgreSQL, ``current_timestamp`` is the start of the transaction, which is in the past after the
    transaction has waited for a lock.
    """
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    clock = func.clock_timestamp if is_postgresql else func.current_timestamp
    now: datetime = session.execute(select(clock(type_=UtcDateTime()))).scalar_one()
    return now

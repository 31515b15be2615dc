"""Selection of the windows that are judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.freshness.stored_histories import StoredHistory, stored_histories
from aporia_provider.backend.monitors.targets import DataRange, Place
from aporia_provider.backend.monitors.windows import Window, WindowPlan
from aporia_provider.backend.store.bucket_changes import BucketChanges
from aporia_provider.backend.store.monitor_tables import VerdictRow

MAX_WINDOWS = 100
"""Maximum number of windows of a version that an evaluation judges."""

_MARGIN = 31 * 86_400

# Increase it whenever the same states result in different verdicts.
_RULES_VERSION = 1


def digest(registration: Mapping[str, Any]) -> str:
    """Return a text that identifies what decides the verdicts of a monitor."""
    body = json.dumps([_RULES_VERSION, registration["type"], registration["configuration"]], sort_keys=True)
    return text_digest(body)


def text_digest(text: str) -> str:
    """Return a short text that identifies a text."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Limits:
    """
    Limits of an evaluation, in seconds since 1970.

    :param now: The current time.
    :param start: Start of the first window to judge; None for the windows since the first that was judged.
    :param end: End of the last window to judge; None for the latest.
    """

    now: int
    start: int | None = None
    end: int | None = None


class ChangesRead:
    """
    Numbers of changes of buckets, each part of a dataset read once.

    :param session: A session with a transaction.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._read: dict[tuple[int, str], BucketChanges] = {}

    def of(self, dataset_key: int, part: str, start: int) -> BucketChanges:
        """Return the changes of a part of a dataset since a time, or an earlier one."""
        known = self._read.get((dataset_key, part))
        if known is None or known.start > start:
            # Others may need earlier ones.
            known = BucketChanges(self.session, dataset_key, part, start - _MARGIN)
            self._read[dataset_key, part] = known
        return known


class Inputs:
    """
    Texts that identify what verdicts were computed from.

    :param changes: Numbers of changes of the states of each serving dataset.
    :param constant: What identifies the monitor's configuration.
    """

    def __init__(self, changes: Sequence[BucketChanges], constant: str) -> None:
        self._changes, self._constant = changes, constant

    def again(self, changes: ChangesRead, start: int) -> Inputs:
        """
        Read the inputs again.

        :param changes: Changes that are read in another transaction.
        :param start: Start of the first window.
        """
        found = [changes.of(each.dataset_key, each.part, start) for each in self._changes]
        return Inputs(found, self._constant)

    def of(self, window: Window) -> str:
        """Return the text of a window."""
        changes = ",".join(each.within(window.start, window.end) for each in self._changes)
        return f"{changes}:{self._constant}"


class TableInputs(Inputs):
    """
    Texts that identify the commits that verdicts on tables were computed from.

    :param histories: The commits of each table that are known.
    :param uris: The tables by key of the dataset.
    :param constant: What identifies the monitor's configuration.
    """

    def __init__(self, histories: Sequence[StoredHistory], uris: Mapping[int, str], constant: str) -> None:
        super().__init__([], constant)
        self._histories, self._uris = histories, uris

    @classmethod
    def read(cls, session: Session, uris: Mapping[int, str], constant: str) -> TableInputs:
        """Return the inputs that are stored."""
        stored = stored_histories(session, uris)
        histories = [stored[key] for key, uri in uris.items() if key in stored and stored[key].uri == uri]
        return cls(histories, uris, constant)

    def again(self, changes: ChangesRead, start: int) -> TableInputs:
        """See :meth:`Inputs.again`."""
        return TableInputs.read(changes.session, self._uris, self._constant)

    def of(self, window: Window) -> str:
        """Return the text of a window: its last commits, and whether the logs were read after it."""
        moment = datetime.fromtimestamp(window.end, UTC)
        known = [_known_until(each, moment) for each in self._histories]
        text = json.dumps([self._constant, known, len(self._uris)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _known_until(stored: StoredHistory, moment: datetime) -> list[Any]:
    times = stored.times_until(moment)
    is_complete = stored.read_at is not None and stored.read_at >= moment
    return [stored.uri, times[-1].isoformat() if times else None, is_complete or stored.error]


def closed_windows(plan: WindowPlan, data: DataRange, limits: Limits, *, by_clock: bool) -> list[Window]:
    """
    Return the latest windows whose data is complete, the latest first, at most :data:`MAX_WINDOWS`.

    :param plan: Windows of the monitor.
    :param data: Data of the version.
    :param limits: Limits of the evaluation.
    :param by_clock: Whether windows are complete when they have ended, even if no data has arrived.
    """
    ends = [limits.now] if by_clock else [limits.now, data.complete]
    if limits.end is not None:
        ends.append(limits.end)
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return []
    backwards = plan.backwards(min(known))
    windows = [next(backwards) for _ in range(MAX_WINDOWS)]
    return [window for window in windows if limits.start is None or window.start >= limits.start]


def overlaps_data(window: Window, data: DataRange, bucket_seconds: int) -> bool:
    """Return whether a window overlaps the range from the first bucket with rows to the last."""
    if data.first is None or data.last is None:
        return False
    return window.start < data.last + bucket_seconds and window.end > data.first


@dataclass(frozen=True)
class Judged:
    """
    Stored verdicts of a monitor on a version.

    :param first: Start of the first window; None if there is none.
    :param inputs: Inputs by the start of the window, of the windows that may be judged again.
    :param count: Number of all windows.
    """

    first: int | None
    inputs: Mapping[int, str]
    count: int

    @classmethod
    def of(cls, session: Session, monitor_key: int, place: Place, since: int) -> Judged:
        """Return the stored verdicts on windows that start at ``since`` or later."""
        version, segment = place
        mine = {"monitor_key": monitor_key, "version": version, "segment": segment}
        first, count = session.execute(
            select(func.min(VerdictRow.start), func.count()).filter_by(**mine)
        ).one()
        recent = select(VerdictRow.start, VerdictRow.inputs).filter_by(**mine)
        rows = session.execute(recent.where(VerdictRow.start >= since))
        return cls(first, dict(iter(rows)), count)


def pending_windows(windows: list[Window], judged: Judged, inputs: Inputs, limits: Limits) -> list[Window]:
    """
    Return the windows to judge, the oldest first.

    Without a start, these are the windows since the first that was judged; of a monitor that was never
    evaluated, only the latest.

    :param windows: The complete windows, the latest first.
    :param judged: The stored verdicts.
    :param inputs: The current inputs.
    :param limits: Limits of the evaluation.
    """
    if limits.start is None:
        windows = (
            windows[:1] if judged.first is None else [each for each in windows if each.start >= judged.first]
        )
    pending = [window for window in windows if judged.inputs.get(window.start) != inputs.of(window)]
    return pending[::-1]


def left_out(windows: list[Window], judged: Judged, limits: Limits, step: int) -> int:
    """Return the number of windows that were never judged and are too old to be judged by this evaluation."""
    since = judged.first if limits.start is None else limits.start
    if since is None or len(windows) < MAX_WINDOWS:
        return 0
    older = (windows[-1].start - since) // step
    return max(0, older - (judged.count - len(judged.inputs)))

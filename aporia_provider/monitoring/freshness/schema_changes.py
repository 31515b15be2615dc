"""Whether the schema of a table has changed recently."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aporia_provider.monitoring.freshness.commits import TableCommit
from aporia_provider.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def judge_schema(
    commits: Sequence[TableCommit], since: float, window: float, probability: float, *, is_complete: bool
) -> Verdict:
    """
    Return the verdict on the schema since a time; its value is the number of commits that changed it.

    :param commits: All commits, in the order of their times.
    :param since: The time, in seconds since 1970.
    :param window: Length in seconds of past windows, from which the usual number is learned. Until there are
        enough of them for ``probability``, no change is usual.
    :param probability: Share of windows whose number of changes is at most the limit.
    :param is_complete: Whether the first commit created the table.
    """
    times = np.array([commit.time.timestamp() for commit in commits], np.float64)
    recent = [commit for commit, time in zip(commits, times.tolist(), strict=True) if time >= since]
    changes = [commit.schema_change for commit in recent if commit.schema_change is not None]
    if not changes and not is_complete and _is_unknown(commits, recent):
        reason = "the log no longer contains the schema before the last commit that changed the metadata"
        return Verdict(outcome="insufficient", metric="schema_changed", reason=reason)
    high = _usual(commits, times, since, window, probability)
    return Verdict(
        outcome="fail" if len(changes) > high else "pass",
        metric="schema_changed",
        value=float(len(changes)),
        high=float(high),
        effect=float(max(0, len(changes) - high)),
        samples=len(recent),
        reason="; ".join(changes) or None,
    )


def _is_unknown(commits: Sequence[TableCommit], recent: Sequence[TableCommit]) -> bool:
    """Return whether the first commit of a history with a schema is a recent one."""
    first = next((commit for commit in commits if commit.changes_metadata), None)
    return first is not None and any(first is commit for commit in recent)


def _usual(
    commits: Sequence[TableCommit], times: Floats, since: float, window: float, probability: float
) -> int:
    """Return the limit of the number of changes in a window."""
    windows = math.floor((since - times[0]) / window) if len(times) and since > times[0] else 0
    rank = math.ceil(probability * (windows + 1) - 1e-9)
    if rank > windows:
        return 0
    counts = np.zeros(windows, np.int64)
    for commit, time in zip(commits, times.tolist(), strict=True):
        index = math.floor((since - time) / window)
        if commit.schema_change is not None and 0 <= index < windows and time < since:
            counts[index] += 1
    return int(np.sort(counts)[rank - 1])

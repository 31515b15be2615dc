"""Which computed verdicts may still be recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.monitors.pending_windows import ChangesRead
from aporia_provider.backend.monitors.targets import Place
from aporia_provider.backend.monitors.window_judge import JudgedVersion
from aporia_provider.backend.monitors.windows import Window
from aporia_provider.backend.store.monitor_tables import VerdictRow
from aporia_provider.verdicts import WindowVerdict


class CurrentVerdicts:
    """
    Selection of the verdicts of monitors whose inputs are still the current ones, and that have not been
    recorded.

    :param session: Session of a transaction that has locked the rows of the monitors.
    :param judged: The verdicts, by key of the monitor.
    """

    def __init__(self, session: Session, judged: Mapping[int, Sequence[JudgedVersion]]) -> None:
        self._session, self._changes = session, ChangesRead(session)
        starts = [
            version.windows[0][0].start for each in judged.values() for version in each if version.windows
        ]
        self._stored = _stored_inputs(session, judged, min(starts, default=0))

    def of(self, monitor_key: int, version: JudgedVersion) -> list[tuple[Window, WindowVerdict]]:
        """
        Return the verdicts on a version that can be recorded.

        If a sync has replaced states since, the evaluation after that sync judges the window.
        """
        if not version.windows:
            return []
        first = version.windows[0]
        inputs = version.inputs.again(self._changes, first[0].start)
        place = first[1].model_version or "", first[1].segment or ""
        stored = self._stored.get((monitor_key, place), {})
        return [
            (window, verdict)
            for window, verdict in version.windows
            if stored.get(window.start) != verdict.inputs and inputs.of(window) == verdict.inputs
        ]


def _stored_inputs(
    session: Session, monitor_keys: Collection[int], since: int
) -> dict[tuple[int, Place], dict[int, str]]:
    """Return the inputs of the stored verdicts on windows that start at ``since`` or later."""
    row = VerdictRow
    query = select(row.monitor_key, row.version, row.segment, row.start, row.inputs)
    query = query.where(row.monitor_key.in_(monitor_keys), row.start >= since)
    found: dict[tuple[int, Place], dict[int, str]] = {}
    for key, version, segment, start, inputs in session.execute(query):
        found.setdefault((key, (version, segment)), {})[start] = inputs
    return found

"""Contents of the overview: models with their state, and open alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aporia_provider.alerts import Alert
from aporia_provider.backend.monitors.alert_reading import alerts_of, read_alerts
from aporia_provider.backend.page.contents.model_lines import MAX_MODELS, ModelLine, model_lines
from aporia_provider.backend.page.contents.model_summary import ModelSummary, SummaryCache, sync_marks
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.backend.store.tables import MonitorRow, utc_now

PAGE_SIZE = 50
"""Number of models on a page."""
MAX_ALERTS = 20
"""Maximum number of open alerts above the models."""
STALE = timedelta(hours=48)
"""Time without a sync after which a model is stale."""
SEVERITIES = ("HIGH", "MEDIUM", "LOW")
STATES = ("alert", "stale", "insufficient", "healthy")


@dataclass(frozen=True)
class ModelState:
    """
    State of a model.

    :param kind: ``alert``, ``stale``, ``insufficient`` or ``healthy``.
    :param severity: Highest severity of the open alerts; None without an open alert.
    :param reason: Explanation of the state.
    """

    kind: str
    severity: str | None
    reason: str

    @property
    def rank(self) -> int:
        """Position in the order of the overview, worst first."""
        if self.severity in SEVERITIES:
            return SEVERITIES.index(self.severity)
        return len(SEVERITIES) + STATES.index(self.kind)


@dataclass(frozen=True)
class JudgedModel:
    """
    A model with its state.

    :param line: The model.
    :param state: Its state.
    :param summary: Its performance; None if it was not computed yet.
    """

    line: ModelLine
    state: ModelState
    summary: ModelSummary | None = None


@dataclass(frozen=True)
class Overview:
    """
    Contents of the overview.

    :param models: Models of the page.
    :param matching: Number of models that match the search and the filter.
    :param total: Number of all models.
    :param counts: Number of all models by state.
    :param alerts: Open alerts, the worst and then the newest first.
    :param alerts_left_out: Number of further open alerts.
    :param page: Number of the page, beginning at 1.
    :param pages: Number of pages.
    :param is_cut: Whether there may be more models than were read.
    """

    models: Sequence[JudgedModel]
    matching: int
    total: int
    counts: Mapping[str, int]
    alerts: Sequence[Alert]
    alerts_left_out: int
    page: int
    pages: int
    is_cut: bool


@dataclass(frozen=True)
class Selection:
    """
    Which models are shown, and in which order.

    :param search: Text that the name or the id contains, regardless of case.
    :param state: One of :data:`STATES`; anything else selects all models.
    :param sort: One of :data:`SORTS`; anything else sorts by state.
    :param page: Number of the page.
    :param models: Ids of the models that are shown, with their open alerts; None for all.
    """

    search: str = ""
    state: str = ""
    sort: str = "state"
    page: int = 1
    models: frozenset[str] | None = None

    def includes(self, model: JudgedModel) -> bool:
        """Return whether a model is selected."""
        text = self.search.casefold()
        if self.models is not None and model.line.id not in self.models:
            return False
        if self.state in STATES and model.state.kind != self.state:
            return False
        return text in model.line.name.casefold() or text in model.line.id.casefold()


def overview(
    registry: Registry, selection: Selection, cache: SummaryCache, now: datetime | None = None
) -> Overview:
    """
    Return the contents of the overview.

    :param registry: The registry.
    :param selection: Which models are shown.
    :param cache: Summaries that were computed before; no others are shown.
    :param now: The current time; None for the time of the clock.
    """
    time = now or utc_now()
    with registry.database.read_transaction() as session:
        lines = model_lines(session, registry.environment, time.timestamp())
    judged = [JudgedModel(line, state_of(line, time)) for line in lines]
    chosen = sorted(filter(selection.includes, judged), key=SORTS.get(selection.sort, SORTS["state"]))
    pages = max(1, -(-len(chosen) // PAGE_SIZE))
    page = min(max(1, selection.page), pages)
    concerned = [line for line in lines if selection.models is None or line.id in selection.models]
    open_alerts = sum(sum(line.alerts.values()) for line in concerned)
    alerts = _open_alerts(registry, selection.models)
    return Overview(
        models=_summarised(registry, chosen[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], cache),
        matching=len(chosen),
        total=len(judged),
        counts={kind: sum(each.state.kind == kind for each in judged) for kind in STATES},
        alerts=alerts,
        alerts_left_out=max(0, open_alerts - len(alerts)),
        page=page,
        pages=pages,
        is_cut=len(lines) == MAX_MODELS,
    )


def _open_alerts(registry: Registry, models: frozenset[str] | None) -> list[Alert]:
    """Return the first open alerts of some models, or of all."""
    query = alerts_of(registry.environment).where(AlertRow.status == "open")
    if models is not None:
        query = query.where(MonitorRow.subject.in_(models))
    with registry.database.read_transaction() as session:
        rows = session.execute(query.limit(MAX_ALERTS))
        return read_alerts(session, [(alert, monitor) for alert, monitor in rows])


def _summarised(registry: Registry, models: Sequence[JudgedModel], cache: SummaryCache) -> list[JudgedModel]:
    keys = [model.line.version_key for model in models if model.line.version_key is not None]
    with registry.database.read_transaction() as session:
        marks = sync_marks(session, keys)
    return [
        replace(model, summary=cache.get(registry.environment, model.line.id, marks[model.line.version_key]))
        if model.line.version_key is not None
        else model
        for model in models
    ]


def state_of(line: ModelLine, now: datetime) -> ModelState:
    """
    Return the state of a model: from its open alerts, else from its syncs, else from its monitors.

    :param line: The model.
    :param now: The current time.
    """
    if line.alerts:
        severity = next((each for each in SEVERITIES if each in line.alerts), "LOW")
        return ModelState("alert", severity, _alerts_text(line.alerts))
    if (problem := _sync_problem(line, now)) is not None:
        return ModelState("stale", None, problem)
    passed, insufficient = line.outcomes.get("pass", 0), line.outcomes.get("insufficient", 0)
    if passed + line.outcomes.get("fail", 0) == 0:
        reason = (
            f"{insufficient} monitors have too little data" if insufficient else "No monitor has judged it"
        )
        return ModelState("insufficient", None, reason)
    more = f", {insufficient} have too little data" if insufficient else ""
    return ModelState("healthy", None, f"{passed} monitors passed{more}")


def _sync_problem(line: ModelLine, now: datetime) -> str | None:
    if line.version is None:
        return "The model has no version"
    if line.sync is None:
        return f"Version {line.version} has no serving dataset"
    if line.sync.synced_at is None:
        return "The serving dataset was never synced"
    if line.sync.error is not None:
        return "The last sync failed"
    if now - line.sync.synced_at > STALE:
        return f"The last sync was {(now - line.sync.synced_at).days} days ago"
    return None


def _alerts_text(alerts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{alerts[severity]} {severity.lower()}" for severity in SEVERITIES if severity in alerts
    )


def _name(model: JudgedModel) -> tuple[str, str]:
    return model.line.name.casefold(), model.line.id


def _rows(model: JudgedModel) -> int:
    return model.line.days[-1].rows if model.line.days else -1


def _lag(model: JudgedModel) -> float:
    sync = model.line.sync
    return -1 if sync is None or sync.lag is None else sync.lag


def _age(model: JudgedModel) -> datetime:
    sync = model.line.sync
    return datetime.min.replace(tzinfo=UTC) if sync is None or sync.synced_at is None else sync.synced_at


SORTS: dict[str, Callable[[JudgedModel], Any]] = {
    "state": lambda model: (model.state.rank, *_name(model)),
    "name": _name,
    "rows": lambda model: (-_rows(model), *_name(model)),
    "lag": lambda model: (-_lag(model), *_name(model)),
    "sync": lambda model: (_age(model), *_name(model)),
}
"""Orders of the models by name."""

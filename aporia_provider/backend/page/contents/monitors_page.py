"""Contents of the view of a model's monitors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aporia_provider.backend.page.contents.monitor_replay import MonitorReplay, replay
from aporia_provider.backend.page.contents.monitor_words import in_words, promised_rate
from aporia_provider.backend.page.contents.page_days import DAY, PageDays, last_second
from aporia_provider.backend.page.contents.page_parts import Missing
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.bucket_ranges import NO_BUCKET, serving_ranges
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.errors import NotFoundError
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.nearest import nearest
from aporia_provider.verdicts import LatestVerdict

MAX_MONITORS: Final = 200
"""Maximum number of monitors of the view."""


@dataclass(frozen=True)
class MonitorLine:
    """
    A monitor.

    :param id: Its id.
    :param name: Its name.
    :param type: Its type.
    :param is_active: Whether it is evaluated.
    :param words: What it judges, in sentences; None if its configuration is not valid.
    :param configuration: Its configuration as JSON.
    :param false_alarms_a_year: Rate of false alarms that it promises; None if it has fixed limits.
    :param verdicts: Its latest verdicts on the version of the view, and on the union of all versions.
    :param problems: Problems of its configuration.
    """

    id: str
    name: str
    type: str
    is_active: bool
    words: str | None
    configuration: str
    false_alarms_a_year: float | None
    verdicts: tuple[LatestVerdict, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class MonitorsPage:
    """
    Contents of the view of a model's monitors.

    :param model_id: Id of the model.
    :param model_name: Its name.
    :param version: The latest version, which the verdicts are about; None if there are no versions.
    :param monitors: The monitors in the order of their creation.
    :param left_out: Number of further monitors.
    :param replay: Replay of one of them; None if it was not requested.
    :param missing: What is missing.
    """

    model_id: str
    model_name: str
    version: str | None
    monitors: tuple[MonitorLine, ...]
    left_out: int
    replay: MonitorReplay | None
    missing: tuple[Missing, ...]


def monitors_page(
    registry: Registry,
    model_id: str,
    *,
    monitor: str | None = None,
    false_alarms_a_year: float | str | None = None,
    now: datetime | None = None,
) -> MonitorsPage:
    """
    Return the contents of the view of a model's monitors.

    :param registry: The registry of an environment.
    :param model_id: Id of the model.
    :param monitor: Name of a monitor that is replayed; None for no replay.
    :param false_alarms_a_year: Rate of false alarms that it is replayed with. Default: the rate in its
        configuration.
    :param now: The current time.
    :raises aporia_provider.errors.NotFoundError: if there is no such model or monitor.
    :raises aporia_provider.errors.ValidationError: if the monitor cannot be replayed with this rate.
    """
    second = int((now or utc_now()).timestamp())
    name, version, days = _model(registry, model_id, second)
    registered = registry.get_monitors(model_id)
    verdicts = registry.get_verdicts(model_id, version) if version else []
    lines = [_line(each, verdicts) for each in registered[:MAX_MONITORS]]
    replayed = None
    if monitor is not None:
        by_name = {each["name"]: each for each in registered}
        if monitor not in by_name:
            hint = nearest(monitor, list(by_name))
            raise NotFoundError(f"Model {model_id!r} has no monitor {monitor!r}; {hint}", status=404)
        replayed = replay(
            registry, model_id, _registration(by_name[monitor]), _rate(false_alarms_a_year), days
        )
    left_out = len(registered) - len(lines)
    return MonitorsPage(model_id, name, version, tuple(lines), left_out, replayed, _missing(lines, version))


def _rate(rate: float | str | None) -> Any:
    return None if rate in (None, "") else rate


def _model(registry: Registry, model_id: str, second: int) -> tuple[str, str | None, PageDays]:
    """Return the name of a model, its latest version, and the days with serving data."""
    with registry.database.read_transaction() as session:
        model = find_model(session, registry.environment, model_id)
        ranges = serving_ranges(session, model.key, second)
        last = last_second(ranges.values(), second)
        first = min((first for _, _, first in ranges.values() if first != NO_BUCKET), default=last)
        days = PageDays.until(last, max(1, last // DAY - first // DAY + 1))
        try:
            version = latest_version(session, model).name
        except NotFoundError:
            version = None
        return model.registration["name"], version, days


def _registration(listed: Mapping[str, Any]) -> dict[str, Any]:
    added = ("id", "model_id", "created_at", "problems")
    return {name: value for name, value in listed.items() if name not in added}


def _line(listed: Mapping[str, Any], verdicts: Sequence[LatestVerdict]) -> MonitorLine:
    words: str | None = None
    rate: float | None = None
    if not listed["problems"]:
        parsed = parse_configuration(listed["type"], listed["configuration"])
        words, rate = in_words(parsed), promised_rate(parsed)
    return MonitorLine(
        listed["id"],
        listed["name"],
        listed["type"],
        listed.get("is_active", True),
        words,
        json.dumps(listed["configuration"], indent=2, ensure_ascii=False),
        rate,
        tuple(verdict for verdict in verdicts if verdict.monitor_id == listed["id"]),
        tuple(listed["problems"]),
    )


def _missing(lines: Sequence[MonitorLine], version: str | None) -> tuple[Missing, ...]:
    if not lines:
        return (
            Missing("The model has no monitors.", "Create the standard ones with ApplyMonitorsOperator."),
        )
    if version is None:
        advice = "Register one with CreateModelVersionOperator."
        return (Missing("The model has no versions that could be judged.", advice),)
    if not any(line.verdicts for line in lines):
        text = f"No monitor has judged version {version} yet."
        return (Missing(text, "Run EvaluateMonitorsOperator, MonitorModelOperator or a sync."),)
    return ()

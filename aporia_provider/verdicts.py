"""Verdicts of monitors, in Python and in the JSON of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from aporia_provider.base_model import parse_list

Outcome = Literal["pass", "fail", "insufficient"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    Verdict of a monitor on one field, or on the rows, of a version in one time window.

    :param outcome: ``pass``, ``fail``, or ``insufficient`` if there is too little data for either.
    :param metric: Name of the metric.
    :param field: Qualified name of the field, such as ``features.age``; None for rows.
    :param value: Value in the window; None if there is none.
    :param baseline_value: Value in the baseline; None if the monitor has no baseline.
    :param low: Lower limit of values that pass; None if there is none.
    :param high: Upper limit of values that pass; None if there is none.
    :param effect: Distance from the limits, at least 0, by which failed fields are sorted; comparable only
        within one monitor.
    :param samples: Number of rows in the window from which ``value`` was computed.
    :param baseline_samples: The same for the baseline.
    :param detectable: Smallest change that would have failed with a probability of 80 %; None if unknown.
    :param reason: Why the outcome is not ``pass``, or notes.
    """

    outcome: Outcome
    metric: str
    field: str | None = None
    value: float | None = None
    baseline_value: float | None = None
    low: float | None = None
    high: float | None = None
    effect: float = 0.0
    samples: int = 0
    baseline_samples: int | None = None
    detectable: float | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Verdict:
        """Parse the JSON form; unknown keys are ignored."""
        return cls(**{each.name: body[each.name] for each in fields(cls) if each.name in body})


@dataclass(frozen=True, kw_only=True)
class WindowVerdict:
    """
    Verdict of a monitor on a version in one time window.

    :param model_version: Name of the version; None for the union of all versions.
    :param segment: Segment and value, such as ``plan = gold``; None for all rows.
    :param start: Start of the window, in seconds since 1970.
    :param end: End of the window, exclusive, in seconds since 1970.
    :param verdicts: Verdicts on the fields, or on the rows.
    :param inputs: Text that identifies the states and the configuration that the verdicts were computed
        from. A window is judged again if it differs from the stored one.
    :param description: Text of the alert, if any verdict fails.
    """

    model_version: str | None
    segment: str | None = None
    start: int
    end: int
    verdicts: tuple[Verdict, ...]
    inputs: str = ""
    description: str | None = None

    @property
    def outcome(self) -> Outcome:
        """``fail`` if any verdict fails, else ``pass`` if any passes, else ``insufficient``."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        return "fail" if "fail" in outcomes else "pass" if "pass" in outcomes else "insufficient"

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The failed verdicts, greatest effect first."""
        failed = [verdict for verdict in self.verdicts if verdict.outcome == "fail"]
        return tuple(sorted(failed, key=lambda verdict: -verdict.effect))


@dataclass(frozen=True, kw_only=True)
class LatestVerdict:
    """
    Latest verdict of a monitor on a version.

    :param monitor_id: Id of the monitor.
    :param monitor: Name of the monitor.
    :param monitor_type: Type of the monitor.
    :param severity: Severity of its alerts: ``LOW``, ``MEDIUM`` or ``HIGH``.
    :param model_version: Name of the version; None for the union of all versions.
    :param segment: Segment and value, such as ``plan = gold``; None for all rows.
    :param start: Start of the window, in ISO format.
    :param end: End of the window, exclusive, in ISO format.
    :param judged_at: Time at which the window was judged, in ISO format.
    :param outcome: ``fail`` if any field fails, else ``pass`` if any passes, else ``insufficient``.
    :param passed: Number of fields that passed.
    :param failed_count: Number of fields that failed.
    :param insufficient_count: Number of fields with too little data.
    :param failed: Verdicts on the fields that failed, greatest effect first, at most 20.
    :param reason: Why a field has too little data; None if all have enough.
    :param detectable: For each field that passed, empty for rows, the smallest change that would have failed
        with a probability of 80 %; at most 20 fields, and only those of which it is known.
    """

    monitor_id: str
    monitor: str
    monitor_type: str
    severity: str
    model_version: str | None
    segment: str | None = None
    start: str
    end: str
    judged_at: str
    outcome: Outcome
    passed: int
    failed_count: int
    insufficient_count: int
    failed: list[Verdict]
    reason: str | None
    detectable: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def parse_verdicts(body: Any) -> list[LatestVerdict]:
    """
    Parse the JSON form of verdicts.

    :raises aporia_provider.errors.ValidationError: if it is not a list of verdicts.
    """
    return parse_list(body, LatestVerdict, "verdicts")

"""Reports on the health of a model version, in Python and in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from aporia_provider.verdicts import Outcome

Check = Literal["alert", "monitor", "metric", "data age"]

_WORST_FIRST: tuple[Outcome, ...] = ("fail", "insufficient", "pass")
MOST_FINDINGS = 200
"""Maximum number of findings in the JSON form and in tables."""


@dataclass(frozen=True, kw_only=True)
class HealthFinding:
    """
    Judgement of one alert, monitor or metric.

    :param check: ``alert``, ``monitor``, ``metric`` or ``data age``.
    :param name: Name of the monitor, or of the metric with its field.
    :param outcome: ``pass``, ``fail``, or ``insufficient`` if there is too little data for either.
    :param column: Name of the field of a metric; None if it has none.
    :param value: The number that was judged; None if there is none.
    :param low: Lower bound of the interval of the number.
    :param high: Upper bound of the interval.
    :param min: Smallest number that passes.
    :param max: Greatest number that passes.
    :param samples: Number of rows from which the number was computed.
    :param dataset_type: Role of the dataset of a metric.
    :param start: Start of the time range, in ISO format; None for all rows.
    :param end: End of the time range, exclusive.
    :param reason: Why the outcome is not ``pass``, or notes.
    """

    check: Check
    name: str
    outcome: Outcome
    column: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    min: float | None = None
    max: float | None = None
    samples: int | None = None
    dataset_type: str | None = None
    start: str | None = None
    end: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class HealthReport:
    """
    Health of a model version.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param environment: Environment of the model.
    :param until: Time of the check, in ISO format.
    :param findings: The findings; failed ones first, then those with too little data.
    """

    model_id: str
    model_version: str
    environment: str
    until: str
    findings: Sequence[HealthFinding]

    @property
    def outcome(self) -> Outcome:
        """``fail`` if any finding fails, else ``insufficient`` if any is or there is none, else ``pass``."""
        outcomes = {finding.outcome for finding in self.findings} or {"insufficient"}
        return next(outcome for outcome in _WORST_FIRST if outcome in outcomes)

    @property
    def sorted_findings(self) -> list[HealthFinding]:
        """The findings: failed ones first, then findings with too little data."""
        return sorted(self.findings, key=lambda finding: _WORST_FIRST.index(finding.outcome))

    def to_json(self) -> dict[str, Any]:
        """
        Return the JSON form.

        It has the ``outcome``, the first 200 findings, and the number of those that are ``left_out``.
        """
        findings = self.sorted_findings
        return {
            "model_id": self.model_id,
            "model_version": self.model_version,
            "environment": self.environment,
            "until": self.until,
            "outcome": self.outcome,
            "findings": [asdict(finding) for finding in findings[:MOST_FINDINGS]],
            "left_out": max(0, len(findings) - MOST_FINDINGS),
        }

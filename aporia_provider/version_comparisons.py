"""Comparisons of two versions of a model, in Python and in JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from aporia_provider.verdicts import Outcome

Better = Literal["higher", "lower"]
"""Which of two numbers of a metric is better."""


@dataclass(frozen=True, kw_only=True)
class VersionComparison:
    """
    Judgement of whether a version is not worse than another by more than a margin.

    :param outcome: ``pass`` if the interval of the improvement is above ``-margin``, ``fail`` if it is below,
        else ``insufficient``.
    :param metric: Name of the metric.
    :param better: Whether higher or lower numbers of the metric are better.
    :param margin: Greatest acceptable loss.
    :param dataset_type: Role of the datasets.
    :param champion: Number of the version in use; None if there is none.
    :param challenger: Number of the other version.
    :param champion_samples: Number of rows from which it was computed.
    :param challenger_samples: The same for the other version.
    :param improvement: Difference of the numbers, positive if the challenger is better.
    :param low: Lower bound of the interval of the improvement.
    :param high: Upper bound of the interval.
    :param detectable: Smallest difference that would have been detected with a probability of 80 %.
    :param rows_needed: Number of rows of each version with which an equally good challenger passes with a
        probability of 80 %; None for a margin of 0.
    :param reason: Why the outcome is ``insufficient``, or notes.
    :param segment: Segment of the rows, with its ``id`` and ``value``; None for all rows.
    """

    outcome: Outcome
    metric: str
    better: Better
    margin: float
    dataset_type: str
    champion: float | None = None
    challenger: float | None = None
    champion_samples: int = 0
    challenger_samples: int = 0
    improvement: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    rows_needed: int | None = None
    reason: str | None = None
    segment: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

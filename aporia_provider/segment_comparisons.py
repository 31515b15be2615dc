"""Comparisons of a rate of two terms of a segment, in Python and in JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from aporia_provider.verdicts import Outcome

FOUR_FIFTHS: Final = 0.8
"""Smallest ratio of two rates that passes; its inverse is the greatest one."""


@dataclass(frozen=True, kw_only=True)
class SegmentComparison:
    """
    Comparison of a rate of two terms of a segment.

    :param outcome: ``pass`` if the interval of the ratio is within 0.8 and 1.25 (the four-fifths rule, 29 CFR
        1607.4 D, in both directions), ``fail`` if it is outside, else ``insufficient``.
    :param metric: Name of the rate.
    :param segment: Name of the segment.
    :param value: Label of the term.
    :param reference: Label of the term with which it is compared.
    :param rate: The rate of the term; None if there is none.
    :param reference_rate: That of the other term.
    :param samples: Number of rows in the denominator of the rate.
    :param reference_samples: The same of the other term.
    :param ratio: ``rate`` divided by ``reference_rate``.
    :param ratio_low: Lower bound of the interval of the ratio.
    :param ratio_high: Upper bound of this interval.
    :param difference: ``rate`` minus ``reference_rate``.
    :param low: Lower bound of the interval of the difference.
    :param high: Upper bound of this interval.
    :param reason: Why the outcome is ``insufficient``, or notes.
    """

    outcome: Outcome
    metric: str
    segment: str
    value: str
    reference: str
    rate: float | None = None
    reference_rate: float | None = None
    samples: int = 0
    reference_samples: int = 0
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

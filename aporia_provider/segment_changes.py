"""Changes of a metric in the terms of segments, in Python, in JSON and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aporia_provider.markdown_tables import markdown_text as cell

MAX_LISTED = 10
"""Maximum number of terms in Markdown and on the page."""


@dataclass(frozen=True, kw_only=True)
class TermChange:
    """
    Change of a metric in a term of a segment.

    :param segment: Name of the segment.
    :param value: Label of the term; None for the rows of no term.
    :param before: The metric in the earlier period; None if there is none.
    :param after: The metric in the later period.
    :param change: ``after`` minus ``before``.
    :param low: Lower bound of the interval of ``change``.
    :param high: Upper bound of the interval.
    :param p_value: Probability of a change of at least this size if the metric of the term has not changed;
        None if it is not reliable.
    :param adjusted_p_value: The same, adjusted for the number of all terms of all segments.
    :param named: Whether ``adjusted_p_value`` is so low that the metric of the term has changed.
    :param samples: Number of rows in the later period, from which the metric is computed.
    :param baseline_samples: The same of the earlier period.
    :param contribution: Part of the change of the whole that is due to the term: ``other_share`` plus
        ``other_metric``. None if the terms overlap.
    :param other_share: Part due to another proportion of the rows.
    :param other_metric: Part due to another metric in these rows.
    """

    segment: str
    value: str | None
    before: float | None = None
    after: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    named: bool = False
    samples: int = 0
    baseline_samples: int = 0
    contribution: float | None = None
    other_share: float | None = None
    other_metric: float | None = None

    @property
    def weight(self) -> float:
        """Size by which terms are sorted: of the contribution or, if there is none, of the change."""
        size = self.change if self.contribution is None else self.contribution
        return 0.0 if size is None else abs(size)

    @property
    def text(self) -> str:
        """Name of the term."""
        return f"{self.segment}: {'other rows' if self.value is None else self.value}"


@dataclass(frozen=True, kw_only=True)
class SegmentChange:
    """
    Change of a metric in the terms of a segment.

    :param segment: Name of the segment.
    :param divided: Whether the contributions of the terms add up to the change of the whole.
    :param terms: The terms, greatest weight first. If the change is divided, they include the rows of no
        term, if there are any.
    :param reason: Why the change is not divided, or notes.
    """

    segment: str
    divided: bool
    terms: Sequence[TermChange] = ()
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "terms": [asdict(term) for term in self.terms]}


def ranked_terms(segments: Sequence[SegmentChange]) -> list[TermChange]:
    """
    Return the terms of segments, except the rows of no term: those that are named first, then by weight.

    :param segments: The segments.
    """
    terms = [term for segment in segments for term in segment.terms if term.value is not None]
    return sorted(terms, key=lambda term: (not term.named, -term.weight, term.text))


def segment_lines(segments: Sequence[SegmentChange]) -> Iterator[str]:
    """Yield the lines of a table of the terms in Markdown; nothing without segments."""
    terms = ranked_terms(segments)
    if not segments:
        return
    if terms:
        yield "| Segment | Before | After | Change | Interval | Contribution | Adjusted p-value | |"
        yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for term in terms[:MAX_LISTED]:
        numbers = (_number(term.before), _number(term.after), _signed(term.change))
        limits = "" if term.low is None else f"{_signed(term.low)} to {_signed(term.high)}"
        adjusted = "" if term.adjusted_p_value is None else f"{term.adjusted_p_value:.2g}"
        shown = (*numbers, limits, _signed(term.contribution), adjusted, "changed" if term.named else "")
        yield f"| {cell(term.text)} | {' | '.join(shown)} |"
    if len(terms) > MAX_LISTED:
        yield f"\n{len(terms) - MAX_LISTED} further terms are not listed."
    if not any(term.named for term in terms):
        yield "\nIn no term of a segment is the change more than what sampling alone explains."
    for segment in segments:
        if segment.reason:
            yield f"\n{cell(f'{segment.segment}: {segment.reason}')}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.6f}"

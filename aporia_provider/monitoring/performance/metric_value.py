"""The answer of a metric: a number, how far it can be trusted, and why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.labelled_state import Labelled
from aporia_provider.monitoring.result_limits import MOST_LEFT_OUT, WIDEST_BOUND

Verdict = Literal["pass", "fail", "insufficient"]


@dataclass(frozen=True)
class Value:
    """
    What a metric says.

    :param shown: The number, or what the metric is instead of one, as JSON has it, for people to see;
        ``None`` if it is not defined. Not for decisions.
    :param samples: How many labelled rows, or queries, it was made from.
    :param bound: How far the exact number can be from the one shown, at most.
    :param enough: Whether the number is fit to decide by: see :func:`conclude`.
    :param left_out: How many rows have both a prediction and a label, one of which cannot be used.
    :param reason: Why there is no number, or what to know about it.
    :param scarce: The number of labels of a class that is too rare, and the number that the answer takes.
    """

    shown: Any
    samples: int
    bound: float = 0.0
    enough: bool = True
    reason: str | None = None
    left_out: int = 0
    scarce: tuple[int, int] | None = None

    @property
    def value(self) -> Any:
        """The number to decide by: ``None`` if it is not defined or not fit to decide by."""
        return self.shown if self.enough else None

    @property
    def status(self) -> Literal["ok", "undefined", "insufficient"]:
        """``ok`` if there is a number to decide by, and else what is wrong."""
        if self.shown is None:
            return "undefined"
        return "ok" if self.enough else "insufficient"

    def objected(self, objection: str) -> Value:
        """The same answer, not fit to decide by for a further reason."""
        return replace(self, enough=False, reason="; ".join(filter(None, (self.reason, objection))))

    def from_classes(self, rarer: int, parameters: Parameters) -> Value:
        """
        The same answer, not fit to decide by if there are too few labels of a class.

        :param rarer: How many labels the rarer class has, at least 1.
        :param parameters: How many are enough.
        """
        least = parameters.labels_of_each
        if rarer >= least:
            return self
        # Where there are too few samples as well, these may take an even longer time.
        needed = max(least, -(-rarer * parameters.minimum // self.samples))
        objected = self.objected(f"only {rarer} labels of one class; {least} are needed")
        return replace(objected, scarce=(rarer, needed))

    def verdict(self, least: float | None = None, most: float | None = None) -> Verdict:
        """
        Whether the number lies in a range, limits included.

        It passes if it does wherever it is within its bound, and fails if it does nowhere. Everything else is
        insufficient, too few samples and no number among it.
        """
        number = self.value
        if not isinstance(number, int | float):
            return "insufficient"
        low, high = number - self.bound, number + self.bound
        above = _decide(least is None or low >= least, least is not None and high < least)
        below = _decide(most is None or high <= most, most is not None and low > most)
        if "fail" in (above, below):
            return "fail"
        return "pass" if above == below == "pass" else "insufficient"


def _decide(passes: bool, fails: bool) -> Verdict:
    return "pass" if passes else "fail" if fails else "insufficient"


def conclude(
    state: Labelled,
    parameters: Parameters,
    number: Fraction | float | None,
    *,
    bound: float = 0.0,
    scale: float = 1.0,
    reason: str | None = None,
    samples: int | None = None,
    skipped: int = 0,
) -> Value:
    """
    Turn a number into an answer.

    The answer is insufficient if the number was made from too few samples, or if its bound is above
    :data:`~.result_limits.WIDEST_BOUND`. It is also insufficient if, of the rows with a
    prediction and a label, more than :data:`~.result_limits.MOST_LEFT_OUT` are left out,
    or have a label that is one of several of the same time; and if the state itself is not fit to decide by
    (:attr:`~.labelled_state.Labelled.doubt`).

    :param state: What it was made from.
    :param parameters: How many samples are enough.
    :param number: ``None`` if it is not defined; then ``reason`` says why.
    :param bound: How far the exact number can be from this one, at most.
    :param scale: Greatest value of the quantity, which the bound is compared with: 1 for a rate.
    :param reason: What to know about the number.
    :param samples: If it was made from some of the labelled rows only.
    :param skipped: Labelled rows that the metric is not defined for.
    """
    used = state.labelled if samples is None else samples
    left_out = state.left_out + skipped
    try:
        shown = None if number is None else float(number)
    except OverflowError:
        shown, reason = None, "the number is too great for a float"
    bound = 0.0 if shown is None else bound
    objections = [
        f"only {used} samples; {parameters.minimum} are needed" if used < parameters.minimum else None,
        _too_many_left_out(left_out, state.labelled + state.left_out),
        _too_wide(bound, scale),
        _too_many_ties(state.ties, state.labelled + state.left_out),
        state.doubt,
    ]
    reasons = "; ".join(filter(None, (*objections, reason, state.explanation))) or None
    return Value(shown, used, bound, not any(objections), reasons, left_out)


def _too_many_left_out(left_out: int, rows: int) -> str | None:
    if left_out <= MOST_LEFT_OUT * rows:
        return None
    return f"{left_out} of {rows} rows with a prediction and a label are left out"


def _too_many_ties(ties: int, rows: int) -> str | None:
    if ties <= MOST_LEFT_OUT * rows:
        return None
    return f"of {rows} rows with a prediction and a label, {ties} have no label that is surely the latest"


def _too_wide(bound: float, scale: float) -> str | None:
    if bound <= WIDEST_BOUND * scale:
        return None
    return (
        f"the bound {bound:.3g} is too wide to decide by, since many scores lie in one bin (bins follow the "
        "scores of the training dataset, if one is connected; a threshold on the edge of a bin is exact)"
    )


def unless(
    hindered: Callable[[Any], str | None], metric: Callable[[Any, Parameters], Value]
) -> Callable[[Any, Parameters], Value]:
    """
    A metric that is not defined for some states.

    :param hindered: Says why it is not; ``None`` if it is.
    :param metric: The metric where it is.
    """

    def answer(state: Labelled, parameters: Parameters) -> Value:
        reason = hindered(state)
        if reason is not None:
            return conclude(state, parameters, None, reason=reason)
        return metric(state, parameters)

    return answer


def fact(number: float | None, samples: int, state: Labelled | None = None) -> Value:
    """
    An answer that needs no minimum of samples: counts of rows.

    :param state: Where the answer depends on which rows can be compared, the state that counted them.
    """
    if state is None:
        return Value(number, samples)
    return Value(number, samples, reason=state.explanation, left_out=state.left_out)

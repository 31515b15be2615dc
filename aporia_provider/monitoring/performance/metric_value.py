"""Value of a performance metric: a number with its error and reliability, or the reason why there is none."""

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
    Value of a performance metric.

    :param shown: The number or other JSON value for display; None if it is undefined. Not for decisions.
    :param samples: Number of labelled rows, or queries, from which it was computed.
    :param bound: Maximum difference between ``shown`` and the exact number.
    :param enough: Whether the number is reliable, see :func:`conclude`.
    :param left_out: Number of rows that have both a prediction and a label, of which at least one cannot be
        used.
    :param reason: Why there is no number, or a note about it.
    :param scarce: Number of labels of a class that is too rare, and the required number.
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
        """The number for decisions; None if it is undefined or not reliable."""
        return self.shown if self.enough else None

    @property
    def status(self) -> Literal["ok", "undefined", "insufficient"]:
        """``ok`` if there is a number for decisions, else ``undefined`` or ``insufficient``."""
        if self.shown is None:
            return "undefined"
        return "ok" if self.enough else "insufficient"

    def objected(self, objection: str) -> Value:
        """Return the same value as not reliable, for an additional reason."""
        return replace(self, enough=False, reason="; ".join(filter(None, (self.reason, objection))))

    def from_classes(self, rarer: int, parameters: Parameters) -> Value:
        """
        Return the same value, not reliable if there are too few labels of a class.

        :param rarer: Number of labels of the rarer class, at least 1.
        :param parameters: Parameters with the required number of labels.
        """
        least = parameters.labels_of_each
        if rarer >= least:
            return self
        # If there are too few samples as well, collecting these may take even longer.
        needed = max(least, -(-rarer * parameters.minimum // self.samples))
        objected = self.objected(f"only {rarer} labels of one class; {least} are needed")
        return replace(objected, scarce=(rarer, needed))

    def verdict(self, least: float | None = None, most: float | None = None) -> Verdict:
        """
        Return the verdict on whether the number lies in a range, inclusive.

        The verdict is ``pass`` if all numbers within the bound lie in the range, ``fail`` if none does, and
        otherwise ``insufficient``, also if there is no number for decisions.
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
    Return the value of a metric from its number.

    It is not reliable if the number was computed from too few samples; if its bound is above
    :data:`~.result_limits.WIDEST_BOUND`; if more than :data:`~.result_limits.MOST_LEFT_OUT` of the rows with
    a prediction and a label are left out, or have one of several labels of the same time; or if the state is
    not reliable (:attr:`~.labelled_state.Labelled.doubt`).

    :param state: State from which it was computed.
    :param parameters: Parameters with the required number of samples.
    :param number: The number; None if it is undefined for ``reason``.
    :param bound: Maximum difference from the exact number.
    :param scale: Maximum of the quantity, relative to which the bound is limited: 1 for a rate.
    :param reason: Note about the number.
    :param samples: Number of labelled rows from which it was computed. Default: all.
    :param skipped: Number of labelled rows for which the metric is undefined.
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
    Return a metric that is undefined for some states.

    :param hindered: Function that returns why the metric is undefined for a state; None if it is defined.
    :param metric: The metric for all other states.
    """

    def answer(state: Labelled, parameters: Parameters) -> Value:
        reason = hindered(state)
        if reason is not None:
            return conclude(state, parameters, None, reason=reason)
        return metric(state, parameters)

    return answer


def fact(number: float | None, samples: int, state: Labelled | None = None) -> Value:
    """
    Return the value of a count of rows, which requires no minimum number of samples.

    :param number: The count.
    :param samples: Number of rows.
    :param state: State with the faults, if the count depends on which rows can be compared.
    """
    if state is None:
        return Value(number, samples)
    return Value(number, samples, reason=state.explanation, left_out=state.left_out)

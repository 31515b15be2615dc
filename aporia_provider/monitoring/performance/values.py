"""The answer of a metric: a number, how far it can be trusted, and why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from aporia_provider.monitoring.performance.labelled import Labelled
from aporia_provider.monitoring.performance.parameters import Parameters

Verdict = Literal["pass", "fail", "insufficient"]


@dataclass(frozen=True)
class Value:
    """
    What a metric says.

    :param shown: The number, for people to see; ``None`` if it is not defined. Not for decisions.
    :param samples: How many labelled rows, or queries, it was made from.
    :param bound: How far the exact number can be from the one shown, at most.
    :param enough: Whether there were enough samples to decide by it.
    :param left_out: How many rows have a prediction or label that cannot be used.
    :param reason: Why there is no number, or what to know about it.
    """

    shown: float | None
    samples: int
    bound: float = 0.0
    enough: bool = True
    reason: str | None = None
    left_out: int = 0

    @property
    def value(self) -> float | None:
        """The number to decide by: ``None`` if it is not defined, or made from too few samples."""
        return self.shown if self.enough else None

    @property
    def status(self) -> Literal["ok", "undefined", "insufficient"]:
        """``ok`` if there is a number to decide by, and else what is wrong."""
        if self.shown is None:
            return "undefined"
        return "ok" if self.enough else "insufficient"

    def verdict(self, least: float | None = None, most: float | None = None) -> Verdict:
        """
        Whether the number lies in a range, limits included.

        It passes if it does wherever it is within its bound, and fails if it does nowhere. Everything else is
        insufficient, too few samples and no number among it.
        """
        number = self.value
        if number is None:
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
    reason: str | None = None,
    samples: int | None = None,
) -> Value:
    """
    Turn a number into an answer, which is insufficient if it was made from too few samples.

    :param state: What it was made from.
    :param parameters: How many samples are enough.
    :param number: ``None`` if it is not defined; then ``reason`` says why.
    :param samples: If it was made from some of the labelled rows only.
    """
    used = state.labelled if samples is None else samples
    enough = used >= parameters.minimum
    few = None if enough else f"only {used} samples; {parameters.minimum} are needed"
    reasons = "; ".join(filter(None, (few, reason))) or None
    try:
        shown = None if number is None else float(number)
    except OverflowError:
        return Value(None, used, enough=enough, reason="the number is too great for a float")
    return Value(shown, used, bound if shown is not None else 0.0, enough, reasons)


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


def fact(number: float | None, samples: int, reason: str | None = None) -> Value:
    """An answer that needs no minimum of samples: counts of rows."""
    return Value(number, samples, reason=reason)

"""What to change in a query that got no value for lack of samples."""

from __future__ import annotations

from dataclasses import replace

from aporia_provider.metrics import AnswerPeriod
from aporia_provider.monitoring.answers import Answer

_HOURS: dict[AnswerPeriod, int] = {"hourly": 1, "daily": 24, "weekly": 7 * 24, "monthly": 28 * 24}
"""Least length of each period."""


def advised(answer: Answer, minimum: int, period: AnswerPeriod | None) -> Answer:
    """
    The answer, whose reason says which parameter or period would do if there are too few samples.

    :param answer: The answer.
    :param minimum: How many samples it takes.
    :param period: The period of the answers; None if there is one for the whole range.
    """
    if answer.status != "insufficient_data" or not 0 < answer.samples < minimum:
        return answer
    ways = f"set minimum={answer.samples}, or ask for {_longer(answer.samples, minimum, period)}"
    return replace(answer, reason="; ".join(filter(None, (answer.reason, ways))))


def _longer(samples: int, minimum: int, period: AnswerPeriod | None) -> str:
    if period is None:
        return "a longer range"
    needed = _HOURS[period] * minimum / samples
    enough = [name for name, hours in _HOURS.items() if hours >= needed]
    if enough:
        return f'aggregation_period="{enough[0]}", which has enough at this rate'
    return "one answer for a longer range, without an aggregation_period"

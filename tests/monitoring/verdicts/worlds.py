"""Simulated counts of the fields of a model in which nothing is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from aporia_provider.monitoring.verdicts.drift_rule import FieldHistory

WORLDS = ("independent", "seasonal", "heavy-tailed", "shared", "lasting")
ROWS = 5_000
_EDGES = ndtri(np.arange(1, 10) / 10)
_SEASON, _WOBBLE, _LASTING = 0.1, 0.03, 0.8
_BEFORE = 100  # Days before the first, so that a lasting wobble is stationary.


def means(world: str, fields: int, days: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the mean of each field on each day, in standard deviations."""
    if world == "independent":
        return np.zeros((fields, days))
    shape = (1 if world == "shared" else fields, days + _BEFORE)
    wobble = rng.standard_t(3, shape) / np.sqrt(3) if world == "heavy-tailed" else rng.standard_normal(shape)
    if world == "lasting":
        wobble = lfilter([np.sqrt(1 - _LASTING**2)], [1, -_LASTING], wobble, axis=-1)
    phases = rng.uniform(0, 2 * np.pi, (fields, 1))
    return _SEASON * np.sin(2 * np.pi * np.arange(days) / 7 + phases) + _WOBBLE * wobble[:, _BEFORE:]


def histories(daily_means: NDArray[np.float64], rng: np.random.Generator) -> dict[str, FieldHistory]:
    """Return the counts of normal variables with these means in the deciles of the standard one."""
    shares = np.diff(ndtr(_EDGES - daily_means[..., None]), axis=-1, prepend=0, append=1)
    return {f"field_{i}": FieldHistory(c) for i, c in enumerate(rng.multinomial(ROWS, shares))}


def weekdays(days: int) -> list[int]:
    return [day % 7 for day in range(days)]


def episodes(alarmed: NDArray[np.bool_]) -> int:
    """Return the number of runs of consecutive alarms."""
    return int((np.diff(alarmed.astype(int), prepend=0) > 0).sum())

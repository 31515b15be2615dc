"""Tails of distributions, fitted to the greatest of a sample in relation to the start of the tail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_LOGARITHM: Final = 0.1
_LEAST_EXCESS: Final = 0.25  # About half of a normal variable's, in relation to its median magnitude.
_SHAPE: Final = 1 / 3


class Tail(Protocol):
    """Tail of a distribution."""

    def survival(self, beyond: Floats) -> Floats:
        """Return the probabilities of greater values, given that they are in the tail."""

    def quantile(self, probability: float) -> float:
        """Return the value whose survival is ``probability``."""


@dataclass(frozen=True)
class ParetoTail:
    """
    Pareto distribution with a fitted exponent (Hill, Annals of Statistics 3, 1975).

    The survival function belongs to the predictive distribution, which includes the error of the fit. It is
    suited to large samples, of distributions of any weight.

    :param fitted: Number of values it is fitted to.
    :param excess: Mean of the logarithms of these.
    """

    fitted: int
    excess: float

    @classmethod
    def of(cls, values: Floats, start: float) -> Self:
        """Fit the tail to values beyond its start."""
        return cls(len(values), max(float(np.log(values / start).mean()), _LEAST_LOGARITHM))

    def survival(self, beyond: Floats) -> Floats:
        survival: Floats = (1 + np.log(beyond) / (self.excess * self.fitted)) ** -self.fitted
        return survival

    def quantile(self, probability: float) -> float:
        return math.exp(self.excess * self.fitted * (math.pow(probability, -1 / self.fitted) - 1))


@dataclass(frozen=True)
class StudentTail:
    """
    Generalized Pareto distribution with the weight of Student's distribution with three degrees of freedom.

    Only its scale is fitted, so small samples are sufficient. Distributions with lighter tails have fewer
    values in the tail than it predicts.

    :param scale: Scale, in relation to the start of the tail.
    """

    scale: float

    @classmethod
    def of(cls, values: Floats, start: float) -> Self:
        """Fit the tail to values beyond its start."""
        excess = max(float((values - start).mean()), _LEAST_EXCESS) / start
        return cls(excess * (1 - _SHAPE) * (1 + 1 / math.sqrt(len(values))))  # One standard error more.

    def survival(self, beyond: Floats) -> Floats:
        survival: Floats = (1 + _SHAPE * (beyond - 1) / self.scale) ** (-1 / _SHAPE)
        return survival

    def quantile(self, probability: float) -> float:
        return 1 + self.scale / _SHAPE * (math.pow(probability, -_SHAPE) - 1)

"""Parameters of performance metrics."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from aporia_provider.errors import ValidationError
from aporia_provider.metrics import Average, Gain
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE, normal_quantile
from aporia_provider.nearest import nearest
from aporia_provider.query_types import GREATEST_CONFIDENCE, LEAST_CONFIDENCE

CLIP = 2.0**-52
"""Smallest probability in the log loss: the machine epsilon of doubles, as in scikit-learn."""
GREATEST_K = 12
"""Maximum number of places of the protocol's ranking metrics."""
_LEAST_OF_EACH = 10

_CHOICES = {
    "average": (None, *get_args(Average)),
    "gain": get_args(Gain),
    "normaliser": ("relevant", "reachable"),
    "denominator": ("k", "served"),
    "queries": ("all", "relevant"),
}


@dataclass(frozen=True)
class Parameters:
    """
    Parameters of a performance metric. Each metric uses some of them.

    :param threshold: Smallest score of a positive row. Default: 0.5 for scores from 0 to 1; for multi-label
        models, the threshold in the options of the state.
    :param k: Ranking: number of places, from 1 to 12.
    :param class_name: The class or label of a ``*_per_class`` metric. A metric that averages over classes is
        computed for this class alone if there is no ``average``.
    :param average: Average over classes, as in scikit-learn: ``micro``, ``macro`` (default), or ``weighted``
        by labels.
    :param gain: nDCG: ``exponential`` (2^relevance − 1, as in the protocol's glossary) or ``linear``.
    :param normaliser: MAP: the sum is divided by the number of ``relevant`` items of the query (Evidently),
        or of those ``reachable`` in k places, min(k, relevant).
    :param denominator: Precision at k: ``k``, or the number of ``served`` items, min(k, length of the list)
        (Evidently).
    :param queries: Ranking: mean over ``all`` labelled queries, where those without relevant items count as
        0, or over those with ``relevant`` items.
    :param minimum: Number of samples below which the value is not reliable.
    :param minimum_each: AUC and average precision: minimum number of labels of each of the two classes.
        Default: 10, or :attr:`minimum` if less.
    :param confidence: Probability that the interval contains the number, from 0.5 to 0.999.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    threshold: float | None = None
    k: int | None = None
    class_name: str | None = None
    average: Average | None = None
    gain: Gain = "exponential"
    normaliser: Literal["relevant", "reachable"] = "relevant"
    denominator: Literal["k", "served"] = "k"
    queries: Literal["all", "relevant"] = "all"
    minimum: int = 100
    minimum_each: int | None = None
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValidationError("The parameters of the metric are wrong", problems=problems)

    def _problems(self) -> Iterable[str]:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                yield f"{name} must be one of {', '.join(filter(None, choices))}, not {value!r}"
        if self.k is not None and not (_is_whole(self.k) and 1 <= self.k <= GREATEST_K):
            yield f"k must be a whole number from 1 to {GREATEST_K}, not {self.k!r}"
        yield from self._problems_of_numbers()
        if not isinstance(self.class_name, str | None):
            yield f"class_name must be text, not {self.class_name!r}"
        for name in ("minimum", "minimum_each"):
            value = 0 if getattr(self, name) is None and name == "minimum_each" else getattr(self, name)
            if not _is_whole(value) or value < 0:
                yield f"{name} must be a whole number that is not negative, not {value!r}"

    def _problems_of_numbers(self) -> Iterable[str]:
        if self.threshold is not None and not _is_finite(self.threshold):
            yield f"threshold must be a finite number, not {self.threshold!r}"
        if not (_is_finite(self.confidence) and LEAST_CONFIDENCE <= self.confidence <= GREATEST_CONFIDENCE):
            yield (
                f"confidence must be from {LEAST_CONFIDENCE} to {GREATEST_CONFIDENCE}, "
                f"not {self.confidence!r}"
            )

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """
        Parse the JSON form of parameters.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        problems = [
            f"there is no parameter {name!r}; {nearest(name, names)}"
            for name in parameters
            if name not in names
        ]
        if problems:
            raise ValidationError("The parameters of the metric are wrong", problems=problems)
        return cls(**parameters)

    @property
    def z(self) -> float:
        """Number of standard errors of a normally distributed number on each side of an interval."""
        return normal_quantile(self.confidence)

    @property
    def labels_of_each(self) -> int:
        """Required number of labels of each of the two classes for an area under a curve."""
        return min(_LEAST_OF_EACH, self.minimum) if self.minimum_each is None else self.minimum_each

    def needed_k(self) -> int:
        """
        Return ``k`` of a ranking metric.

        :raises aporia_provider.errors.ValidationError: if it is not given.
        """
        if self.k is None:
            raise ValidationError(f"The metric requires k, a whole number from 1 to {GREATEST_K}")
        return self.k


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

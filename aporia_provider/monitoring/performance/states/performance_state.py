"""Common part of the performance states: numbers of rows, and of those that can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.inputs.column_values import Classes, Numbers
from aporia_provider.monitoring.performance.inputs.invalid_pairs import (
    AWAITED,
    NOT_FINITE,
    Fault,
    explanation,
    tally,
    tied,
)
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.states.state_parts import SETTINGS
from aporia_provider.monitoring.states.state import TALLY, TOTAL, State, part


@dataclass(frozen=True)
class PerformanceState(State):
    """
    Base class of the performance states.

    :param made_with: Options that the other attributes depend on.
    :param rows: Number of predictions, labelled or not.
    :param labelled: Number of rows whose prediction and label can be compared.
    :param faults: Number of rows that have a prediction and a label which cannot be compared, by reason (see
        :mod:`aporia_provider.monitoring.performance.inputs.invalid_pairs`).
    :param ties: Number of rows with several different labels of the same time. One of the labels is used.
    :param squared: Number of labelled rows with known sums of squares, from which intervals are
        computed. It is 0 in states of older releases.
    """

    kind: ClassVar[str] = "performance"
    what: ClassVar[str] = "rows"

    made_with: dict[str, Any] = part(SETTINGS)
    rows: int = part(TOTAL)
    labelled: int = part(TOTAL)
    faults: dict[str, int] = part(TALLY)
    ties: int = part(TOTAL)
    squared: int = part(TOTAL)

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Return the state of a batch of rows.

        :param predictions: Arrow array of predictions, one element for each row.
        :param labels: Arrow array of the labels of the same rows; null if not known yet.
        :param options: Interpretation of predictions and labels.
        :raises aporia_provider.errors.ValidationError: if the types do not match the model type.
        """
        raise NotImplementedError

    def with_ties(self, ties: int) -> Self:
        """Return the same state with another number of :attr:`ties`."""
        # dataclasses.replace accesses the fields of the class, which another thread may be unpickling.
        return type(self)(**{**vars(self), "ties": ties})

    @property
    def unusable(self) -> int:
        """Number of rows that have a prediction and a label which cannot be compared."""
        return sum(self.faults.values())

    @property
    def left_out(self) -> int:
        """Number of unusable rows, excluding those whose labels may still arrive."""
        return sum(count for name, count in self.faults.items() if name not in AWAITED)

    @property
    def without_squares(self) -> str | None:
        """Reason why means have no interval; None if the sums of squares contain all labelled rows."""
        if self.squared == self.labelled:
            return None
        return (
            f"there is no interval, since the squares of {self.labelled - self.squared} {self.what} are not "
            "known: they are beyond the largest float, or were stored by an older release and are computed "
            "by the next sync"
        )

    @property
    def doubt(self) -> str | None:
        """Reason why no metric of the state is reliable, or None."""
        return None

    @property
    def explanation(self) -> str | None:
        """Note on rows that cannot be compared or have conflicting labels; None if there are none."""
        return (
            "; ".join(filter(None, (explanation(self.faults, self.what), tied(self.ties, self.what)))) or None
        )


@dataclass(frozen=True)
class UsableRows:
    """
    Usable rows, and counts of all rows.

    :param usable: Whether each row can be used.
    :param counts: ``rows``, ``labelled`` and ``faults``, for the constructor of a state.
    """

    usable: NDArray[np.bool_]
    counts: dict[str, Any]

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values of the usable rows."""
        return values if self.counts["labelled"] == self.counts["rows"] else values[self.usable]


def usable_rows(
    predicted: NDArray[np.bool_],
    labelled_usably: NDArray[np.bool_],
    predictions_given: NDArray[np.bool_],
    labels_given: NDArray[np.bool_],
    faults: Iterable[Fault] = (),
    otherwise: str = NOT_FINITE,
) -> UsableRows:
    """
    Determine the rows whose prediction and label can be compared.

    :param predicted: Rows with a usable prediction.
    :param labelled_usably: Rows with a usable label.
    :param predictions_given: Rows with a prediction.
    :param labels_given: Rows with a label.
    :param faults: Possible faults of the other rows; see :func:`~.invalid_pairs.tally` for this and
        ``otherwise``.
    """
    usable = predicted & labelled_usably
    # Rows without a label, which may be labelled later, and rows without a prediction are not unusable.
    unusable = predictions_given & labels_given & ~usable
    labelled = int(np.count_nonzero(usable))
    counted = tally(unusable, faults, otherwise)
    return UsableRows(usable, {"rows": len(usable), "labelled": labelled, "faults": counted})


def usable_pairs(
    prediction: Numbers | Classes, label: Numbers | Classes, faults: Iterable[Fault] = ()
) -> UsableRows:
    """Call :func:`usable_rows` for one prediction and one label for each row."""
    return usable_rows(prediction.usable, label.usable, prediction.given, label.given, faults)


def of_one_length(predictions: Any, labels: Any) -> None:
    """
    Raise an error unless two columns have the same length.

    :raises aporia_provider.errors.ValidationError: if the lengths differ.
    """
    if len(predictions) != len(labels):
        raise ValidationError(f"There are {len(predictions)} predictions and {len(labels)} labels")

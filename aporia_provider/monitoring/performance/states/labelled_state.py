"""What every performance state holds: how many rows there were, and how many can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance.inputs.invalid_pairs import (
    AWAITED,
    NOT_FINITE,
    Fault,
    explanation,
    tally,
    tied,
)
from aporia_provider.monitoring.performance.inputs.readings import Classes, Numbers
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.states.state_parts import SETTINGS
from aporia_provider.monitoring.states.state import TALLY, TOTAL, State, part


@dataclass(frozen=True)
class Labelled(State):
    """
    Base of the performance states.

    :param made_with: Options the other parts depend on.
    :param rows: Predictions seen, labelled or not.
    :param labelled: Rows with a prediction and a label that can be compared.
    :param faults: Rows that have a prediction and a label which cannot be compared, by the reason (see
        :mod:`aporia_provider.monitoring.performance.inputs.invalid_pairs`).
    :param ties: Rows whose label is one of several that differ and became known at the same time.
    """

    kind: ClassVar[str] = "performance"
    what: ClassVar[str] = "rows"

    made_with: dict[str, Any] = part(SETTINGS)
    rows: int = part(TOTAL)
    labelled: int = part(TOTAL)
    faults: dict[str, int] = part(TALLY)
    ties: int = part(TOTAL)

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Make the state of a batch of rows.

        :param predictions: Arrow array of what the model answered, one element for each row.
        :param labels: Arrow array of the truth for the same rows; null where it is not known yet.
        :param options: How they are to be read.
        :raises aporia_provider.errors.ValidationError: if the types do not fit the model type.
        """
        raise NotImplementedError

    def with_ties(self, ties: int) -> Self:
        """The same state with a number of :attr:`ties`."""
        # dataclasses.replace looks at the fields of the class, which another thread may still be unpickling.
        return type(self)(**{**vars(self), "ties": ties})

    @property
    def unusable(self) -> int:
        """Rows that have a prediction and a label which cannot be compared."""
        return sum(self.faults.values())

    @property
    def left_out(self) -> int:
        """Those of them that will not become comparable when further labels arrive."""
        return sum(count for name, count in self.faults.items() if name not in AWAITED)

    @property
    def doubt(self) -> str | None:
        """Why no metric of the state is fit to decide by; ``None`` if there is no such reason."""
        return None

    @property
    def explanation(self) -> str | None:
        """Description of the rows: how many cannot be compared and why, and ties of labels."""
        return (
            "; ".join(filter(None, (explanation(self.faults, self.what), tied(self.ties, self.what)))) or None
        )


@dataclass(frozen=True)
class Judged:
    """
    Rows that can be judged, and counts of all of them.

    :param usable: By row.
    :param counts: ``rows``, ``labelled`` and ``faults``, to make a state of.
    """

    usable: NDArray[np.bool_]
    counts: dict[str, Any]

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values of the rows that can be judged."""
        return values if self.counts["labelled"] == self.counts["rows"] else values[self.usable]


def judge(
    predicted: NDArray[np.bool_],
    known: NDArray[np.bool_],
    predictions_given: NDArray[np.bool_],
    labels_given: NDArray[np.bool_],
    faults: Iterable[Fault] = (),
    otherwise: str = NOT_FINITE,
) -> Judged:
    """
    Find the rows whose prediction and label can be compared.

    :param predicted: Rows with a prediction that can be used.
    :param known: Rows with a label that can be used.
    :param predictions_given: Rows with a prediction.
    :param labels_given: Rows with a label.
    :param faults: What may be wrong with the others; see
        :func:`~.invalid_pairs.tally` for this and ``otherwise``.
    """
    usable = predicted & known
    # A row that lacks either of them has no label yet, or no prediction to compare.
    unusable = predictions_given & labels_given & ~usable
    labelled = int(np.count_nonzero(usable))
    counted = tally(unusable, faults, otherwise)
    return Judged(usable, {"rows": len(usable), "labelled": labelled, "faults": counted})


def judge_readings(
    prediction: Numbers | Classes, label: Numbers | Classes, faults: Iterable[Fault] = ()
) -> Judged:
    """:func:`judge` for readings of one value for each row."""
    return judge(prediction.usable, label.usable, prediction.given, label.given, faults)


def of_one_length(predictions: Any, labels: Any) -> None:
    """
    Refuse columns that cannot belong together.

    :raises aporia_provider.errors.ValidationError: if they are not of one length.
    """
    if len(predictions) != len(labels):
        raise ValidationError(f"There are {len(predictions)} predictions and {len(labels)} labels")

"""Options of performance states."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from aporia_provider.errors import ValidationError

Candidates = Literal["scores", "positions", "items"]


@dataclass(frozen=True)
class Options:
    """
    Interpretation of predictions and labels. Each model type uses some of the options.

    :param edges: Binary: range of the scores, cut into 1000 bins of equal width; or, with more than two
        numbers, the bin edges. Thresholds on an edge are exact.
    :param scored: Binary: whether numeric predictions are scores instead of classes.
    :param positive: Binary: the true class if classes are text or numbers, e.g. ``"fraud"``; all others are
        false. Default: true, false, yes, no, positive, negative, 1 and 0 are recognized, ignoring case.
    :param negative: Binary: the false class. If given, values other than the two classes are unusable.
    :param classes: Multiclass: classes of the elements of a score vector. Default: ``"0"``, ``"1"``, …
    :param threshold: Multi-label: smallest score of a predicted label, for metrics
        that compare whole rows.
    :param candidates: Ranking: content of the predictions. ``scores``: scores by which the candidates are
        ranked. ``positions``: any values, in ranked order. For both, labels are the relevances of the same
        candidates. ``items``: names in ranked order; labels are the relevant items. Default: derived from the
        types.
    :param relevant_above: Ranking: relevance above which a candidate is relevant, for metrics of binary
        relevance. Must not be negative.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    edges: tuple[float, ...] = (0.0, 1.0)
    scored: bool = True
    positive: str | None = None
    negative: str | None = None
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    candidates: Candidates | None = None
    relevant_above: float = 0.0

    @property
    def bins(self) -> str | None:
        """Digest of :attr:`edges`; None if they are only the two ends of a range."""
        if len(self.edges) == 2:
            return None
        return hashlib.sha256(struct.pack(f"<{len(self.edges)}d", *self.edges)).hexdigest()[:16]

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValidationError("The options of the performance state are not valid", problems=problems)

    def _problems(self) -> Iterable[str]:
        rising = len(self.edges) > 1 and all(one < other for one, other in pairwise(self.edges))
        if not rising or not all(map(math.isfinite, self.edges)):
            yield "edges must be two or more finite numbers in increasing order"
        if len(set(self.classes)) != len(self.classes):
            yield "classes contains a class twice"
        if not 0 <= self.threshold <= 1:
            yield f"threshold must be from 0 to 1, not {self.threshold}"
        if self.candidates not in (None, "scores", "positions", "items"):
            yield f"candidates must be scores, positions or items, not {self.candidates!r}"
        if not 0 <= self.relevant_above < math.inf:
            yield f"relevant_above must be a finite number that is not negative, not {self.relevant_above}"

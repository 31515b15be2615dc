"""What a performance state is made with."""

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
    How predictions and labels are to be read. Each model type takes what concerns it.

    :param edges: Binary: the range of the scores, cut into 1000 bins of one width; or, with more than two
        numbers, the edges of the bins themselves. Thresholds on an edge are answered exactly.
    :param scored: Binary: whether predictions that are numbers are scores; otherwise they are classes.
    :param positive: Binary: the class that counts as true where classes are text or numbers, e.g.
        ``"fraud"``; all others are false. Without it they are read as true, false, yes, no, positive,
        negative, 1 and 0, in any case.
    :param negative: Binary: the class that counts as false beside :attr:`positive`; then all others are
        unusable.
    :param classes: Multiclass: names of the places of a vector of scores; without it ``"0"``, ``"1"``, …
    :param threshold: Multi-label: the score from which a label is predicted, for what is counted by row.
    :param candidates: Ranking: what a prediction lists. ``scores``: of candidates, to be ranked by them.
        ``positions``: anything, in the order served. In both, labels are the relevances of the same
        candidates. ``items``: names, best first; labels list the relevant items. Without it, found from
        the types.
    :param relevant_above: Ranking: relevance above which a candidate is relevant, for metrics that know yes
        and no only. Not negative.
    :raises aporia_provider.errors.ValidationError: naming every fault.
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
        """Stands for :attr:`edges` where they are more than a range."""
        if len(self.edges) == 2:
            return None
        return hashlib.sha256(struct.pack(f"<{len(self.edges)}d", *self.edges)).hexdigest()[:16]

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValidationError("The options of the performance state are wrong", problems=problems)

    def _problems(self) -> Iterable[str]:
        rising = len(self.edges) > 1 and all(one < other for one, other in pairwise(self.edges))
        if not rising or not all(map(math.isfinite, self.edges)):
            yield "edges must be two or more finite numbers, each greater than the one before"
        if len(set(self.classes)) != len(self.classes):
            yield "classes names a class twice"
        if not 0 <= self.threshold <= 1:
            yield f"threshold must be from 0 to 1, not {self.threshold}"
        if self.candidates not in (None, "scores", "positions", "items"):
            yield f"candidates must be scores, positions or items, not {self.candidates!r}"
        if not 0 <= self.relevant_above < math.inf:
            yield f"relevant_above must be a finite number that is not negative, not {self.relevant_above}"

"""Scores and labels with a share of true labels that depends on the score alone, and a published example."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.performance import Options, state_class
from aporia_provider.monitoring.performance.states.binary_state import Binary

BINARY: Any = state_class("binary")
CAR_LOAN = Path(__file__).with_name("car_loan.json")
"""
Counts of rows by score and label of the synthetic car loan data of NannyML (Apache License 2.0), and the
estimates in its tutorial. ``python -m benchmarks.expected --write`` makes it.
"""
CAR_LOAN_THRESHOLD = 0.65
"""The smallest score that NannyML's data predicts as positive."""


@dataclass(frozen=True)
class Samples:
    """
    A distribution of scores that are not calibrated.

    :param share: Share of positive labels, if the scores are not shifted.
    """

    share: float

    def draw(self, random: np.random.Generator, rows: int, shift: float = 0.0) -> tuple[Any, Any]:
        """Return scores and labels; a shift changes the scores, not the share of true labels at each."""
        odds = math.log(self.share / (1 - self.share))
        inputs = random.normal(np.where(random.random(rows) < self.share, 1.0, -1.0)) + shift
        chance = 1 / (1 + np.exp(-(2 * inputs + odds)))
        return 1 / (1 + np.exp(-(1.5 * inputs + odds + 0.3))), random.random(rows) < chance

    def options(self, random: np.random.Generator) -> Options:
        """Return options with the bins of a training dataset."""
        bins = ScoreBins.of(self.draw(random, 20_000)[0])
        assert bins is not None
        return Options(edges=bins.edges)

    def states(
        self, random: np.random.Generator, baseline: int, rows: int, shift: float, count: int
    ) -> Iterator[tuple[Binary, Binary, Binary]]:
        """Yield states of a baseline, and of rows without and with their labels."""
        options = self.options(random)
        for _ in range(count):
            scores, labels = self.draw(random, rows, shift)
            past = BINARY.of(*map(pa.array, self.draw(random, baseline)), options)
            yield past, unlabelled(scores, options), BINARY.of(pa.array(scores), pa.array(labels), options)


def unlabelled(scores: Any, options: Options) -> Binary:
    """Return the state of rows whose labels are not known."""
    state: Binary = BINARY.of(pa.array(scores), pa.nulls(len(scores), pa.bool_()), options)
    return state


@dataclass(frozen=True)
class Chunk:
    """
    Rows of NannyML's data.

    :param scores: The scores.
    :param labels: Their labels.
    :param published: Estimates of NannyML by name of the metric.
    """

    scores: Any
    labels: Any
    published: dict[str, float]

    @property
    def options(self) -> Options:
        """The bins of these scores."""
        bins = ScoreBins.of(self.scores)
        assert bins is not None
        return Options(edges=bins.edges)

    def state(self, options: Options, *, labelled: bool) -> Binary:
        """Return the state of the rows."""
        if not labelled:
            return unlabelled(self.scores, options)
        state: Binary = BINARY.of(pa.array(self.scores), pa.array(self.labels), options)
        return state


def car_loan() -> tuple[Chunk, list[Chunk]]:
    """Return the reference of NannyML's data and the ten chunks of 5,000 rows that follow."""
    stored = json.loads(CAR_LOAN.read_text())
    return _chunk(stored["reference"]), [_chunk(item) for item in stored["chunks"]]


def _chunk(stored: dict[str, Any]) -> Chunk:
    counts = {name: np.array(stored[name]) for name in ("positives", "negatives")}
    scores = np.concatenate([np.repeat(np.arange(101) / 100, side) for side in counts.values()])
    labels = np.repeat([True, False], [side.sum() for side in counts.values()])
    return Chunk(scores, labels, stored.get("published", {}))

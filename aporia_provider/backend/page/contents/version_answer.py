"""Whether a version is better than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aporia_provider.backend.page.contents.model_page import ModelPage
from aporia_provider.backend.page.contents.version_lines import VersionLine
from aporia_provider.backend.registry import Registry
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.version_comparisons import VersionComparison

CHAMPION = "champion"
"""Tag of the model with the name of the version in use."""


@dataclass(frozen=True)
class VersionAnswer:
    """
    Comparison of two versions.

    :param champion: Name of the version in use.
    :param challenger: Name of the other version.
    :param margin: Greatest acceptable loss, in units of the metric.
    :param comparison: The comparison; None if there is none.
    :param problem: Why there is no comparison; None if there is one.
    """

    champion: str
    challenger: str
    margin: float
    comparison: VersionComparison | None = None
    problem: str | None = None

    @property
    def sentence(self) -> str:
        """The answer as text."""
        if self.comparison is None:
            return f"{self.challenger} and {self.champion} cannot be compared"
        limit = f" by more than {self.margin:g}" if self.margin else ""
        if self.comparison.outcome == "pass":
            return f"{self.challenger} is {'not worse' if limit else 'better'} than {self.champion}{limit}"
        if self.comparison.outcome == "fail":
            return f"{self.challenger} is worse than {self.champion}{limit}"
        worse = f"is not worse than {self.champion}{limit}" if limit else f"is better than {self.champion}"
        return f"The data is insufficient to decide whether {self.challenger} {worse}"


def version_answer(
    registry: Registry,
    page: ModelPage,
    champion: str | None = None,
    challenger: str | None = None,
    margin: str | None = None,
) -> VersionAnswer | None:
    """
    Return whether a version is better than another by the metric of the view of their model.

    :param registry: The registry of an environment.
    :param page: Contents of the view.
    :param champion: Name of the version in use. Default: the name in the tag ``champion``, or the version
        whose serving data extends furthest.
    :param challenger: Name of the other version. Default: the version registered last.
    :param margin: Greatest acceptable loss. Default: 0, so whether the other version is better.
    :return: None if there are fewer than two versions, or no metric of performance.
    :raises aporia_provider.errors.ValidationError: if the margin is no number of at least 0.
    """
    loss = _margin(margin)
    pair = _pair(page.versions, champion, challenger)
    metric = page.performance.metric
    if pair is None or metric is None:
        return None
    try:
        comparison = registry.compare_versions(page.id, *pair, metric.name, loss, **metric.parameters)
    except AporiaError as error:
        problems = getattr(error, "problems", None) or [error.message]
        return VersionAnswer(*pair, loss, problem="; ".join(problems))
    return VersionAnswer(*pair, loss, comparison)


def _margin(margin: str | None) -> float:
    try:
        number = float(margin or 0)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValidationError(f"margin: {margin!r} is not a number of at least 0")
    return number


def _pair(
    versions: Sequence[VersionLine], champion: str | None, challenger: str | None
) -> tuple[str, str] | None:
    newest = [line.name for line in sorted(versions, key=lambda line: line.registered_at, reverse=True)]
    tagged = [line.name for line in versions if CHAMPION in line.tags]
    # If the version in use is the newest, the question is whether it is better than the version before.
    if champion is None and challenger is None and tagged[:1] == newest[:1]:
        tagged = []
    first = champion or next((name for name in tagged if name != challenger), None)
    second = challenger or next((name for name in newest if name != first), None)
    first = first or next((line.name for line in versions if line.name != second), None)
    return None if first is None or second is None or first == second else (first, second)

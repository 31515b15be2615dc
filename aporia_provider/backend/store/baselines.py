"""The bins of a version, and the rows they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aporia_provider.monitoring.profiles.plan import Grid

ENOUGH_VALUES: Final = 1000
"""Bins from fewer values are provisional; it is also the least baseline that a distance is judged by."""
_GROWTH = 2  # Provisional bins are made anew once there are so many times as many rows.


@dataclass(frozen=True)
class Origin:
    """
    What the bins of a field were made from.

    :param role: Role of the dataset.
    :param values: How many values of the field.
    :param rows: How many rows the dataset had.
    """

    role: str
    values: int
    rows: int

    @property
    def provisional(self) -> bool:
        """Whether there were too few values for bins that stay."""
        return self.values < ENOUGH_VALUES

    def outgrown(self, rows: int) -> bool:
        """Whether the bins are to be made anew, now that the dataset has so many rows."""
        return self.provisional and rows >= _GROWTH * self.rows


@dataclass(frozen=True)
class Baseline:
    """
    Grids, and what they were made from.

    :param role: Role of the dataset that they were made from; None if there are none. Fields that it has no
        values of may have grids from other datasets.
    :param grids: Key of a field to its grid.
    :param origins: Key of a field to what its grid was made from.
    """

    role: str | None = None
    grids: Mapping[str, Grid] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def joined(self, other: Baseline) -> Baseline:
        """These grids, those of ``other`` instead of them or besides."""
        return Baseline(
            self.role or other.role, {**self.grids, **other.grids}, {**self.origins, **other.origins}
        )

    def without(self, keys: Iterable[str]) -> Baseline:
        """These grids, without some."""
        kept = self.grids.keys() - set(keys)
        grids = {key: grid for key, grid in self.grids.items() if key in kept}
        return Baseline(self.role, grids, {key: self.origins[key] for key in grids})

    def made_from(self, role: str) -> dict[str, Origin]:
        """The fields whose grids were made from a dataset, and what of it."""
        return {key: origin for key, origin in self.origins.items() if origin.role == role}


def provisional_bins(origins: Mapping[str, Origin], keys: Iterable[str]) -> dict[str, int]:
    """The fields among ``keys`` whose bins are provisional, and the number of values they were made from."""
    return {key: origins[key].values for key in keys if key in origins and origins[key].provisional}


def dump_origins(origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Origins as the database keeps them."""
    return {key: asdict(origin) for key, origin in origins.items()}


def load_origins(stored: Mapping[str, Any]) -> dict[str, Origin]:
    """Read what :func:`dump_origins` wrote."""
    return {key: Origin(**origin) for key, origin in stored.items()}

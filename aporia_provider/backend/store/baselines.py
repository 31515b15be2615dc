"""Bins of the fields of a version, and the data that they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aporia_provider.monitoring.profiles.plan import Bins

ENOUGH_VALUES: Final = 1000
"""
Bins made from fewer values are provisional; also the smallest baseline for which a distance is computed.
"""
_GROWTH = 2  # Provisional bins are rebuilt when the number of rows has grown by this factor.


@dataclass(frozen=True)
class Origin:
    """
    Data that the bins of a field were made from.

    :param role: Role of the dataset.
    :param values: Number of values of the field.
    :param rows: Number of rows of the dataset.
    """

    role: str
    values: int
    rows: int

    @property
    def provisional(self) -> bool:
        """
        Return whether there were fewer than :data:`ENOUGH_VALUES` values, so that the bins may be rebuilt.
        """
        return self.values < ENOUGH_VALUES

    def needs_rebuild(self, rows: int) -> bool:
        """
        Return whether the bins have to be rebuilt.

        :param rows: Current number of rows of the dataset.
        """
        return self.provisional and rows >= _GROWTH * self.rows


@dataclass(frozen=True)
class Baseline:
    """
    Bins of the fields of a version, and their origins.

    :param role: Role of the dataset that the bins were made from; None if there are no bins. The bins of
        fields without values in that dataset may come from other datasets.
    :param bins: Bins by key of the field.
    :param origins: Origins of the bins by key of the field.
    """

    role: str | None = None
    bins: Mapping[str, Bins] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def merged(self, other: Baseline) -> Baseline:
        """Return the union of two baselines; for fields in both, ``other`` takes precedence."""
        return Baseline(
            self.role or other.role, {**self.bins, **other.bins}, {**self.origins, **other.origins}
        )

    def without(self, keys: Iterable[str]) -> Baseline:
        """Return the baseline without the given fields."""
        remaining = self.bins.keys() - set(keys)
        bins = {key: field_bins for key, field_bins in self.bins.items() if key in remaining}
        return Baseline(self.role, bins, {key: self.origins[key] for key in bins})

    def made_from(self, role: str) -> dict[str, Origin]:
        """Return the origins of the bins that were made from the dataset with the given role."""
        return {key: origin for key, origin in self.origins.items() if origin.role == role}


def provisional_bins(origins: Mapping[str, Origin], keys: Iterable[str]) -> dict[str, int]:
    """
    Return the fields among ``keys`` whose bins are provisional, and the number of values they were made from.
    """
    return {key: origins[key].values for key in keys if key in origins and origins[key].provisional}


def dump_origins(origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Return origins in their stored form."""
    return {key: asdict(origin) for key, origin in origins.items()}


def load_origins(stored: Mapping[str, Any]) -> dict[str, Origin]:
    """Load origins from their stored form, see :func:`dump_origins`."""
    return {key: Origin(**origin) for key, origin in stored.items()}

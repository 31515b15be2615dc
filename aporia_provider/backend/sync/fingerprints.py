"""
Fingerprints of the inputs of stored states other than the rows of the tables.

A fingerprint consists of a hash of the registration, which syncs do not change, and a hash of the bins. Syncs
and the search for due datasets compare fingerprints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from aporia_provider.backend.sync.context import (
    PERFORMANCE_STATES_VERSION,
    STATES_VERSION,
    VersionSnapshot,
)
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.monitoring.profiles.plan import Bins, OutcomePlan, dump_bins, fingerprint


def fields_fingerprint(snapshot: VersionSnapshot, role: str, bins: Mapping[str, Bins]) -> str:
    """
    Return the fingerprint of the states of a dataset's own columns.

    :param snapshot: The version of the dataset.
    :param role: Role of the dataset.
    :param bins: Bins of the version.
    """
    bins_hash = fingerprint(dump_bins(dataset_bins(snapshot, role, bins)))
    return f"{fields_registration(snapshot, role)}.{bins_hash}"


def fields_registration(snapshot: VersionSnapshot, role: str) -> str:
    """Return the hash of the registration in :func:`fields_fingerprint`."""
    return fingerprint(
        STATES_VERSION, snapshot.schema.to_wire(""), snapshot.period, _serialized_dataset(snapshot, role)
    )


def performance_fingerprint(snapshot: VersionSnapshot, outcomes: Iterable[OutcomePlan]) -> str:
    """
    Return the fingerprint of the performance states of a version's predictions.

    :param snapshot: The version.
    :param outcomes: Compared predictions, with options completed from the baseline.
    """
    options = fingerprint([asdict(outcome.options) for outcome in outcomes])
    return f"{performance_registration(snapshot)}.{options}"


def performance_registration(snapshot: VersionSnapshot) -> str:
    """Return the hash of the registration in :func:`performance_fingerprint`."""
    datasets = [_serialized_dataset(snapshot, role) for role in (SERVING, ACTUALS)]
    versions = (STATES_VERSION, PERFORMANCE_STATES_VERSION)
    return fingerprint(*versions, snapshot.schema.to_wire(""), snapshot.period, datasets)


def registration_hash(text: str) -> str:
    """Return the hash of the registration in a fingerprint."""
    return text.partition(".")[0]


def dataset_bins(snapshot: VersionSnapshot, role: str, bins: Mapping[str, Bins]) -> dict[str, Bins]:
    """Return the bins of the fields that a dataset has."""
    columns = snapshot.datasets[role].columns(snapshot.schema)
    keys = {f"{category}.{name}" for category, name, _ in columns}
    return {
        key: field_bins for key, field_bins in bins.items() if key in keys or key.rpartition("[")[0] in keys
    }


def _serialized_dataset(snapshot: VersionSnapshot, role: str) -> dict[str, Any]:
    return {**snapshot.datasets[role].serialize(), "sync": None}

"""
What stored states depend on besides the rows of the tables, as short texts.

A fingerprint has two parts: the first stands for what is registered, which no sync changes, the second for
the bins. They are compared by syncs, and when it is found out which datasets are due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from aporia_provider.backend.sync.context import STATES, VersionSnapshot
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.monitoring.profiles.plan import Grid, OutcomePlan, dump_grids, fingerprint


def fields_fingerprint(snapshot: VersionSnapshot, role: str, grids: Mapping[str, Grid]) -> str:
    """
    The fingerprint of the states of a dataset's own columns.

    :param snapshot: Its version.
    :param role: Its role.
    :param grids: The grids of the version.
    """
    used = fingerprint(dump_grids(used_grids(snapshot, role, grids)))
    return f"{fields_registered(snapshot, role)}.{used}"


def fields_registered(snapshot: VersionSnapshot, role: str) -> str:
    """The part of :func:`fields_fingerprint` that stands for what is registered."""
    return fingerprint(STATES, snapshot.schema.to_wire(""), snapshot.period, _dataset(snapshot, role))


def performance_fingerprint(snapshot: VersionSnapshot, outcomes: Iterable[OutcomePlan]) -> str:
    """
    The fingerprint of the states of the performance of a version's predictions.

    :param snapshot: The version.
    :param outcomes: What is compared, completed by what the baseline shows.
    """
    options = fingerprint([asdict(outcome.options) for outcome in outcomes])
    return f"{performance_registered(snapshot)}.{options}"


def performance_registered(snapshot: VersionSnapshot) -> str:
    """The part of :func:`performance_fingerprint` that stands for what is registered."""
    datasets = [_dataset(snapshot, role) for role in (SERVING, ACTUALS)]
    return fingerprint(STATES, snapshot.schema.to_wire(""), snapshot.period, datasets)


def registered_part(text: str) -> str:
    """The part of a fingerprint that stands for what is registered."""
    return text.partition(".")[0]


def used_grids(snapshot: VersionSnapshot, role: str, grids: Mapping[str, Grid]) -> dict[str, Grid]:
    """The grids of the fields that a dataset has."""
    columns = snapshot.datasets[role].columns(snapshot.schema)
    keys = {f"{category}.{name}" for category, name, _ in columns}
    return {key: grid for key, grid in grids.items() if key in keys or key.rpartition("[")[0] in keys}


def _dataset(snapshot: VersionSnapshot, role: str) -> dict[str, Any]:
    return {**snapshot.datasets[role].serialize(), "sync": None}

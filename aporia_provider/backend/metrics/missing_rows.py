"""Results of metrics in ranges without rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aporia_provider.backend.metrics.state_selection import StateSelector
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.sync_tables import PERFORMANCE
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.result import insufficient
from aporia_provider.monitoring.statistics.field_statistics import find_statistic
from aporia_provider.monitoring.statistics.row_metrics import row_metric

NO_ROWS: Final = "there are no rows in the range"
_NOT_COMPARED: Final = "no prediction has been compared with a label"
_UNLABELLED: Final = (
    "no actuals are connected: connect them with ConnectActualsOperator or version.connect_actuals of "
    "aporia_provider.sdk, or name the columns of the labels when the dataset is connected"
)


def never_synced(version: VersionStates, role: str) -> MetricResult:
    """Return the result for a dataset, or a segment of it, that has never been synced."""
    if version.term is not None and version.of_all_rows.is_synced(role):
        reasons = "; ".join(version.faults_of_segment(role)) or "sync the dataset"
        return insufficient(
            f"{version.term.described} has not been computed for the {role} dataset of version "
            f"{version.name!r}: {reasons}"
        )
    return insufficient(
        f"the {role} dataset of version {version.name!r} has never been synced: sync it with "
        f"SyncDatasetOperator, SyncHook or dags/monitor_models.py, or with version.sync({role!r}) of "
        "aporia_provider.sdk"
    )


def without_rows(metric: str, version: VersionStates, role: str, selector: StateSelector) -> MetricResult:
    """
    Return the result of a metric of a field or of rows: counts are 0 if the dataset has been synced.

    :param metric: Name of the metric.
    :param version: The version.
    :param role: Role of the dataset.
    :param selector: The states of the metric.
    """
    if not version.is_synced(role):
        return never_synced(version, role)
    if selector.type is None:
        return row_metric(metric, [])
    if not selector.type:
        return insufficient(NO_ROWS)
    find_statistic(metric, selector.type)
    is_count = metric == "count" or metric.endswith("_count")
    return MetricResult(0) if is_count else insufficient(NO_ROWS)


def without_labels(
    version: VersionStates, role: str, key: str, compared: Iterable[Any]
) -> MetricResult | None:
    """
    Return the result of a performance metric whose prediction has no labels; None if it has some.

    :param version: The version.
    :param role: Role of the dataset.
    :param key: Key of the states.
    :param compared: States of the predictions that have labels, None for a range without any.
    """
    name, labelled = key.removeprefix(f"{PERFORMANCE}."), version.labelled(role)
    if labelled and name not in labelled:
        others = ", ".join(map(repr, labelled))
        return insufficient(
            f"prediction {name!r} has no labels in the {role} dataset; those that have are {others}"
        )
    return None if any(compared) else insufficient(_NOT_COMPARED if labelled else _UNLABELLED)

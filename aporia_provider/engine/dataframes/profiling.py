"""Computation of profiles by the engine, which returns only states."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted
from aporia_provider.engine.dataframes.ranking_queries import group_queries
from aporia_provider.engine.dataframes.times import microseconds
from aporia_provider.engine.dataframes.value_hashes import hash64
from aporia_provider.monitoring.profiles.plan import ID, ROWS, TIME, FieldPlan, ProfilePlan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from aporia_provider.monitoring.profiles.baseline_bins import BaselineBins
    from aporia_provider.monitoring.profiles.profile import Profile

_SAMPLE_ROWS = 50_000
_SAMPLE_CELLS = 4_000_000
_SAMPLE_PARTS = 1_000_000


def profile_columns(
    frame: DataFrame, id_column: str, timestamp_column: str, columns: Mapping[str, str]
) -> DataFrame:
    """
    Return the columns of a profile, see :class:`~aporia_provider.monitoring.profiles.plan.ProfilePlan`.

    :param frame: The data.
    :param id_column: Id column.
    :param timestamp_column: Timestamp column.
    :param columns: Column names in the profile plan, to columns of the data.
    """
    id_ = quoted(id_column)
    return frame.selectExpr(
        f"if({id_} IS NULL, NULL, {hash64(f'cast({id_} AS string)')}) AS {ID}",
        f"{quoted(timestamp_column)} AS {TIME}",
        *(f"{quoted(column)} AS {name}" for name, column in columns.items()),
    )


def profile_frame(frame: DataFrame, plan: ProfilePlan, *, embedded: bool = True) -> Profile:
    """
    Return the profile of rows, computed by the engine.

    For outcomes with a query id, whose queries consist of many rows, there are states of all rows only, and
    none of the terms of segments: a condition may be true for some of the candidates of a query.

    :param frame: Columns, see :func:`profile_columns`.
    :param plan: The states to compute.
    :param embedded: Whether the engine is the embedded one.
    """
    row_outcomes = tuple(outcome for outcome in plan.outcomes if outcome.query is None)
    states = (
        _compute_profile(frame, replace(plan, outcomes=row_outcomes), embedded)
        if plan.fields or row_outcomes
        else {}
    )
    for outcome in plan.outcomes if plan.whole else ():
        if outcome.query is not None:
            queries = group_queries(frame, outcome, plan.seconds)
            query_states = _compute_profile(queries, ProfilePlan(plan.period, (), (outcome,)), embedded)
            states |= {key: state for key, state in query_states.items() if key[1] != ROWS}
    return states


def _compute_profile(frame: DataFrame, plan: ProfilePlan, embedded: bool) -> Profile:
    from aporia_provider.engine.dataframes.worker_functions import states_by_partition
    from aporia_provider.monitoring.profiles.profile import add
    from aporia_provider.monitoring.states.state import read_state

    states: Profile = {}
    for row in states_by_partition(frame, plan, embedded):
        add(states, (row["bucket"], row["key"]), read_state(json.loads(row["state"])))
    return states


def count_rows(frame: DataFrame, column: str) -> int:
    """
    Return the number of rows of a frame, counted by reading them.

    Without a column, the embedded engine would use the statistics in the log, which may be invalid.

    :param frame: The data.
    :param column: A column of it.
    """
    (row,) = frame.selectExpr("count(*) AS rows", f"max({quoted(column)}) AS greatest").collect()
    return int(row["rows"])


def baseline_bins(
    frame: DataFrame, fields: Iterable[FieldPlan], *, embedded: bool = True
) -> dict[str, BaselineBins]:
    """
    Return the bins of a baseline, computed from a sample if it is large.

    Hashes of ids and timestamps determine the sample, so that it does not depend on how the rows are stored,
    and not all rows of a frequent id are in it. If more than twice the intended number of rows are selected,
    for instance if many have the same id and timestamp, or if none are selected, the sample depends on the
    order of reading.

    :param frame: Columns, see :func:`profile_columns`.
    :param fields: The fields. Fields without values have no bins in the result.
    :param embedded: Whether the engine is the embedded one.
    """
    from aporia_provider.engine.dataframes.worker_functions import bins_by_partition
    from aporia_provider.monitoring.profiles.baseline_bins import BaselineBins
    from aporia_provider.monitoring.profiles.plan import load_bins

    fields = tuple(fields)
    sample_rows = min(_SAMPLE_ROWS, _SAMPLE_CELLS // max(1, len(fields)))
    rows = count_rows(frame, TIME)
    if rows <= sample_rows:
        samples = [frame]
    else:
        selected_parts = max(1, sample_rows * _SAMPLE_PARTS // rows)
        selected = frame.where(f"pmod({hash64(ID, microseconds(TIME))}, {_SAMPLE_PARTS}) < {selected_parts}")
        # Rows with the same id and timestamp are either all selected or none of them.
        samples = [selected.limit(2 * sample_rows), frame.limit(sample_rows)]
    for sample in samples:
        # A single partition, so that one function call receives all rows.
        if results := bins_by_partition(sample.repartition(1), fields, embedded):
            bins, values = (json.loads(results[0][name]) for name in ("grids", "values"))
            return {key: BaselineBins(field_bins, values[key]) for key, field_bins in load_bins(bins).items()}
    return {}

"""Profiles of data frames, made inside the engine: nothing but states leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted
from aporia_provider.engine.dataframes.ranking_queries import gathered
from aporia_provider.engine.dataframes.times import microseconds
from aporia_provider.engine.dataframes.value_hashes import hash64
from aporia_provider.monitoring.profiles.plan import ID, ROWS, TIME, FieldPlan, ProfilePlan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from aporia_provider.monitoring.profiles.baseline_grids import Made
    from aporia_provider.monitoring.profiles.profile import Profile

_SAMPLE_ROWS = 50_000
_SAMPLE_CELLS = 4_000_000
_PARTS = 1_000_000


def projected(
    frame: DataFrame, id_column: str, timestamp_column: str, columns: Mapping[str, str]
) -> DataFrame:
    """
    The columns a profile is made of, see :class:`~aporia_provider.monitoring.profiles.plan.ProfilePlan`.

    :param frame: Data.
    :param id_column: Its column of ids.
    :param timestamp_column: Its column of times.
    :param columns: Name in the profile's plan to column of the data.
    """
    id_ = quoted(id_column)
    return frame.selectExpr(
        f"if({id_} IS NULL, NULL, {hash64(f'cast({id_} AS string)')}) AS {ID}",
        f"{quoted(timestamp_column)} AS {TIME}",
        *(f"{quoted(column)} AS {name}" for name, column in columns.items()),
    )


def profile_frame(frame: DataFrame, plan: ProfilePlan, *, embedded: bool = True) -> Profile:
    """
    Profile rows inside the engine.

    :param frame: Columns as :func:`projected` makes them.
    :param plan: What to make of them.
    :param embedded: Whether the embedded engine does it.
    """
    by_row = tuple(outcome for outcome in plan.outcomes if outcome.query is None)
    states = _profiled(frame, replace(plan, outcomes=by_row), embedded) if plan.fields or by_row else {}
    for outcome in plan.outcomes:
        if outcome.query is not None:
            queries = gathered(frame, outcome, plan.seconds)
            made = _profiled(queries, ProfilePlan(plan.period, (), (outcome,)), embedded)
            states |= {place: state for place, state in made.items() if place[1] != ROWS}
    return states


def _profiled(frame: DataFrame, plan: ProfilePlan, embedded: bool) -> Profile:
    from aporia_provider.engine.dataframes.worker_functions import states_in
    from aporia_provider.monitoring.profiles.profile import add
    from aporia_provider.monitoring.states.state import read_state

    states: Profile = {}
    for row in states_in(frame, plan, embedded):
        add(states, (row["bucket"], row["key"]), read_state(json.loads(row["state"])))
    return states


def count_rows(frame: DataFrame, column: str) -> int:
    """
    Count the rows of a frame by reading them.

    Without a column, the embedded engine would count by the statistics in a log, which may be unreadable.

    :param frame: Data.
    :param column: One of its columns.
    """
    (found,) = frame.selectExpr("count(*) AS rows", f"max({quoted(column)}) AS greatest").collect()
    return int(found["rows"])


def grids_of(frame: DataFrame, fields: Iterable[FieldPlan], *, embedded: bool = True) -> dict[str, Made]:
    """
    Make the grids of a baseline, from a sample of it if it is large.

    Hashes of ids and times choose the sample, so the same rows have the same grids, however they are stored,
    and an id that is in many rows does not bring all of them. If more rows than twice the wanted number are
    chosen, as where many have the same id and time, or none are, the order in which they are read decides.

    :param frame: Columns as :func:`projected` makes them.
    :param fields: The fields; those without values get no grid.
    :param embedded: Whether the embedded engine does it.
    """
    from aporia_provider.engine.dataframes.worker_functions import grids_in
    from aporia_provider.monitoring.profiles.baseline_grids import Made
    from aporia_provider.monitoring.profiles.plan import load_grids

    fields = tuple(fields)
    wanted = min(_SAMPLE_ROWS, _SAMPLE_CELLS // max(1, len(fields)))
    rows = count_rows(frame, TIME)
    if rows <= wanted:
        samples = [frame]
    else:
        share = max(1, wanted * _PARTS // rows)
        chosen = frame.where(f"pmod({hash64(ID, microseconds(TIME))}, {_PARTS}) < {share}")
        # Rows that all have the same id and time are all chosen, or none.
        samples = [chosen.limit(2 * wanted), frame.limit(wanted)]
    for sample in samples:
        # One partition, so that one call sees all rows.
        if answer := grids_in(sample.repartition(1), fields, embedded):
            grids, values = (json.loads(answer[0][name]) for name in ("grids", "values"))
            return {key: Made(grid, values[key]) for key, grid in load_grids(grids).items()}
    return {}

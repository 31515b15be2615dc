"""Profiles of data frames, made inside the engine: nothing but states leaves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted
from aporia_provider.engine.queries import gathered
from aporia_provider.monitoring.plan import ID, ROWS, TIME, FieldPlan, Grid, ProfilePlan

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from aporia_provider.monitoring.profile import Profile

_STATES = "bucket long, key string, state string"
_GRIDS = "grids string"
_SAMPLE_ROWS = 50_000
_SAMPLE_CELLS = 4_000_000
_PARTS = 1_000_000
# Sail 0.7 panics where all that it is to hash is the same in all rows of a file; it cannot know that of this.
_ZERO = "cast(0 * rand() AS bigint)"


def projected(
    frame: DataFrame, id_column: str, timestamp_column: str, columns: Mapping[str, str]
) -> DataFrame:
    """
    The columns a profile is made of, see :class:`~aporia_provider.monitoring.plan.ProfilePlan`.

    :param frame: Data.
    :param id_column: Its column of ids.
    :param timestamp_column: Its column of times.
    :param columns: Name in the profile's plan to column of the data.
    """
    id_ = quoted(id_column)
    return frame.selectExpr(
        f"if({id_} IS NULL, NULL, xxhash64(cast({id_} AS string), {_ZERO})) AS {ID}",
        f"{quoted(timestamp_column)} AS {TIME}",
        *(f"{quoted(column)} AS {name}" for name, column in columns.items()),
    )


def profile_frame(frame: DataFrame, plan: ProfilePlan) -> Profile:
    """
    Profile rows inside the engine.

    :param frame: Columns as :func:`projected` makes them.
    :param plan: What to make of them.
    """
    by_row = tuple(outcome for outcome in plan.outcomes if outcome.query is None)
    states = _profiled(frame, replace(plan, outcomes=by_row)) if plan.fields or by_row else {}
    for outcome in plan.outcomes:
        if outcome.query is not None:
            made = _profiled(gathered(frame, outcome, plan.seconds), ProfilePlan(plan.period, (), (outcome,)))
            states |= {place: state for place, state in made.items() if place[1] != ROWS}
    return states


def _profiled(frame: DataFrame, plan: ProfilePlan) -> Profile:
    from aporia_provider.monitoring.profile import add
    from aporia_provider.monitoring.states import read_state

    states: Profile = {}
    for row in frame.mapInArrow(_profiler(plan), _STATES).toArrow().to_pylist():
        add(states, (row["bucket"], row["key"]), read_state(json.loads(row["state"])))
    return states


def grids_of(frame: DataFrame, fields: Iterable[FieldPlan]) -> dict[str, Grid]:
    """
    Make the grids of a baseline, from a sample of it if it is large.

    The hashes of ids choose the sample, so the same table always has the same grids.

    :param frame: Columns as :func:`projected` makes them.
    :param fields: The fields; those without values get no grid.
    """
    from aporia_provider.monitoring.plan import load_grids

    fields = tuple(fields)
    wanted = min(_SAMPLE_ROWS, _SAMPLE_CELLS // max(1, len(fields)))
    rows = frame.count()
    if rows > wanted:
        frame = frame.where(f"pmod(xxhash64({ID}), {_PARTS}) < {max(1, wanted * _PARTS // rows)}")
    # One partition, so that one call sees all rows.
    answer = frame.repartition(1).mapInArrow(_grid_maker(fields), _GRIDS).toArrow().to_pylist()
    return load_grids(json.loads(answer[0]["grids"])) if answer else {}


def _whole(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """
    All the batches, or an error.

    A panic of the engine comes as an exception that is no ``Exception``. If it went on its way, the engine
    would take it for the end of the rows.
    """
    rest = iter(batches)
    while True:
        try:
            batch = next(rest)
        except StopIteration:
            return
        except Exception:
            raise
        except BaseException as error:
            raise RuntimeError(f"The engine broke down: {error}") from None
        yield batch


def _profiler(plan: ProfilePlan) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def profiler(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from aporia_provider.monitoring.profile import profile

        states = profile(_whole(batches), plan)
        if states:
            buckets, keys = zip(*states, strict=True)
            texts = [json.dumps(state.to_json()) for state in states.values()]
            columns = [
                pa.array(buckets, pa.int64()),
                pa.array(keys, pa.string()),
                pa.array(texts, pa.string()),
            ]
            yield pa.RecordBatch.from_arrays(columns, names=["bucket", "key", "state"])

    return profiler


def _grid_maker(
    fields: tuple[FieldPlan, ...],
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def grid_maker(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from aporia_provider.monitoring.baseline import make_grids
        from aporia_provider.monitoring.plan import dump_grids

        held = list(_whole(batches))
        if held:
            grids = make_grids(pa.Table.from_batches(held), fields)
            yield pa.RecordBatch.from_pydict({"grids": [json.dumps(dump_grids(grids))]})

    return grid_maker

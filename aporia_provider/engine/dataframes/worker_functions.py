"""
Python functions that run inside the engine.

The embedded engine imports them. The workers of a cluster receive them by value, see
:func:`~aporia_provider.engine.dataframes.shipping.shipped`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aporia_provider.engine.dataframes.shipping import WorkerFunction, bound, shipped
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.numpy_profile import Profile, numpy_profile
from aporia_provider.monitoring.profiles.plan import (
    FieldPlan,
    ProfilePlan,
    dump_bins,
    dump_fields,
    dump_plan,
    load_fields,
    load_plan,
)
from aporia_provider.monitoring.profiles.profile import profile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_STATES = "bucket long, key string, state string"
_BINS_SCHEMA = "grids string, values string"


def states_by_partition(frame: DataFrame, plan: ProfilePlan, embedded: bool) -> list[dict[str, Any]]:
    """
    Return the states of each partition of a frame.

    :param embedded: Whether the engine is the embedded one.
    :return: Rows with ``bucket``, ``key`` and ``state`` (JSON); several may have the same bucket and key.
    """
    # The workers of a cluster do not have the kernel.
    function = compute_states if embedded else compute_states_with_numpy
    return _run_on_partitions(frame, function, json.dumps(dump_plan(plan)), _STATES, embedded)


def bins_by_partition(
    frame: DataFrame, fields: tuple[FieldPlan, ...], embedded: bool
) -> list[dict[str, Any]]:
    """
    Return the bins computed from each partition of a frame.

    :param embedded: Whether the engine is the embedded one.
    :return: Rows with ``grids`` (JSON) and the number of ``values`` that each was computed from.
    """
    return _run_on_partitions(frame, compute_bins, json.dumps(dump_fields(fields)), _BINS_SCHEMA, embedded)


def _run_on_partitions(
    frame: DataFrame, function: WorkerFunction, argument: str, schema: str, embedded: bool
) -> list[dict[str, Any]]:
    run = bound(function, argument) if embedded else shipped(function, argument)
    rows: list[dict[str, Any]] = frame.mapInArrow(run, schema).toArrow().to_pylist()
    return rows


def compute_states(batches: Iterable[pa.RecordBatch], plan: str) -> Iterator[pa.RecordBatch]:
    """
    Yield the states of batches, computed by the kernel if there is one.

    :param plan: JSON of :func:`~aporia_provider.monitoring.profiles.plan.dump_plan`.
    """
    return _states(profile, batches, plan)


def compute_states_with_numpy(batches: Iterable[pa.RecordBatch], plan: str) -> Iterator[pa.RecordBatch]:
    """
    Yield the states of batches.

    :param plan: JSON of :func:`~aporia_provider.monitoring.profiles.plan.dump_plan`.
    """
    return _states(numpy_profile, batches, plan)


def _states(
    compute: Callable[[Iterable[pa.RecordBatch], ProfilePlan], Profile],
    batches: Iterable[pa.RecordBatch],
    plan: str,
) -> Iterator[pa.RecordBatch]:
    states = compute(_all_batches(batches), load_plan(json.loads(plan)))
    if states:
        buckets, keys = zip(*states, strict=True)
        state_texts = [json.dumps(state.to_json()) for state in states.values()]
        columns = [
            pa.array(buckets, pa.int64()),
            pa.array(keys, pa.string()),
            pa.array(state_texts, pa.string()),
        ]
        yield pa.RecordBatch.from_arrays(columns, names=["bucket", "key", "state"])


def compute_bins(batches: Iterable[pa.RecordBatch], fields: str) -> Iterator[pa.RecordBatch]:
    """
    Yield the bins of fields, computed from all batches together.

    :param fields: JSON of :func:`~aporia_provider.monitoring.profiles.plan.dump_fields`.
    """
    received = list(_all_batches(batches))
    if received:
        computed = make_bins(pa.Table.from_batches(received), load_fields(json.loads(fields)))
        bins = dump_bins({key: item.bins for key, item in computed.items()})
        values = {key: item.values for key, item in computed.items()}
        yield pa.RecordBatch.from_pydict({"grids": [json.dumps(bins)], "values": [json.dumps(values)]})


def _all_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """
    Yield all batches, or raise an error.

    A panic of the engine raises an exception that is not a subclass of ``Exception``. If it propagated, the
    engine would treat it as the end of the rows.
    """
    iterator = iter(batches)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except Exception:
            raise
        except BaseException as error:
            raise RuntimeError(f"The engine crashed: {error}") from None
        yield batch

"""The states of a term are those of the profile of its rows, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.kernel import text_accumulator
from aporia_provider.monitoring.profiles import gathering, kernel_profile
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.numpy_profile import numpy_profile
from aporia_provider.monitoring.profiles.plan import (
    Bins,
    FieldPlan,
    OutcomePlan,
    ProfilePlan,
    SegmentTermPlan,
    dump_plan,
    load_plan,
)
from aporia_provider.monitoring.profiles.profile import Profile
from tests.kernel.comparing import texts, with_kernel
from tests.monitoring.columns import DAY, KINDS, array_of
from tests.monitoring.segments.random_conditions import TYPES, Stated, conditions, rows
from tests.sizes import sized

Compute = Callable[[Sequence[pa.RecordBatch], ProfilePlan], Profile]
_times = st.none() | st.sampled_from([0, DAY - 1, DAY, -1])
_ids = st.none() | st.integers(0, 5) | st.integers(-(2**63), 2**63 - 1)
_OUTCOMES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "regression": (pa.float64(), st.floats(), st.floats(-10, 10)),
    "binary": (pa.bool_(), st.booleans(), st.booleans()),
    "multiclass": (pa.string(), st.sampled_from("abc"), st.sampled_from("abc")),
    "multi-label": (
        pa.list_(pa.string()),
        st.lists(st.sampled_from("abc"), unique=True),
        st.lists(st.sampled_from("abc"), unique=True),
    ),
    "ranking": (
        pa.list_(pa.float64()),
        st.lists(st.floats(0, 1), min_size=3, max_size=3),
        st.lists(st.sampled_from([0.0, 1.0]), min_size=3, max_size=3),
    ),
}


def term(number: int, text: str) -> SegmentTermPlan:
    columns = tuple((name, name, type_) for name, type_ in TYPES.items())
    return SegmentTermPlan(f"@{number}.0:", text, columns)


def bins_of(batch: pa.RecordBatch, fields: Sequence[FieldPlan]) -> dict[str, Bins]:
    return {key: item.bins for key, item in make_bins(pa.Table.from_batches([batch]), fields).items()}


def expected(batch: pa.RecordBatch, plan: ProfilePlan, members: Sequence[Sequence[bool]]) -> Profile:
    """The states of all rows, and of those that each term has, by hand."""
    alone = replace(plan, segments=(), whole=True)
    found = numpy_profile([batch], alone) if plan.whole else {}
    for each, member in zip(plan.segments, members, strict=True):
        # One by one: Arrow cannot take or filter views.
        chosen = [batch.slice(place, 1) for place in np.flatnonzero(member).tolist()]
        part = pa.concat_batches([batch.slice(0, 0), *chosen])
        found |= {
            (bucket, each.prefix + key): state
            for (bucket, key), state in numpy_profile([part], alone).items()
        }
    return found


@st.composite
def cases(
    draw: st.DrawFn,
) -> tuple[pa.RecordBatch, list[pa.RecordBatch], ProfilePlan, list[list[bool]]]:
    """Rows, the same ones in several batches, a plan with terms, and which rows each term has."""
    batch, listed = draw(rows(most=12))
    size = len(listed)
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    model_type = draw(st.sampled_from(sorted(_OUTCOMES)))
    type_, predictions, labels = _OUTCOMES[model_type]

    def column(values: st.SearchStrategy[Any], physical: pa.DataType) -> pa.Array:
        return array_of(draw(st.lists(st.none() | values, min_size=size, max_size=size)), physical)

    columns = {
        "id": column(_ids, pa.int64()),
        "time": column(_times, pa.timestamp("us", "UTC")),
        **dict(zip(batch.schema.names, batch.columns, strict=True)),
        "x": column(kind.values, kind.type),
        "prediction": column(predictions, type_),
        "label": column(labels, type_),
        "tied": array_of(draw(st.lists(st.booleans(), min_size=size, max_size=size)), pa.bool_()),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    fields = (
        replace(kind.plan, column="x"),
        *(FieldPlan(f"features.{name}", TYPES[name], name) for name in "nc"),
    )
    known = draw(st.integers(0, size))
    bins = bins_of(batch.slice(0, known), fields)
    stated: list[Stated] = draw(st.lists(conditions, max_size=4))
    terms = tuple(term(number, each.text) for number, each in enumerate(stated))
    outcomes = (OutcomePlan("performance.p", model_type, "prediction", "label", tied="tied"),)
    plan = ProfilePlan("daily", fields, outcomes, bins, terms, draw(st.booleans()))
    members = [[each.holds(row) is True for row in listed] for each in stated]
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=3)))
    parts = [batch.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    return batch, parts, plan, members


@pytest.mark.slow
@pytest.mark.parametrize("compute", [with_kernel, numpy_profile])
@settings(max_examples=sized(12, 300))
@given(cases(), st.booleans())
def test_states_are_those_of_the_rows_of_each_term(compute: Compute, case: Any, alone: bool) -> None:
    batch, parts, plan, members = case
    plan = load_plan(json.loads(json.dumps(dump_plan(plan))))
    with patch.object(gathering, "_ROWS", 1 if alone else 1 << 16):
        found = compute(parts, plan)
    wanted = expected(batch, plan, members)
    assert texts(found) == texts(wanted)
    assert found == wanted


def many_rows(count: int, days: int = 2) -> pa.RecordBatch:
    rng = np.random.default_rng(7)
    words = [f"word {place}" for place in range(900)]
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(rng.integers(-(2**63), 2**63 - 1, count)),
            "time": pa.array(rng.integers(0, days * DAY, count), pa.timestamp("us", "UTC")),
            "n": pa.array(rng.lognormal(0, 3, count), mask=rng.random(count) < 0.1),
            "m": pa.array(rng.integers(-9, 9, count)),
            "c": pa.array(words).take(pa.array(rng.integers(0, 12, count))),
            "d": pa.array(words).take(pa.array(rng.integers(0, 900, count))),
            "b": pa.array(rng.random(count) < 0.5),
            "t": pa.array(rng.integers(0, DAY, count), pa.timestamp("us", "UTC")),
        }
    )


MANY_TERMS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **{f"c = 'word {place}'": ("c", f"word {place}".__eq__) for place in range(12)},
    **{
        f"m >= {edge} and m < {edge + 3}": ("m", range(edge, edge + 3).__contains__)
        for edge in range(-9, 9, 3)
    },
    "b": ("b", bool),
    "n > 1 or n is null": ("n", lambda value: value is None or value > 1),
    "n < 0": ("n", lambda value: False),
}


def many_terms(batch: pa.RecordBatch) -> tuple[ProfilePlan, list[list[bool]]]:
    fields = tuple(FieldPlan(f"features.{name}", type_, name) for name, type_ in TYPES.items())
    bins = bins_of(batch.slice(0, 500), fields)
    terms = tuple(term(number, text) for number, text in enumerate(MANY_TERMS))
    members = [[holds(value) for value in batch[name].to_pylist()] for name, holds in MANY_TERMS.values()]
    return ProfilePlan("daily", fields, (), bins, terms), members


@pytest.mark.slow
@pytest.mark.parametrize("limits", [{}, {"bytes": 1 << 19}, {"texts": 300}, {"days": 9}], ids=str)
def test_many_terms_of_many_rows(limits: dict[str, int]) -> None:
    batch = many_rows(2_000, limits.get("days", 2))
    plan, members = many_terms(batch)
    parts = [batch.slice(start, 700) for start in range(0, batch.num_rows, 700)]
    wanted = texts(expected(batch, plan, members))
    assert texts(numpy_profile(parts, plan)) == wanted
    with (
        patch.object(kernel_profile, "_BYTES", limits.get("bytes", kernel_profile._BYTES)),
        patch.object(text_accumulator, "_MOST_TEXTS", limits.get("texts", text_accumulator._MOST_TEXTS)),
    ):
        assert texts(with_kernel(parts, plan)) == wanted


def test_a_term_without_rows_has_no_states() -> None:
    batch = many_rows(10)
    plan = ProfilePlan("daily", (FieldPlan("features.m", "numeric", "m"),), segments=(term(3, "m > 99"),))
    for compute in (with_kernel, numpy_profile):
        assert compute([batch], plan) == compute([batch], replace(plan, segments=()))
        assert compute([batch], replace(plan, whole=False)) == {}
        assert compute([], plan) == {}


def test_parts_add_up_to_the_whole() -> None:
    batch = many_rows(500)
    terms = (term(0, "m < 0"), term(1, "m >= 0 and c <= 'word 5'"), term(2, "not (m < 0 or c <= 'word 5')"))
    plan = ProfilePlan("daily", (FieldPlan("features.n", "numeric", "n"),), segments=terms)
    found = with_kernel([batch], plan)
    for bucket in {bucket for bucket, _ in found}:
        for key in ("rows", "features.n"):
            first, *others = [found[bucket, each.prefix + key] for each in terms]
            assert sum(others, first) == found[bucket, key]

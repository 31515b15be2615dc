"""Plans of profiles as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.performance import Options
from aporia_provider.monitoring.profiles.plan import (
    FieldPlan,
    OutcomePlan,
    ProfilePlan,
    SegmentTermPlan,
    dump_plan,
    load_plan,
)
from aporia_provider.monitoring.states.vector_state import VectorBins

NUMBERS = NumericBins.of(np.linspace(-7, 11, 100) / 3)
BINS = {
    "features.x": NUMBERS,
    "features.c": CategoryBins(("a", "ü")),
    "features.v": VectorBins(3, NUMBERS),
    "predictions.p[scores]": ScoreBins.of(np.linspace(0, 1, 50)),
}
fields = st.builds(
    FieldPlan,
    st.text(),
    st.sampled_from(["numeric", "tensor"]),
    st.text(),
    st.lists(st.integers(1, 9)).map(tuple),
    st.booleans(),
)
options = st.builds(
    Options,
    edges=st.sets(st.floats(allow_nan=False, allow_infinity=False), min_size=2).map(sorted).map(tuple),
    scored=st.booleans(),
    positive=st.none() | st.text(),
    classes=st.lists(st.text(), unique=True).map(tuple),
    threshold=st.floats(0, 1),
    candidates=st.sampled_from([None, "items"]),
)
outcomes = st.builds(
    OutcomePlan, st.text(), st.just("binary"), st.text(), st.text(), options, st.none() | st.text()
)
terms = st.builds(
    SegmentTermPlan, st.text(), st.text(), st.lists(st.tuples(st.text(), st.text(), st.text())).map(tuple)
)
plans = st.builds(
    ProfilePlan,
    st.sampled_from(["hourly", "daily"]),
    st.lists(fields).map(tuple),
    st.lists(outcomes).map(tuple),
    st.sets(st.sampled_from(sorted(BINS))).map(lambda keys: {key: BINS[key] for key in keys}),
    st.lists(terms).map(tuple),
    st.booleans(),
)


@pytest.mark.slow
@given(plans)
def test_a_plan_equals_the_one_loaded_from_its_json(plan: ProfilePlan) -> None:
    assert load_plan(json.loads(json.dumps(dump_plan(plan)))) == plan


def test_a_plan_without_segments_is_dumped_without_them() -> None:
    assert not {"segments", "whole"} & dump_plan(ProfilePlan("daily", ())).keys()

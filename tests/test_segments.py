"""The public types of segments: what they accept, and the terms that they are reduced to."""

from __future__ import annotations

from typing import Any

import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.segment_values import SegmentValue
from aporia_provider.segments import Segment

TYPES = {
    "features.age": "numeric",
    "features.plan": "categorical",
    "features.paid": "boolean",
    "features.odd `name`": "string",
    "features.and": "numeric",
    "features.city": "string",
    "raw_inputs.city": "string",
    "features.embedding": "vector",
}


def test_values_become_terms_labelled_as_the_states_are() -> None:
    assert Segment(name="S", field="plan", values=["gold", "o'clock", 3, 2.5, 4.0]).terms(TYPES) == [
        ("gold", "features.plan = 'gold'"),
        ("o'clock", "features.plan = 'o''clock'"),
        ("3", "features.plan = '3'"),
        ("2.5", "features.plan = '2.5'"),
        ("4", "features.plan = '4'"),
    ]
    assert Segment(name="S", field="features.paid", values=[True, "False"]).terms(TYPES) == [
        ("true", "features.paid = true"),
        ("False", "features.paid = false"),
    ]
    assert Segment(name="S", field="age", values=[18, -0.5]).terms(TYPES) == [
        ("18", "features.age = 18"),
        ("-0.5", "features.age = -0.5"),
    ]


def test_edges_become_half_open_terms_the_last_of_which_is_closed() -> None:
    assert Segment(name="S", field="age", edges=[0, 18, 64.5]).terms(TYPES) == [
        ("0", "features.age >= 0 and features.age < 18"),
        ("18", "features.age >= 18 and features.age <= 64.5"),
    ]


def test_names_that_are_not_plain_are_in_backticks() -> None:
    odd = Segment(name="S", field="odd `name`", values=["x"]).terms(TYPES)
    assert odd == [("x", "features.`odd ``name``` = 'x'")]
    assert Segment(name="S", field="and", values=[1]).terms(TYPES) == [("1", "features.`and` = 1")]


def test_the_intersection_of_two_has_each_pair_of_terms() -> None:
    terms_of = {"a": [("1", "x = 1"), ("2", "x = 2")], "b": [("k", "y is null or z > 0")]}
    assert Segment(name="S", intersection=("a", "b")).terms(TYPES, terms_of) == [
        ("1 & k", "(x = 1) and (y is null or z > 0)"),
        ("2 & k", "(x = 2) and (y is null or z > 0)"),
    ]


@pytest.mark.parametrize(
    ("given", "expected_faults"),
    [
        ({}, ["exactly one of values, edges, conditions, intersection is required, not none"]),
        (
            {"field": "age", "values": [1], "edges": [1, 2]},
            ["exactly one of values, edges, conditions, intersection is required, not values and edges"],
        ),
        ({"values": [1]}, ["values requires field"]),
        (
            {"field": "age", "conditions": [("age > 1", "a")]},
            ["conditions must not be given with field"],
        ),
        (
            {"field": "age", "edges": [1, 3, 3, 2]},
            ["edges must increase, but 3 is followed by 3", "edges must increase, but 3 is followed by 2"],
        ),
        ({"field": "age", "values": [1, 1.0]}, ["there are several terms '1'"]),
        ({"field": "age", "values": list(range(101))}, ["a segment has at most 100 terms, not 101"]),
        ({"field": "age", "values": []}, ["values: List should have at least 1 item"]),
        ({"field": "age", "edges": [1, float("inf")]}, ["edges must be finite"]),
        ({"name": "filter: x", "field": "age", "values": [1]}, ["names that start with 'filter: '"]),
        ({"feld": "age", "values": [1]}, ["feld: there is no such parameter; did you mean 'field'?"]),
        ({"field": "age", "values": ["x" * 256]}, ["is longer than 255 characters"]),
    ],
)
def test_what_is_not_valid_is_named(given: dict[str, Any], expected_faults: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        Segment(**{"name": "S", **given})
    for text in expected_faults:
        assert text in error.value.message


@pytest.mark.parametrize(
    ("given", "expected_faults"),
    [
        ({"field": "agee", "values": [1]}, "There is no field 'agee'; did you mean 'age'?"),
        ({"field": "city", "values": ["x"]}, "one of features.city, raw_inputs.city: write its group"),
        ({"field": "age", "values": ["x", 1, True]}, "'x' is not a value of features.age, which is numeric"),
        ({"field": "plan", "edges": [1, 2]}, "edges require a numeric field, and features.plan is categor"),
        ({"field": "embedding", "values": [1]}, "1 is not a value of features.embedding, which is vector"),
        ({"intersection": ("plans", "b")}, "there is no segment 'plans'; did you mean 'plan'?"),
        ({"intersection": ("many", "many")}, "would have 121 terms (11 times 11)"),
    ],
)
def test_what_does_not_fit_the_fields_is_named(given: dict[str, Any], expected_faults: str) -> None:
    terms_of = {"plan": [("1", "x = 1")], "many": [(str(i), f"x = {i}") for i in range(11)]}
    with pytest.raises(ValidationError) as error:
        Segment(name="S", **given).terms(TYPES, terms_of)
    assert expected_faults in str(error.value)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (18, "18"), (18.0, "18"), (18.5, "18.5"), ("a", "a")]
)
def test_the_value_of_a_segment_is_text(value: Any, text: str) -> None:
    assert SegmentValue(id="S", value=value).value == text

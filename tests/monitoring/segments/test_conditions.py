"""Conditions are parsed to one notation, and their problems are named with their places."""

from __future__ import annotations

import pytest

from aporia_provider.monitoring.segments import (
    ConditionError,
    checked_condition,
    condition_faults,
    parse_condition,
    resolve,
)

FIELDS = {
    "features.age": "numeric",
    "features.plan": "categorical",
    "raw_inputs.plan": "string",
    "raw_inputs.x y": "string",
    "features.vip": "boolean",
    "features.at": "datetime",
    "features.embedding": "vector",
    "predictions.score": "numeric",
    "labels.score": "numeric",
    "labels.income": "numeric",
}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("age > 23 and vip = True", "age > 23 and vip = true"),
        ("features.plan = 'Gold' AND score IS NULL", "features.plan = 'Gold' and score is null"),
        ("age != 1 & age <> 2 | age == 3", "(age != 1 and age != 2) or age = 3"),
        ("18.0<=age", "age >= 18"),
        ("age > +1.50e1 or age < -.5", "age > 15 or age < -0.5"),
        ("age = -0", "age = 0"),
        ("age < 1e300", "age < 1e+300"),
        ('features.plan = "it\'s" or features.plan = \'say "x"\'', None),
        ("features.plan = 'it''s' or features.plan = \"a\"\"b\"", None),
        ("`x y` = 'a'", "`x y` = 'a'"),
        ("raw_inputs.`x y` = 'a'", "`raw_inputs.x y` = 'a'"),
        ("`a``b`.c is null", "`a``b.c` is null"),
        ("score is not None", "score is not null"),
        ("not score is null", "score is not null"),
        ("not (age = 1 or age = 2)", "not (age = 1 or age = 2)"),
        ("not not vip", "vip"),
        ("((age = 1) and (age = 2)) and age = 3", "age = 1 and age = 2 and age = 3"),
        ("age = 1 or vip and not vip", "age = 1 or (vip and not vip)"),
        ("age in (1, 2.5) and age not in (3)", "age in (1, 2.5) and not age in (3)"),
        ("vip is true or vip is not false", "vip is true or not vip is false"),
        ("features.plan = ''", "features.plan = ''"),
        ("at\n>=\t'2024-01-01'", "at >= '2024-01-01'"),
    ],
)
def test_conditions_have_one_notation(text: str, canonical: str | None) -> None:
    condition = parse_condition(text)
    if canonical is not None:
        assert condition.text == canonical
    again = parse_condition(condition.text)
    assert again == condition
    assert again.text == condition.text


def test_fields_of_a_condition() -> None:
    condition = parse_condition("age > 1 and features.`plan` = 'a' or actuals.income < age and `x y` = 'b'")
    assert condition.fields == ("age", "features.plan", "actuals.income", "x y")
    assert resolve(condition, FIELDS) == {
        "age": "features.age",
        "features.plan": "features.plan",
        "actuals.income": "labels.income",
        "x y": "raw_inputs.x y",
    }
    # A prediction and its label have one name, which is the prediction's.
    assert resolve(parse_condition("score > income"), FIELDS) == {
        "score": "predictions.score",
        "income": "labels.income",
    }


def test_every_problem_of_the_syntax_is_named_at_once() -> None:
    with pytest.raises(ConditionError) as failure:
        parse_condition("age > and plan is 5 or (vip = null and upper(plan) = 'A') or 1 = 2 or age < 3 < 4")
    assert failure.value.faults == [
        "'and' at character 7 is not expected there: a field or a constant",
        "'5' at character 19 is not expected after is: write null, or = for a constant",
        "'null' at character 31 cannot be compared: write is null, or is not null",
        "'upper' at character 40: functions are not supported",
        "1 = 2 at character 62 compares two constants: one of them has to be a field",
        "'<' at character 79: comparisons cannot be chained, combine two of them by and",
    ]
    assert str(failure.value) == "; ".join(failure.value.faults)


def test_every_problem_of_the_types_is_named_at_once() -> None:
    text = (
        "plan = 'a' and agee = 1 and features.plan = 1 and age = 'x' and vip > true and vip = 1 "
        "and at > '1.5.' and embedding = 1 and age and age = raw_inputs.plan and features.agge in (1) "
        "and embedding is null and `x y` in ('a', 2, true)"
    )

    def place(part: str) -> str:
        return f"at character {text.index(part) + 1}"

    assert condition_faults(parse_condition(text), FIELDS) == [
        f"the field plan {place('plan =')} is the name of several fields: "
        "write features.plan or raw_inputs.plan",
        f"the field agee {place('agee')} is not a field of the model; did you mean 'age'?",
        f"the field features.agge {place('features.agge')} is not a field of the model; "
        "did you mean 'features.age'?",
        f"the field features.plan {place('features.plan')} is categorical: quote the constant, "
        "as in features.plan = '1'",
        f"the field age {place('age = ')} is numeric: compare it with a number without quotes, not with 'x'",
        f"the field vip {place('vip >')} is boolean, which has no order: use = or !=",
        f"the field vip {place('vip =')} is boolean: compare it with true or false, not with 1",
        f"the field at {place('at >')} is a time: compare it with a time in ISO 8601 form in quotes, such as "
        "'2024-01-31T12:00:00', not with '1.5.'",
        f"the field embedding {place('embedding')} is of type vector, which is only compared with null",
        f"the field age {place('age and')} is numeric, not boolean: compare it with a constant",
        f"the field age {place('age = raw')} is numeric and raw_inputs.plan is string: "
        "they cannot be compared",
        f"the field `x y` {place('`x y`')} is string: quote the constant, as in `x y` = '2'",
        f"the field `x y` {place('`x y`')} is string: quote the constant, as in `x y` = 'true'",
    ]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "(age = 'x' and agee > 3",
            [
                "'(' at character 1 is not closed",
                "the field agee at character 16 is not a field of the model; did you mean 'age'?",
                "the field age at character 2 is numeric: compare it with a number without quotes, "
                "not with 'x'",
            ],
        ),
        (
            "agee like 3 and age % 2 = 0 and vip > true",
            [
                "% at character 21: arithmetic is not supported",
                "'like' at character 6 is not an operator; the operators are > < <= >= = !=, is null, "
                "is not null and in",
                "the field agee at character 1 is not a field of the model; did you mean 'age'?",
                "the field vip at character 33 is boolean, which has no order: use = or !=",
            ],
        ),
        # What follows an open quote may be part of the text.
        (
            "vip = 1 and features.plan = 'gold and agee > 3",
            [
                "' at character 29: the quote is not closed",
                "the field vip at character 1 is boolean: compare it with true or false, not with 1",
            ],
        ),
        (
            "vip = 1 and " + "not " * 33 + "vip",
            [
                "parentheses and negations are nested more than 32 levels deep",
                "the field vip at character 1 is boolean: compare it with true or false, not with 1",
            ],
        ),
    ],
)
def test_problems_of_the_syntax_do_not_hide_those_of_names_and_types(text: str, faults: list[str]) -> None:
    with pytest.raises(ConditionError) as failure:
        checked_condition(text, FIELDS)
    assert failure.value.faults == faults


def test_a_valid_condition_has_no_problems() -> None:
    condition = parse_condition(
        "age > 1 and features.plan = raw_inputs.plan and at < '2024-01-31T12:00:00+02:00' and not vip"
    )
    assert condition_faults(condition, FIELDS) == []

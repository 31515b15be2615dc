"""Checks of custom metrics against the fields of a version."""

from __future__ import annotations

import pytest

from aporia_provider.monitoring.custom_metrics import (
    CustomMetricError,
    bind,
    checked_metric,
    metric_faults,
    parse_metric,
)

pytestmark = pytest.mark.fast

FIELDS = {
    "features.age": "numeric",
    "features.plan": "categorical",
    "features.born": "datetime",
    "features.scores": "dict",
    "features.basket": "array",
    "features.same": "numeric",
    "raw_inputs.same": "numeric",
    "predictions.proba": "numeric",
    "predictions.said": "boolean",
    "labels.proba": "",
    "labels.said": "",
}
LABELLED = {"proba": "bought", "said": "bought_at_all"}


def test_columns_become_keys() -> None:
    code = (
        'sum(column="age") + sum(column="raw_inputs.same") + mean(column="scores[cat]") + '
        'column_count(column="bought") + missing_count(actuals.said) + mean_length(column="basket") + '
        'recall(column="proba", threshold=0.2) + count()'
    )
    calls = bind(parse_metric(code), FIELDS, "binary", LABELLED).calls
    assert [(call.metric, call.parameters.get("column")) for call in calls] == [
        ("sum", "features.age"),
        ("sum", "raw_inputs.same"),
        ("mean", "features.scores[cat]"),
        ("column_count", "labels.proba"),
        ("missing_count", "labels.said"),
        ("mean_items", "features.basket"),
        ("recall", "proba"),
        ("count", None),
    ]
    request = calls[6].request(confidence=0.9, minimum=20)
    assert (request.column, request.threshold, request.confidence, request.minimum) == ("proba", 0.2, 0.9, 20)


def test_all_faults_are_listed() -> None:
    code = """\
a = sum(column="plan") + mean(column="born") + sum(column="agee") + sum(column="same")
b = rmse(column="proba") + auc_roc(column="said") + recall(column="age") + recall(column="sad")
c = recall(column="proba", method="macro") + min_length(column="basket") + sum(column="age[x]")
a + b + c + count(filter="agee > 1 and plan = 3") + sum(column="age", filter="labels.proba is null")
"""
    assert metric_faults(parse_metric(code), FIELDS, "binary", LABELLED) == [
        'line 1, column 5: sum(column="plan"): features.plan is categorical, and sum is for fields of type '
        "numeric",
        'line 1, column 26: mean(column="born"): features.born is datetime, and mean is for fields of type '
        "numeric",
        "line 1, column 48: sum(column=\"agee\"): there is no field 'agee'; did you mean 'age'?",
        "line 1, column 69: sum(column=\"same\"): 'same' is the name of several fields: write "
        "features.same or "
        "raw_inputs.same",
        'line 2, column 5: rmse(column="proba"): rmse is for regression models, not for binary',
        'line 2, column 28: auc_roc(column="said"): said is boolean, and auc_roc is for numeric predictions',
        "line 2, column 53: recall(column=\"age\"): 'age' is not a prediction with labels; there "
        "are 'proba', "
        "'said'",
        "line 2, column 76: recall(column=\"sad\"): 'sad' is not a prediction with labels; did you "
        "mean 'said'?",
        'line 3, column 5: recall(column="proba", method="macro"): recall of binary models has no parameter '
        "method",
        'line 3, column 46: min_length(column="basket"): features.basket is array, and min_length '
        "is for fields "
        "of type categorical, string, text",
        "line 3, column 76: sum(column=\"age[x]\"): there is no field 'age[x]'; did you mean 'age'?",
        'line 4, column 13: count(filter="agee > 1 and plan = 3"): filter: the field agee at '
        "character 1 is not "
        "a field of the model; did you mean 'age'?",
        'line 4, column 13: count(filter="agee > 1 and plan = 3"): filter: the field plan at character 14 is '
        "categorical: quote the constant, as in plan = '3'",
        'line 4, column 53: sum(column="age", filter="labels.proba is null"): filter: labels.proba '
        "is a label; "
        "filters select predictions by their own fields",
    ]


@pytest.mark.parametrize(
    ("code", "model_type", "fault"),
    [
        (
            "sum(actuals.proba)",
            "binary",
            "labels.proba is a label of a binary model, and sum is for fields of",
        ),
        ("sum(actuals.proba)", "regression", None),
        ('sum(column="actuals.proba")', "regression", None),
        ('value_count(column="bought", value=1)', "binary", None),
        ('value_count(column="bought", value=1)', "regression", "is a label of a regression model"),
        ('tp_count(column="said")', "multiclass", "tp_count of multiclass models requires class_name"),
        ('tp_count(column="said", class_name="a")', "multiclass", None),
        ('tp_count(column="said", class_name="a")', "binary", "of binary models has no parameter class_name"),
        ('f1(column="said")', "multiclass", None),
        (
            'f1(column="said", threshold=0.2)',
            "multiclass",
            "f1 of multiclass models has no parameter threshold",
        ),
        ('value_percentage(features.basket, value="a")', "binary", "features.basket is array"),
        ("count(filter=features.flag)", "binary", "the field features.flag at character 1 is not a field"),
        ("ndcg(predictions.said, rank=3)", "binary", "ndcg is for ranking models, not for binary"),
    ],
)
def test_functions_of_types_of_models(code: str, model_type: str, fault: str | None) -> None:
    faults = metric_faults(parse_metric(code), FIELDS, model_type, LABELLED)
    assert len(faults) == (fault is not None)
    assert fault is None or fault in faults[0]


def test_a_code_without_calls_is_refused() -> None:
    assert metric_faults(parse_metric("1 + 1"), FIELDS, "binary", LABELLED) == [
        "the code calls no function, so its value does not depend on data"
    ]
    assert metric_faults(parse_metric("count()"), {}, "binary", ()) == []


AGEE = "there is no field 'agee'; did you mean 'age'?"


@pytest.mark.parametrize(
    ("code", "faults"),
    [
        # An unknown function, and the condition and column of its call.
        (
            'sums(column="agee", filter="(plan = 3") + sum(column="age", filter="agee > 1")',
            [
                "1, column 1: there is no function 'sums'; did you mean 'sum'?",
                f'1, column 1: sums(column="agee", filter="(plan = 3"): {AGEE}',
                '1, column 1: sums(column="agee", filter="(plan = 3"): filter: the field plan at character 2 '
                "is categorical: quote the constant, as in plan = '3'",
                "1, column 21: filter: '(' at character 1 is not closed",
                '1, column 43: sum(column="age", filter="agee > 1"): filter: the field agee at character 1 '
                "is not a field of the model; did you mean 'age'?",
            ],
        ),
        # A character that is not part of the language, and calls after it.
        (
            'sum(column="age") ^ 2 + mean(column="agee")',
            [
                "1, column 19: '^' is not part of the language",
                f'1, column 25: mean(column="agee"): {AGEE}',
            ],
        ),
        # A call that is not closed, and the lines after it.
        (
            'a = sum(column="age"\nb = mean(column="agee")\na + b',
            [
                f'2, column 5: mean(column="agee"): {AGEE}',
                "3, column 6: ')' is missing at the end of the code",
            ],
        ),
        (
            'a = (1 + sum(column="age")\nb = mean(column="agee")\na + b',
            [
                "2, column 1: ')' has to be here, not 'b'",
                f'2, column 5: mean(column="agee"): {AGEE}',
            ],
        ),
        # A wrong parameter, and the prediction of the call.
        (
            'f1(column="prob", threshold="x")',
            [
                '1, column 1: f1(column="prob", threshold="x"): \'prob\' is not a prediction with labels; '
                "did you mean 'proba'?",
                "1, column 19: threshold is a finite number, not 'x'",
            ],
        ),
    ],
)
def test_faults_of_the_language_do_not_hide_those_of_fields(code: str, faults: list[str]) -> None:
    with pytest.raises(CustomMetricError) as error:
        checked_metric(code, FIELDS, "binary", LABELLED)
    assert error.value.faults == [f"line {fault}" for fault in faults]


def test_a_checked_code_is_bound() -> None:
    code = 'sum(column="age") / count()'
    assert checked_metric(code, FIELDS, "binary", LABELLED) == bind(
        parse_metric(code), FIELDS, "binary", LABELLED
    )

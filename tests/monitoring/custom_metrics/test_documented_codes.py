"""The examples of the platform's documentation, computed from states, against numpy on the same rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from aporia_provider.monitoring.custom_metrics import CustomMetricError
from aporia_provider.monitoring.custom_metrics.metric_functions import FUNCTIONS
from tests.monitoring.custom_metrics.stored_rows import StoredRows

pytestmark = pytest.mark.fast

EXACT = dict.fromkeys(("rel", "abs"), 1e-9)
ROWS = 400
RANDOM = np.random.default_rng(7)

AGE = RANDOM.integers(18, 90, ROWS).astype(float)
PREMIUM = RANDOM.lognormal(10, 1, ROWS)
VINTAGE = RANDOM.integers(0, 300, ROWS).astype(float)
LICENSE = RANDOM.random(ROWS) < 0.8
REGION = RANDOM.integers(26, 30, ROWS).astype(float)
GAPS = RANDOM.random(ROWS) < 0.1
PLAN = RANDOM.choice(["gold", "silver", "bronze"], ROWS)
PROBA = np.round(RANDOM.random(ROWS), 3)
SAID = PROBA > 0.4
BOUGHT = RANDOM.random(ROWS) < PROBA
COMMENT = ["x" * int(size) for size in RANDOM.integers(0, 30, ROWS)]
BASKET = [["item"] * int(size) for size in RANDOM.integers(0, 6, ROWS)]

GAPPED = pa.array(PREMIUM, mask=GAPS)
INSURANCE = StoredRows(
    "binary",
    {
        "features.annual_premium": "numeric",
        "features.Annual_Premium": "numeric",
        "features.age": "numeric",
        "features.Age": "numeric",
        "features.Vintage": "numeric",
        "features.Driving_License": "boolean",
        "features.gapped": "numeric",
        "features.plan": "categorical",
        "features.comment": "text",
        "features.basket": "array",
        "raw_inputs.Age": "numeric",
        "raw_inputs.Region_Code": "numeric",
        "predictions.proba": "numeric",
        "predictions.will_buy_insurance": "boolean",
        "labels.proba": "boolean",
        "labels.will_buy_insurance": "boolean",
    },
    {
        "features.annual_premium": pa.array(PREMIUM),
        "features.Annual_Premium": pa.array(PREMIUM),
        "features.age": pa.array(AGE),
        "features.Age": pa.array(AGE),
        "features.Vintage": pa.array(VINTAGE),
        "features.Driving_License": pa.array(LICENSE),
        "features.gapped": GAPPED,
        "features.plan": pa.array(PLAN),
        "features.comment": pa.array(COMMENT),
        "features.basket": pa.array(BASKET),
        "raw_inputs.Age": pa.array(AGE),
        "raw_inputs.Region_Code": pa.array(REGION),
        "predictions.proba": pa.array(PROBA),
        "predictions.will_buy_insurance": pa.array(SAID),
        "labels.proba": pa.array(BOUGHT),
        "labels.will_buy_insurance": pa.array(BOUGHT),
    },
    {
        "age > 70": AGE > 70,
        "features.Age > 27": AGE > 27,
        "features.Driving_License = true": LICENSE,
        "raw_inputs.Age <= 35 and raw_inputs.Region_Code = 28": (AGE <= 35) & (REGION == 28),
        "plan = 'gold'": PLAN == "gold",
    },
)
TRUE = RANDOM.normal(100, 15, ROWS)
GUESS = TRUE + RANDOM.normal(2, 8, ROWS)
PRICES = StoredRows(
    "regression",
    {"predictions.prediction": "numeric", "labels.prediction": "numeric"},
    {"predictions.prediction": pa.array(GUESS), "labels.prediction": pa.array(TRUE)},
)
SHOWN = RANDOM.random((ROWS, 8))
VIEWED = RANDOM.integers(0, 2, (ROWS, 8))
VIEWED[:, 0] = 1
VIEWS = StoredRows(
    "ranking",
    {"predictions.p_views": "array", "labels.p_views": "array"},
    {"predictions.p_views": pa.array(SHOWN.tolist()), "labels.p_views": pa.array(VIEWED.tolist())},
)

R_SQUARED = """\
// R-squared - Expanding brackets to use available aggregations
rss = squared_error_sum(column="prediction")
tss = squared_sum(column="actual") - 2*mean(column="actual")*sum(column="actual") + \
column_count(column="actual")*(mean(column="actual")**2)
1 - rss/tss
"""


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (
            '// Average annual premium\nsum(column="annual_premium") / count()',
            PREMIUM.sum() / ROWS,
        ),
        ('mean(column="proba")', PROBA.mean()),
        (
            '5 * tp_count(column="will_buy_insurance") -2 * fp_count(column="will_buy_insurance")',
            5 * (SAID & BOUGHT).sum() - 2 * (SAID & ~BOUGHT).sum(),
        ),
        ('accuracy(column="proba", type="numeric", threshold=0.2)', ((PROBA >= 0.2) == BOUGHT).mean()),
        (
            'sum(column="annual_premium", filter="age > 70") / sum(column="annual_premium")',
            PREMIUM[AGE > 70].sum() / PREMIUM.sum(),
        ),
        (
            "sum(features.Annual_Premium[features.Driving_License == True]) / prediction_count()",
            PREMIUM[LICENSE].sum() / ROWS,
        ),
        (
            "// Three time number of prediction of those who are under 35 years old and live in CA\n"
            "prediction_count(raw_inputs.Age <= 35 and raw_inputs.Region_Code == 28) * 3",
            3 * ((AGE <= 35) & (REGION == 28)).sum(),
        ),
        (
            "prediction_count(features.Age > 27) / (sum(features.Annual_Premium) + sum(features.Vintage))",
            (AGE > 27).sum() / (PREMIUM.sum() + VINTAGE.sum()),
        ),
    ],
    ids=range(8),
)
def test_examples_of_binary_models(code: str, number: float) -> None:
    assert INSURANCE.value_of(code) == pytest.approx(number, **EXACT)


def test_the_coefficient_of_determination_from_sums() -> None:
    number = 1 - ((GUESS - TRUE) ** 2).sum() / ((TRUE - TRUE.mean()) ** 2).sum()
    # The example names the column of the labels.
    found = PRICES.value_of(R_SQUARED, {"prediction": "actual"})
    assert found == pytest.approx(number, **EXACT)
    assert found == pytest.approx(PRICES.value_of('r2(column="prediction")'), **EXACT)


def test_the_example_of_ranking() -> None:
    number = metrics.ndcg_score(VIEWED, SHOWN, k=4, ignore_ties=True)
    assert VIEWS.value_of('ndcg_at_k(column="p_views", k=4)') == pytest.approx(number, **EXACT)
    assert VIEWS.value_of("ndcg(predictions.p_views, actuals.p_views, rank=4)") == pytest.approx(number)


GAPLESS = PREMIUM[~GAPS]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ('column_count(column="gapped")', len(GAPLESS)),
        ('missing_count(column="gapped")', GAPS.sum()),
        ('missing_ratio(column="gapped")', GAPS.mean()),
        ('sum(column="gapped")', GAPLESS.sum()),
        ('absolute_sum(column="gapped")', np.abs(GAPLESS).sum()),
        ('squared_sum(column="gapped")', (GAPLESS**2).sum()),
        ('squared_deviation_sum(column="gapped")', ((GAPLESS - GAPLESS.mean()) ** 2).sum()),
        ('variance(column="gapped")', GAPLESS.var(ddof=1)),
        ("std(features.gapped)", GAPLESS.std()),
        ('min(column="gapped")', GAPLESS.min()),
        ('max(column="gapped")', GAPLESS.max()),
        ('min_length(column="comment")', min(map(len, COMMENT))),
        ('max_length(column="comment")', max(map(len, COMMENT))),
        ('mean_length(column="comment")', np.mean([len(text) for text in COMMENT])),
        ('mean_length(column="basket")', np.mean([len(items) for items in BASKET])),
        ('value_count(column="plan", value="gold")', (PLAN == "gold").sum()),
        ('value_count(column="Driving_License", value=True)', LICENSE.sum()),
        ('value_percentage(features.plan, value="gold")', (PLAN == "gold").mean()),
        ("unique_count(features.plan)", 3),
        ("not_missing_count(features.gapped)", len(GAPLESS)),
        ('recall(column="proba", threshold=0.2)', metrics.recall_score(BOUGHT, PROBA >= 0.2)),
        ('precision(column="proba", threshold=0.2)', metrics.precision_score(BOUGHT, PROBA >= 0.2)),
        ('f1(column="will_buy_insurance")', metrics.f1_score(BOUGHT, SAID)),
        ('tn_count(column="will_buy_insurance")', (~SAID & ~BOUGHT).sum()),
        ('fn_count(column="will_buy_insurance")', (~SAID & BOUGHT).sum()),
        (
            "miss_rate(prediction=predictions.proba, label=actuals.proba, threshold=0.2)",
            1 - metrics.recall_score(BOUGHT, PROBA >= 0.2),
        ),
    ],
)
def test_functions(code: str, number: float) -> None:
    assert INSURANCE.value_of(code) == pytest.approx(number, **EXACT)


def test_a_prediction_is_not_named_if_it_is_the_only_one() -> None:
    assert PRICES.value_of("actuals_count()") == ROWS
    with pytest.raises(CustomMetricError, match="column has to name a prediction with labels; there are"):
        INSURANCE.value_of("actuals_count()")


def test_functions_of_classes() -> None:
    said = np.where(RANDOM.random(ROWS) < 0.7, PLAN, "gold")
    classes = StoredRows(
        "multiclass",
        {"predictions.plan": "categorical", "labels.plan": "categorical"},
        {"predictions.plan": pa.array(said), "labels.plan": pa.array(PLAN)},
    )
    gold = said == "gold"
    for code, number in {
        'tp_count_per_class(column="plan", class_name="gold")': (gold & (PLAN == "gold")).sum(),
        'precision_per_class(column="plan", class_name="gold")': (PLAN[gold] == "gold").mean(),
        'recall(column="plan", method="weighted")': metrics.recall_score(PLAN, said, average="weighted"),
        'f1_score(column="plan", average="macro")': metrics.f1_score(PLAN, said, average="macro"),
        'accuracy(column="plan", method="micro")': (said == PLAN).mean(),
    }.items():
        assert classes.value_of(code) == pytest.approx(number, **EXACT), code


def test_approximate_functions() -> None:
    assert INSURANCE.value_of('median(column="gapped")') == pytest.approx(np.median(GAPLESS), rel=0.05)
    area = metrics.roc_auc_score(BOUGHT, PROBA)
    assert INSURANCE.value_of('auc_roc(column="proba")') == pytest.approx(area, abs=2e-3)


@pytest.mark.slow
def test_functions_of_regression() -> None:
    errors = GUESS - TRUE
    for name, number in {
        "absolute_error_sum": np.abs(errors).sum(),
        "squared_error_sum": (errors**2).sum(),
        "mae": np.abs(errors).mean(),
        "mse": (errors**2).mean(),
        "rmse": np.sqrt((errors**2).mean()),
        "mape": np.abs(errors / TRUE).mean(),
        "wape": np.abs(errors).sum() / np.abs(TRUE).sum(),
    }.items():
        assert PRICES.value_of(f'{name}(column="prediction")') == pytest.approx(number, **EXACT), name
        assert PRICES.value_of(f"{name}(predictions.prediction, actuals.prediction)") == pytest.approx(number)


def test_every_documented_function_is_known() -> None:
    documented = (
        "count column_count missing_count missing_ratio sum absolute_sum squared_sum squared_deviation_sum "
        "variance mean median min max min_length max_length mean_length value_count absolute_error_sum "
        "squared_error_sum mae mse rmse accuracy precision recall f1 tp_count tn_count fp_count "
        "fn_count auc_roc "
        "accuracy_per_class precision_per_class recall_per_class f1_per_class tp_count_per_class "
        "tn_count_per_class fp_count_per_class fn_count_per_class accuracy_at_k map_at_k mrr_at_k ndcg_at_k "
        "precision_at_k recall_at_k "
        # Those of version 1.
        "actuals_count actuals_ratio f1_score fp_rate logloss mape miss_rate ndcg not_missing_count "
        "precision_score recall_score specificity std unique_count value_percentage wape prediction_count"
    )
    assert set(documented.split()) - set(FUNCTIONS) == set()

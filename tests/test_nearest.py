"""The name that was probably meant."""

from __future__ import annotations

import pytest

from aporia_provider.nearest import nearest


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("amont", "amount"),
        ("chrun", "churn"),
        ("Lable", "label"),
        ("amount_usd", "amount"),
        ("proba", "probability"),
        ("auc", "auc_roc"),
        ("xx", "x"),
        ("2026-10-01", "2026-11-01"),
    ],
)
def test_names_that_are_alike(written: str, meant: str) -> None:
    assert nearest(written, ["zzz", meant]) == f"did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("ts", "at"),
        ("country", "currency"),
        ("sepal_length", "petal_width"),
        ("v2", "v1"),
        ("rmse", "f1_score"),
        ("timestamp", "at"),
    ],
)
def test_names_that_are_nothing_alike(written: str, there: str) -> None:
    assert nearest(written, [there]) == f"there are {there!r}"


def test_no_names() -> None:
    assert nearest("a", []) == "there are none"

"""The view of a field shows the distributions of its rows, and which bins their distance is due to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from aporia_provider.backend.page.contents import bin_lines
from aporia_provider.backend.page.contents.field_page import FieldPage, field_page
from aporia_provider.errors import NotFoundError, ValidationError
from tests.backend.monitors.monitored_model import (
    BINS,
    MonitoredModel,
    categories,
    on,
    usual,
)
from tests.backend.page.drawn_model import DAYS, DRIFTED, TRAINING, rows_of

BOUNDARIES = BINS["features.age"].boundaries
DRIFTED_DAY = on(DRIFTED).date().isoformat()


def page(model: MonitoredModel, field: str = "features.age", version: str = "v2", **given: Any) -> FieldPage:
    return field_page(model.registry, "m", version, field, **given)


def binned(frame: pd.DataFrame) -> Any:
    places = np.searchsorted(BOUNDARIES, frame["age"].dropna(), "right")
    return np.bincount(places, minlength=len(BOUNDARIES) + 1)


def floored_psi(p: Any, q: Any) -> Any:
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return (q - p) * np.log(q / p)


def test_the_bins_of_a_day_beside_the_training_data(drawn: MonitoredModel) -> None:
    found = page(drawn, day=DRIFTED_DAY)
    now, before = binned(rows_of(DRIFTED)), binned(TRAINING)
    assert [line.current for line in found.bins] == now.tolist()
    assert [line.baseline for line in found.bins] == before.tolist()
    assert [line.current_share for line in found.bins] == pytest.approx(now / now.sum())
    assert [line.high for line in found.bins] == pytest.approx([*BOUNDARIES, None])
    assert [line.name for line in found.bins][:2] == ["below 9.9", "9.9 to 19.8"]
    assert (found.current.start, found.current.end) == (on(DRIFTED), on(DRIFTED + 1))
    assert (found.current.rows, found.current.missing) == (
        len(rows_of(DRIFTED)),
        rows_of(DRIFTED)["age"].isna().sum(),
    )
    assert (found.current.origin.table_version, found.baseline.origin.table_version) == (7, 3)
    assert (found.previous_day, found.next_day) == (on(DRIFTED - 1), on(DRIFTED + 1))
    assert (found.field.importance, found.versions) == (-3.0, ("v2", "v1"))


def test_contributions_of_bins_are_the_terms_of_the_distances(drawn: MonitoredModel) -> None:
    found = page(drawn, day=DRIFTED_DAY)
    p, q = (binned(frame) / frame["age"].notna().sum() for frame in (TRAINING, rows_of(DRIFTED)))
    distances = {each.name: each.measured.value for each in found.distances}
    psi, variation = floored_psi(p, q), np.abs(p - q) / 2
    assert distances["psi"] == pytest.approx(psi.sum())
    assert distances["total_variation"] == pytest.approx(variation.sum())
    assert [line.contributions["psi"] for line in found.bins] == pytest.approx(psi / psi.sum())
    assert [line.contributions["total_variation"] for line in found.bins] == pytest.approx(
        variation / variation.sum()
    )
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.nansum([p * np.log2(p / middle), q * np.log2(q / middle)], axis=0) / 2
    assert [line.contributions["js_distance"] for line in found.bins] == pytest.approx(
        divergence / divergence.sum()
    )
    assert distances["drift_score"] == pytest.approx(np.sqrt(divergence.sum()))
    assert distances["ks_distance"] == pytest.approx(np.abs(np.cumsum(p - q)).max(), abs=0.02)


def test_categories_with_a_new_value(drawn: MonitoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    found = page(drawn, "features.plan", day=DRIFTED_DAY)
    now, before = (frame["plan"].value_counts() for frame in (rows_of(DRIFTED), TRAINING))
    assert {line.name: (line.current, line.baseline) for line in found.bins} == {
        name: (now[name], before.get(name, 0)) for name in ("new", "basic", "gold")
    }
    assert found.bins[0].name == "new", "its contribution is the greatest"
    assert sum(line.contributions["hellinger_distance"] for line in found.bins) == pytest.approx(1)
    monkeypatch.setattr(bin_lines, "MOST_CATEGORIES", 1)
    first, others = page(drawn, "features.plan", day=DRIFTED_DAY).bins
    assert (first.name, others.name, others.members) == ("new", "other values", 2)
    assert (others.current, others.baseline) == (now["basic"] + now["gold"], before.sum())
    assert first.contributions["psi"] + others.contributions["psi"] == pytest.approx(1)


def test_two_days_and_two_versions_side_by_side(drawn: MonitoredModel) -> None:
    day, other = on(12).date().isoformat(), on(15).date().isoformat()
    days = page(drawn, day=day, compare=other)
    assert (days.baseline.origin.dataset_type, days.baseline.start) == ("serving", on(15))
    assert [line.baseline for line in days.bins] == binned(rows_of(15)).tolist()
    assert [line.current for line in days.bins] == binned(rows_of(12)).tolist()
    versions = page(drawn, compare="version:v1", days=30)
    assert versions.baseline.origin.model_version == "v1"
    assert versions.baseline.rows == sum(len(rows_of(each)) for each in range(20))
    assert versions.current.rows == sum(len(rows_of(each)) for each in range(10, DAYS))
    assert (versions.previous_day, versions.next_day) == (None, None)
    training = page(drawn, dataset="training", compare="version:v1")
    assert {each.measured.value for each in training.distances} == {0.0}


def test_statistics_by_day(drawn: MonitoredModel) -> None:
    series = {each.name: {point.day: point.measured for point in each.points} for each in page(drawn).series}
    assert list(series) == [
        "missing_ratio",
        "new_values",
        *(f"quantile {share}" for share in ("0.05", "0.25", "0.5", "0.75", "0.95")),
    ]
    for day in (10, DRIFTED):
        age = rows_of(day)["age"]
        assert series["missing_ratio"][on(day)].value == pytest.approx(age.isna().mean())
        assert series["quantile 0.5"][on(day)].value == pytest.approx(age.quantile(0.5), abs=1)
        assert series["quantile 0.95"][on(day)].value == pytest.approx(age.quantile(0.95), abs=1)
        # Bins extend from 0 to 99.
        assert series["new_values"][on(day)].value == pytest.approx((age.dropna() >= 99).mean())
    assert series["missing_ratio"][on(9)].value is None
    plans = {each.name: each.points for each in page(drawn, "features.plan").series}
    shares = {point.day: point.measured.value for point in plans["new_values"]}
    new = (rows_of(DRIFTED)["plan"] == "new").mean()
    assert [shares[on(day)] for day in (10, DRIFTED)] == pytest.approx([0, new])
    distinct = {point.day: point.measured.value for point in plans["unique_values"]}
    assert [distinct[on(day)] for day in (10, DRIFTED)] == [2, 3]


def test_vectors_have_a_distance_and_no_bins(model: MonitoredModel) -> None:
    found = page(model, "features.emb", "v1", day="2024-01-30")
    assert (found.bins, [each.name for each in found.distances]) == ((), ["drift_score"])
    assert found.distances[0].measured.value == pytest.approx(0)


def test_many_values_are_compared_by_hash_and_shown_together(model: MonitoredModel) -> None:
    many = {f"v{place}": 1 + place % 3 for place in range(3_000)}
    for role in ("training", "serving"):
        model.store({0: usual(plan=categories(**many, gold=500))}, role=role)
    found = page(model, "features.plan", "v1", day="2024-01-01")
    names = {line.name for line in found.bins}
    assert "gold" in names
    assert "other values" in names
    assert sum(line.current for line in found.bins) == sum(many.values()) + 500
    assert any("hashes" in note for note in found.notes)


def test_what_is_missing_is_told(model: MonitoredModel) -> None:
    (empty,) = page(model, version="v1", day="2025-01-01").missing
    assert empty.what == (
        "There is no serving data to show: the serving dataset of version v1 has no rows in this range."
    )
    (unknown,) = page(model, version="v1", compare="version:v9").missing
    assert "v9" in unknown.what
    (unconnected,) = page(model, version="v1", compare="testing").missing
    assert "testing dataset" in unconnected.what
    model.add_version("v2", features={"age": "categorical"})
    other = page(model, version="v2", compare="version:v1")
    assert [each.what for each in other.missing] == [
        "There is no serving data to show: the serving dataset of version v2 has no rows in this range."
    ]


def test_fields_of_another_type_cannot_be_compared(model: MonitoredModel) -> None:
    model.add_version("v2", features={"age": "categorical"})
    model.store({29: usual(age=categories(old=300))}, version="v2")
    found = page(model, version="v2", day="2024-01-30", compare="version:v1")
    assert found.bins == ()
    assert found.notes == ("The field has another type in the baseline and cannot be compared",)
    assert {each.measured.note for each in found.distances} == set(found.notes) | {
        "The field has another type in the baseline and cannot be compared"
    }


def test_what_does_not_exist_is_an_error(drawn: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match=r"no field 'features\.agee'; did you mean 'features\.age'"):
        page(drawn, "features.agee")
    with pytest.raises(NotFoundError, match="v9"):
        page(drawn, version="v9")
    faults = ({"day": "yesterday"}, {"compare": "yesterday"}, {"dataset": "live"}, {"day": "0000-01-01"})
    for given in faults:
        with pytest.raises(ValidationError, match=next(iter(given))):
            page(drawn, **given)

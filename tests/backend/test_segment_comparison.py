"""Comparisons of two terms of a segment, and of two versions in a term."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from aporia_provider.cli.main import main
from aporia_provider.errors import ValidationError
from aporia_provider.segments import Segment
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, outcomes
from tests.backend.stored_terms import store_terms

KEY = "performance.proba"
Z = 1.959963984540054
CELLS = {
    "a": (400, 100, 100, 400),
    "b": (390, 110, 100, 400),
    "c": (100, 100, 100, 700),
    "few": (8, 2, 2, 8),
    "none": (0, 0, 500, 500),
}
SEGMENT = Segment(name="plan", field="plan", values=[*CELLS])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[MonitoredModel]:
    with MonitoredModel(copied(migrated, tmp_path_factory.mktemp("terms")), "e") as found:
        found.add_version("v2")
        whole = {KEY: outcomes(900, 300, 300, 1500)}
        for version in ("v1", "v2"):
            found.store({0: whole}, part="performance", version=version)
        states = {0: {label: {KEY: outcomes(*cells)} for label, cells in CELLS.items()}}
        store_terms(found, SEGMENT, states)
        store_terms(found, SEGMENT, {0: {"a": {KEY: outcomes(300, 200, 200, 300)}}}, version="v2")
        yield found


@pytest.mark.slow
def test_rates_are_compared_with_their_intervals(model: MonitoredModel) -> None:
    found = model.registry.compare_segments("m", "recall", "plan", "c", "a", model_version="v1")
    assert (found.rate, found.reference_rate) == (0.5, 0.8)
    assert (found.samples, found.reference_samples) == (200, 500)
    assert found.ratio == pytest.approx(0.625)
    half = Z * math.sqrt(1 / 100 - 1 / 200 + 1 / 400 - 1 / 500)
    assert found.ratio_low == pytest.approx(0.625 * math.exp(-half))
    assert found.ratio_high == pytest.approx(0.625 * math.exp(half))
    assert found.difference == pytest.approx(-0.3)
    # Newcombe's method 10, from the bounds of Wilson's intervals.
    one, other = wilson(100, 200), wilson(400, 500)
    assert found.low == pytest.approx(-0.3 - math.hypot(0.5 - one[0], other[1] - 0.8))
    assert found.high == pytest.approx(-0.3 + math.hypot(one[1] - 0.5, 0.8 - other[0]))
    assert found.outcome == "fail"


def wilson(count: int, size: int) -> tuple[float, float]:
    share = count / size
    centre, weight = share + Z * Z / (2 * size), 1 + Z * Z / size
    half = Z * math.sqrt(share * (1 - share) / size + Z * Z / (4 * size * size))
    return (centre - half) / weight, (centre + half) / weight


@pytest.mark.parametrize(
    ("metric", "value", "reference", "outcome"),
    [
        ("positive_rate", "b", "a", "pass"),
        ("positive_rate", "c", "a", "fail"),
        ("positive_rate", "a", "c", "fail"),
        ("accuracy", "few", "a", "insufficient"),
        ("positive_rate", "none", "a", "fail"),
        ("positive_rate", "a", "none", "insufficient"),
        ("precision", "none", "a", "insufficient"),
    ],
)
def test_the_four_fifths_rule(
    model: MonitoredModel, metric: str, value: str, reference: str, outcome: str
) -> None:
    found = model.registry.compare_segments("m", metric, "plan", value, reference, model_version="v1")
    assert found.outcome == outcome
    assert (found.reason is None) == (outcome != "insufficient")
    if metric == "positive_rate" and value == "none":
        assert (found.ratio, found.ratio_low) == (0.0, 0.0)
    if reference == "none":
        assert "the rate of the reference is 0" in str(found.reason)


def test_what_cannot_be_compared_is_an_error(model: MonitoredModel) -> None:
    with pytest.raises(ValidationError, match="'auc_roc' is not a rate"):
        model.registry.compare_segments("m", "auc_roc", "plan", "a", "b")
    with pytest.raises(ValidationError, match="d"):
        model.registry.compare_segments("m", "recall", "plan", "a", "d")


@pytest.mark.slow
def test_the_command_prints_the_comparison(model: MonitoredModel, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--database-url", model.registry.database.url.render_as_string(), "--environment", "e"]
    given = ["--version", "v1", *where]
    assert main(["compare-segments", "m", "positive_rate", "plan", "b", "a", "--json", *given]) == 0
    assert json.loads(capsys.readouterr().out)["ratio"] == pytest.approx(1.0)
    assert main(["compare-segments", "m", "positive_rate", "plan", "c", "a", *given]) == 1
    assert "outcome\tfail\n" in capsys.readouterr().out


def test_versions_are_compared_in_a_term(model: MonitoredModel) -> None:
    compare = model.registry.compare_versions
    segment = {"id": "plan", "value": "a"}
    found = compare("m", "v1", "v2", "accuracy", 0.05, dataset_type="serving", segment=segment)
    assert (found.champion, found.challenger, found.outcome) == (0.8, 0.6, "fail")
    assert (found.champion_samples, found.segment) == (1000, segment)
    found = compare("m", "v1", "v2", "accuracy", 0.05, dataset_type="serving")
    assert (found.champion, found.challenger, found.segment) == (0.8, 0.8, None)

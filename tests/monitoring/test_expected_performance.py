"""Performance expected without labels: laws, scikit-learn, NannyML's published estimates, and coverage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.estimation.expected_metrics import METRICS, expect
from aporia_provider.monitoring.performance import Options, compute
from tests.monitoring.expected_samples import (
    BINARY,
    CAR_LOAN_THRESHOLD,
    Samples,
    car_loan,
    unlabelled,
)
from tests.sizes import sized

NAMES = ("accuracy", "precision", "recall", "f1", "auc_roc", "logloss", "brier")
WITH_THRESHOLD = ("accuracy", "precision", "recall", "f1")
COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(any)


def binned(scores: Any) -> Options:
    bins = ScoreBins.of(np.asarray(scores))
    assert bins is not None
    return Options(edges=bins.edges)


def parameters(name: str, threshold: float) -> dict[str, Any]:
    return {"minimum": 0} | ({"threshold": threshold} if name in WITH_THRESHOLD else {})


class TestLaws:
    @pytest.mark.slow
    @settings(max_examples=sized(60, 1_000))
    @given(
        scores=st.lists(st.floats(0, 1), min_size=1, max_size=12, unique=True),
        counts=st.lists(COUNTS, min_size=12, max_size=12),
        threshold=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        even=st.booleans(),
    )
    def test_expected_equals_realised_on_the_rows_of_the_calibration(
        self, scores: list[float], counts: list[tuple[int, int]], threshold: float, even: bool
    ) -> None:
        # Shares in the order of the scores are not pooled.
        ordered = sorted(counts[: len(scores)], key=lambda pair: pair[0] / sum(pair))
        rows, labels = [], []
        for score, (true, false) in zip(sorted(scores), ordered, strict=True):
            rows += [score] * (true + false)
            labels += [True] * true + [False] * false
        options = Options() if even else binned([0.0, 0.25, 0.5, 1.0, *scores])
        state = BINARY.of(pa.array(rows), pa.array(labels), options)
        # Scores in one bin share their labels, which changes the order of the pairs.
        bins = np.unique(np.searchsorted(np.arange(1001) / 1000, scores, side="right"))
        assume(not even or len(bins) == len(scores))
        for name in NAMES:
            found = expect(f"expected_{name}", state, state, parameters(name, threshold), 0)
            realised = compute(name, state, parameters(name, threshold)).number
            if realised is None:
                assert found.number is None
            else:
                assert found.number == pytest.approx(realised, rel=1e-12, abs=1e-12), name
                assert found.low - 1e-12 <= realised <= found.high + 1e-12
        for name in (*NAMES, "positives"):
            found = expect(f"expected_minus_realised_{name}", state, state, parameters(name, threshold), 0)
            assert found.number is None or found.number == pytest.approx(0, abs=1e-11)
            assert found.number is None or found.p_value == pytest.approx(1)

    @pytest.mark.slow
    def test_labels_of_the_rows_are_not_used(self) -> None:
        for past, state, known in Samples(0.3).states(np.random.default_rng(1), 2_000, 500, 0.2, 1):
            for name in NAMES:
                metric = f"expected_{name}"
                assert expect(metric, state, past) == expect(metric, known, past)
                assert expect(metric, state, past).samples == 500

    def test_states_add_up(self) -> None:
        options = Samples(0.3).options(np.random.default_rng(0))
        scores, labels = Samples(0.3).draw(np.random.default_rng(2), 300)
        half = np.arange(300) % 2 == 0
        known = pa.array([label if is_half else None for label, is_half in zip(labels, half, strict=True)])
        whole = BINARY.of(pa.array(scores), known, options)
        parts = BINARY.of(pa.array(scores[half]), pa.array(labels[half]), options) + unlabelled(
            scores[~half], options
        )
        assert whole == parts
        assert (whole.unlabelled.rows, sum(whole.unlabelled.counts)) == (150, 150)


class TestAgainstScikitLearn:
    def test_shares_are_those_of_isotonic_regression(self) -> None:
        random = np.random.default_rng(4)
        # The baseline has no labels at odd hundredths.
        past_scores = np.round(random.random(3_000) ** 2 * 50) / 50
        past_labels = random.random(3_000) < past_scores
        scores = np.round(random.random(1_000), 2)
        options = binned(np.arange(101) / 100)
        past = BINARY.of(pa.array(past_scores), pa.array(past_labels), options)
        fitted = IsotonicRegression(out_of_bounds="clip").fit(past_scores, past_labels)
        shares = fitted.predict(scores)
        predicted = scores >= 0.3
        tp, positives = shares[predicted].sum(), shares.sum()
        expected = {
            "accuracy": (tp + (1 - shares)[~predicted].sum()) / 1_000,
            "precision": tp / predicted.sum(),
            "recall": tp / positives,
            "f1": 2 * tp / (predicted.sum() + positives),
            "auc_roc": roc_auc_score(
                np.repeat([True, False], 1_000), np.tile(scores, 2), sample_weight=np.r_[shares, 1 - shares]
            ),
            "brier": np.mean(shares * (1 - scores) ** 2 + (1 - shares) * scores**2),
        }
        for name, number in expected.items():
            found = expect(f"expected_{name}", unlabelled(scores, options), past, parameters(name, 0.3))
            assert found.number == pytest.approx(number, abs=1e-10), name

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["auc_roc", "f1"])
    def test_the_interval_is_that_of_simulated_labels(self, name: str) -> None:
        """With many labels in the baseline, only the labels of the rows are random."""
        random = np.random.default_rng(5)
        past_scores = np.round(random.random(200_000), 1)
        past = BINARY.of(pa.array(past_scores), pa.array(random.random(200_000) < past_scores))
        scores = np.round(random.random(1_000), 1)
        found = expect(f"expected_{name}", unlabelled(scores, Options()), past)
        numbers = []
        for _ in range(400):
            labels = random.random(1_000) < scores
            tp = (labels & (scores >= 0.5)).sum()
            f1 = 2 * tp / (labels.sum() + (scores >= 0.5).sum())
            numbers.append(f1 if name == "f1" else roc_auc_score(labels, scores))
        half = 1.96 * np.std(numbers)
        assert (found.high - found.low) / 2 - found.bound == pytest.approx(half, rel=0.12)
        assert found.value == pytest.approx(np.mean(numbers), abs=0.002)


class TestPublishedEstimates:
    """NannyML's synthetic car loan data, whose labels at the same scores change after five chunks."""

    def test_estimates_are_those_of_nannyml(self) -> None:
        reference, chunks = car_loan()
        options = reference.options
        past = reference.state(options, labelled=True)
        assert len(chunks) == 10
        for chunk in chunks:
            state = chunk.state(options, labelled=False)
            for name, published in chunk.published.items():
                given = {"threshold": CAR_LOAN_THRESHOLD} if name in WITH_THRESHOLD else {}
                found = expect(f"expected_{name}", state, past, given)
                assert found.status == "ok"
                # Published with six digits.
                assert found.value == pytest.approx(published, abs=6e-7), name

    def test_the_interval_of_the_area_contains_the_realised_one(self) -> None:
        reference, chunks = car_loan()
        options = reference.options
        past = reference.state(options, labelled=True)
        for chunk in chunks:
            found = expect("expected_auc_roc", chunk.state(options, labelled=False), past)
            assert found.low <= roc_auc_score(chunk.labels, chunk.scores) <= found.high

    def test_a_changed_truth_is_found(self) -> None:
        reference, chunks = car_loan()
        options = reference.options
        past = reference.state(options, labelled=True)
        results = [
            expect("expected_minus_realised_positives", chunk.state(options, labelled=True), past)
            for chunk in chunks
        ]
        assert [result.p_value < 0.001 for result in results] == [False] * 5 + [True] * 5
        assert all(0.01 < result.value < 0.03 and result.low > 0 for result in results[5:])
        assert "the interval does not contain 0" in str(results[9].reason)


class TestReliability:
    def past(self, rows: int = 2_000, share: float = 0.3) -> Any:
        return BINARY.of(*map(pa.array, Samples(share).draw(np.random.default_rng(6), rows)))

    def test_scores_without_labels_in_the_baseline(self) -> None:
        random = np.random.default_rng(7)
        scores = np.concatenate([random.uniform(0, 0.3, 900), random.uniform(0.8, 1.0, 900)])
        past = BINARY.of(pa.array(scores), pa.array(random.random(1_800) < scores))
        state = unlabelled(np.r_[np.full(90, 0.1), np.full(10, 0.55)], Options())
        found = expect("expected_brier", state, past)
        assert (found.value, found.status) == (None, "insufficient_data")
        assert "10 of 100 rows have scores at which the baseline has no labels" in str(found.reason)
        beyond = unlabelled(np.r_[np.full(190, 0.1), np.full(10, 0.55)], Options())
        assert expect("expected_brier", beyond, past).status == "ok"

    def test_too_few_labels(self) -> None:
        state = unlabelled(np.linspace(0.05, 0.95, 200), Options())
        found = expect("expected_accuracy", state, self.past(900))
        assert (found.value, found.baseline_samples) == (None, 900)
        assert "only 900 labels in the baseline; 1000 are needed (set minimum_baseline=900" in str(
            found.reason
        )
        assert expect("expected_accuracy", state, self.past(900), {}, 900).status == "ok"
        rare = expect("expected_accuracy", state, self.past(1_200, 0.002))
        assert "labels of one class in the baseline; 10 are needed" in str(rare.reason)

    def test_too_few_rows(self) -> None:
        found = expect("expected_accuracy", unlabelled(np.full(40, 0.5), Options()), self.past())
        assert (found.value, found.shortage) == (None, (40, 100))

    def test_nothing_to_compute_from(self) -> None:
        state = unlabelled(np.full(40, 0.5), Options())
        assert expect("expected_f1", state, state).reason == "the baseline has no labels"
        assert expect("expected_f1", BINARY(), self.past()).status == "undefined"
        assert expect("expected_minus_realised_accuracy", state, self.past()).reason == "no row is labelled"

    def test_scores_that_are_not_probabilities(self) -> None:
        random = np.random.default_rng(8)
        scores = random.normal(0, 3, 2_000)
        options = binned(scores)
        past = BINARY.of(
            pa.array(scores), pa.array(random.random(2_000) < 1 / (1 + np.exp(-scores))), options
        )
        state = unlabelled(scores[:500], options)
        for name in ("logloss", "brier"):
            found = expect(f"expected_{name}", state, past)
            assert found.status == "undefined"
            assert "scores are not probabilities" in str(found.reason)
        with pytest.raises(ValidationError, match="no default threshold"):
            expect("expected_accuracy", state, past)
        assert expect("expected_accuracy", state, past, {"threshold": 0.0}).status == "ok"
        assert expect("expected_auc_roc", state, past).status == "ok"

    def test_decisions_are_calibrated_too(self) -> None:
        decisions, labels = np.repeat([True, False], 1_000), np.tile([True, True, True, False], 500)
        past = BINARY.of(pa.array(decisions), pa.array(labels ^ ~decisions))
        state = BINARY.of(pa.array([True] * 300 + [False] * 100), pa.nulls(400, pa.bool_()))
        assert expect("expected_accuracy", state, past).value == 0.75
        assert expect("expected_recall", state, past).value == pytest.approx(225 / 250)
        brier = expect("expected_brier", state, past)
        assert (brier.value, brier.bound) == pytest.approx((0.25, 0))
        assert expect("expected_auc_roc", state, past).bound == 0

    def test_a_threshold_within_a_bin_has_a_bound(self) -> None:
        edges = Options(edges=tuple(np.arange(51) / 50))
        scores, labels = Samples(0.5).draw(np.random.default_rng(9), 3_000)
        past = BINARY.of(pa.array(scores), pa.array(labels), edges)
        found = expect("expected_recall", unlabelled(scores, edges), past, {"threshold": 0.505})
        exact = expect("expected_recall", unlabelled(scores, edges), past, {"threshold": 0.5})
        assert found.value == exact.value
        assert exact.bound == 0 < found.bound < 0.02
        assert "computed at 0.5, the bin edge nearest to the threshold 0.505" in str(found.reason)

    def test_other_bins_than_those_of_the_baseline(self) -> None:
        random = np.random.default_rng(10)
        samples = Samples(0.4)
        scores, _ = samples.draw(random, 4_000)
        past = BINARY.of(*map(pa.array, samples.draw(random, 6_000)), samples.options(random))
        one, other = (
            expect("expected_f1", unlabelled(scores, options), past)
            for options in (Options(), binned(scores))
        )
        assert one.value == pytest.approx(other.value, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "threshold"), [(0.5, 0.5), (0.1, 0.2)])
def test_intervals_contain_the_realised_numbers(share: float, threshold: float) -> None:
    """Between 93 and 97 % of intervals, and what chance allows in addition, with shifted scores."""
    count = sized(40, 1_000)
    hits = dict.fromkeys(NAMES, 0)
    alarms = 0
    for past, state, known in Samples(share).states(np.random.default_rng(11), 10_000, 2_000, 0.5, count):
        for name in NAMES:
            given = {"threshold": threshold} if name in WITH_THRESHOLD else {}
            found = expect(f"expected_{name}", state, past, given)
            hits[name] += found.low <= compute(name, known, given).value <= found.high
        alarms += expect("expected_minus_realised_positives", known, past).p_value < 0.05
    chance = 2.58 * math.sqrt(0.05 * 0.95 / count)
    assert {
        name: hit / count for name, hit in hits.items() if not abs(hit / count - 0.95) <= 0.02 + chance
    } == {}
    assert alarms / count <= 0.07 + chance


def test_all_metrics_are_for_binary_models() -> None:
    assert {metric.types for metric in METRICS.values()} == {("binary",)}
    assert {f"expected_{name}" for name in NAMES} < set(METRICS)

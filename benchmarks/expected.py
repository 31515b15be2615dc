"""
Performance before labels: the estimates of NannyML and ours on its data, and the coverage of intervals.

Run ``python -m benchmarks.expected``. The published estimates are those of NannyML's tutorial *Estimating
Standard Performance Metrics - Binary Classification*, for ten chunks of its synthetic car loan data.
``--write`` makes ``tests/monitoring/car_loan.json`` from the data in the installed package (Apache License
2.0): run ``make bench`` first, which installs it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import csv

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.estimation.expected_metrics import expect
from aporia_provider.monitoring.performance import compute
from tests.monitoring.expected_samples import CAR_LOAN, CAR_LOAN_THRESHOLD, Samples, car_loan

_DATA = "lib/python*/site-packages/nannyml/datasets/data"
_ENVIRONMENT = Path(__file__).parent.parent / ".venv-peers" / "nannyml"
_CHUNK = 5_000
_CREDIT = (
    "Counts by score (0.00 to 1.00) of the synthetic car loan data of NannyML "
    "(https://github.com/NannyML/nannyml, Apache License 2.0), and the estimates in its tutorial."
)
_PUBLISHED = {
    "auc_roc": "0.970744 0.971011 0.971407 0.971091 0.971123 0.96109 0.961825 0.961073 0.962533 0.961316",
    "accuracy": "0.941792 0.943321 0.945492 0.944816 0.944645 0.910714 0.911149 0.911193 0.914389 0.911731",
    "f1": "0.94303 0.941324 0.943574 0.943159 0.944204 0.911753 0.911766 0.911661 0.913763 0.914751",
}
_NANNYML_AUC_ERROR = 0.00181072
"""The sampling error of the area that the tutorial prints for all chunks."""
_METRICS = ("accuracy", "precision", "recall", "f1", "auc_roc", "logloss", "brier")
_WITH_THRESHOLD = ("accuracy", "precision", "recall", "f1")


def write() -> None:
    """Write the counts of NannyML's data and its published estimates."""
    folder = next(_ENVIRONMENT.glob(_DATA), None)
    if folder is None:
        raise SystemExit(f"{_ENVIRONMENT} does not exist: run make bench, which creates it")
    reference, analysis, target = (
        csv.read_csv(folder / f"synthetic_car_loan_{name}.csv")
        for name in ("reference", "analysis", "analysis_target")
    )
    labels = dict(zip(target["id"].to_pylist(), target["repaid"].to_pylist(), strict=True))
    realised = np.array([labels[id_] for id_ in analysis["id"].to_pylist()])
    scores = analysis["y_pred_proba"].to_numpy()
    for rows in (reference, analysis):
        same = (rows["y_pred_proba"].to_numpy() >= CAR_LOAN_THRESHOLD) == (rows["y_pred"].to_numpy() == 1)
        if not same.all():
            raise SystemExit(f"NannyML does not decide at {CAR_LOAN_THRESHOLD}")
    published = {name: list(map(float, numbers.split())) for name, numbers in _PUBLISHED.items()}
    chunks = [
        {
            **_counts(scores[start : start + _CHUNK], realised[start : start + _CHUNK]),
            "published": {name: numbers[start // _CHUNK] for name, numbers in published.items()},
        }
        for start in range(0, len(scores), _CHUNK)
    ]
    first = _counts(reference["y_pred_proba"].to_numpy(), reference["repaid"].to_numpy())
    lines = [f'"credit": {json.dumps(_CREDIT)}', f'"reference": {json.dumps(first)}']
    listed = ",\n".join(map(json.dumps, chunks))
    CAR_LOAN.write_text("{\n" + ",\n".join([*lines, f'"chunks": [\n{listed}\n]']) + "\n}\n")


def _counts(scores: Any, labels: Any) -> dict[str, list[int]]:
    places = np.rint(scores * 100).astype(np.int64)
    if np.abs(places / 100 - scores).max() > 0:
        raise SystemExit("the scores are not multiples of 0.01")
    sides = {"positives": labels == 1, "negatives": labels == 0}
    return {name: np.bincount(places[side], minlength=101).tolist() for name, side in sides.items()}


def compare() -> None:
    """Print the estimates, and how often intervals contain the realised numbers."""
    reference, chunks = car_loan()
    options = reference.options
    past = reference.state(options, labelled=True)
    hits = dict.fromkeys((*_METRICS, "NannyML's auc_roc"), 0)
    greatest = dict.fromkeys(_PUBLISHED, 0.0)
    for chunk in chunks:
        state, known = (chunk.state(options, labelled=labelled) for labelled in (False, True))
        for name in _METRICS:
            given = {"threshold": CAR_LOAN_THRESHOLD} if name in _WITH_THRESHOLD else {}
            found, realised = (
                expect(f"expected_{name}", state, past, given),
                compute(name, known, given).value,
            )
            hits[name] += _contains(found, realised)
            if name in greatest:
                greatest[name] = max(greatest[name], abs(found.value - chunk.published[name]))
            if name == "auc_roc":
                apart = abs(chunk.published[name] - realised)
                hits["NannyML's auc_roc"] += apart <= 1.959964 * _NANNYML_AUC_ERROR
    for name, difference in greatest.items():
        print(f"{name:10} greatest difference from the published estimates {difference:.1e}")
    for name, count in hits.items():
        print(f"{name:20} interval contains the realised number in {count} of {len(chunks)} chunks")


def simulate(samples: int) -> None:
    """Print the coverage of intervals at a confidence of 95 %, for 2,000 rows."""
    print(f"{'positive':>8} {'labels':>7} {'shift':>6} " + " ".join(f"{name:>9}" for name in _METRICS))
    for share, threshold in ((0.5, 0.5), (0.1, 0.2)):
        for labels in (1_000, 5_000, 20_000):
            for shift in (0.0, 0.5):
                hits = dict.fromkeys(_METRICS, 0)
                random = np.random.default_rng(3)
                for past, state, known in Samples(share).states(random, labels, 2_000, shift, samples):
                    for name in _METRICS:
                        given = {"threshold": threshold} if name in _WITH_THRESHOLD else {}
                        found = expect(f"expected_{name}", state, past, given)
                        hits[name] += _contains(found, compute(name, known, given).value)
                shown = " ".join(f"{count / samples:9.1%}" for count in hits.values())
                print(f"{share:8} {labels:7,} {shift:6} {shown}", flush=True)


def _contains(found: MetricResult, number: float) -> bool:
    return bool(float(found.low or 0) <= number <= float(found.high or 0))


def main() -> None:
    parser = argparse.ArgumentParser(description="Performance before labels.")
    parser.add_argument("--samples", type=int, default=200, help="size of the simulation")
    parser.add_argument("--write", action="store_true", help="make the data of the tests")
    options = parser.parse_args()
    if options.write:
        write()
    compare()
    simulate(options.samples)


if __name__ == "__main__":
    main()

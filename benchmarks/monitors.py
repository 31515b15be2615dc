"""
Duration of the evaluation of 100 monitors of a model with 100 fields, after a commit of one day.

The monitors are of ten kinds with ten limits each. The first evaluation judges the latest day; then, a day is
added, and only that day is judged; then, nothing has changed. It fails if the second one takes more processor
time than is wanted. Run from the root of the project::

    python -m benchmarks.monitors [FIELDS] [MONITORS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aporia_provider.monitoring.profiles.plan import ROWS
from benchmarks.measuring import load
from tests.backend.monitors.monitored_model import MonitoredModel, configuration, numbers, rows

DAYS = 60
WANTED = 2.0
"""Processor time of 100 monitors of 100 fields."""
TWO_WEEKS, PARTS = {"skipPeriod": "1d"}, {"skipPeriod": "1d", "aggregationPeriod": "1d"}
TRAINING = {"source": "TRAINING"}


def main(fields: int = 100, count: int = 100) -> None:
    """Print the durations."""
    names = [f"f{number}" for number in range(fields)]
    with (
        tempfile.TemporaryDirectory() as folder,
        MonitoredModel(
            f"sqlite:///{Path(folder)}/a.db", "e", features=dict.fromkeys(names, "numeric")
        ) as model,
    ):
        rng = np.random.default_rng(0)

        def day() -> dict[str, Any]:
            states = {f"features.{name}": numbers(rng.integers(0, 100, 1000)) for name in names}
            return {ROWS: rows(1000), **states}

        model.store({number: day() for number in range(DAYS)})
        model.store({number: day() for number in range(10)}, role="training")
        for number, (type_, given) in zip(range(count), monitors(names), strict=False):
            model.monitor(type_, given, f"monitor {number}")
        measure("first evaluation", model, DAYS)
        model.store({DAYS: day()})
        seconds = measure("after a commit of one day", model, DAYS + 1)
        measure("nothing has changed", model, DAYS + 1)
    print(f"wanted: {WANTED:g} s of CPU after a commit of one day; {load()}")
    raise SystemExit(seconds > WANTED)


def monitors(names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield types and configurations of monitors."""
    while True:
        for limit in range(1, 11):
            yield from kinds(names, limit)


def kinds(names: list[str], limit: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a type and configuration of each kind."""
    ratio = {"name": "RATIO", "min": 0.01, "max": 100.0 * limit}
    score = {"name": "APORIA_DRIFT_SCORE", "thresholds": {"numeric": 0.1 * limit}}
    anomaly = {"name": "TIME_SERIES_ANOMALY", "sensitivity": 0.1 * limit}
    values = {"name": "VALUES_RANGE", "distance": float(limit)}
    yield "model_activity", configuration("count", ratio, baseline=TWO_WEEKS)
    yield (
        "missing_values",
        configuration("missing_ratio", {"name": "RANGE", "max": 0.1 * limit}, features=names),
    )
    yield "missing_values", configuration("missing_ratio", anomaly, baseline=PARTS, features=names)
    yield "data_drift", configuration("histogram", score, baseline=TWO_WEEKS, features=names)
    yield "data_drift", configuration("histogram", score, baseline=TRAINING, features=names)
    yield "data_drift", configuration("psi", score, baseline=TRAINING, features=names)
    yield "metric_change", configuration("mean", ratio, baseline=TWO_WEEKS, features=names)
    yield "metric_change", configuration("max", {"name": "RANGE", "max": 100.0 * limit}, features=names)
    yield "values_range", configuration("min_max", values, baseline=TRAINING, features=names)
    by_history = {"name": "APORIA_DRIFT_SCORE", "falseAlarmsAYear": float(limit)}
    yield "data_drift", configuration("histogram", by_history, features=names)


def measure(name: str, model: MonitoredModel, day: int) -> float:
    """Evaluate the monitors, and print how long it took; return the processor time."""
    began, cpu = time.perf_counter(), time.process_time()
    report = model.evaluate(day)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    counts = f"{report['windows']} windows and {sum(report['verdicts'].values())} verdicts"
    print(f"{name}: {seconds:.2f} s ({cpu:.2f} s of CPU) for {counts}")
    return cpu


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

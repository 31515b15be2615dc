"""
Univariate drift of all columns by NannyML.

``with_nannyml.py MODE REFERENCE ANALYSIS EDGES`` prints the seconds of fitting and of calculating by day as
JSON. The mode is ``default`` (Jensen-Shannon), ``cheapest`` (Kolmogorov-Smirnov for numbers, chi-squared
for categories) or ``both``.

``with_nannyml.py values REFERENCE ANALYSIS CHUNK CATEGORIES`` prints the distances of each column in each
chunk of ``CHUNK`` rows, and the bin edges of NannyML. The categories are names separated by commas.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import pandas as pd
from nannyml import UnivariateDriftCalculator

JS, KS = "jensen_shannon", "kolmogorov_smirnov"
NOT_PROFILED = ("id", "at")


METHODS = {"default": ([JS], [JS]), "cheapest": ([KS], ["chi2"]), "both": ([JS, KS], [JS, "chi2"])}
"""Methods for numbers and for categories."""


def speed(mode: str, reference: pd.DataFrame, analysis: pd.DataFrame) -> float:
    """Return the seconds of fitting and of calculating by day."""
    numeric, categorical = METHODS[mode]
    begin = time.perf_counter()
    calculator = UnivariateDriftCalculator(
        column_names=_columns(analysis),
        timestamp_column_name="at",
        chunk_period="D",
        continuous_methods=numeric,
        categorical_methods=categorical,
    ).fit(reference)
    calculator.calculate(analysis).to_df()
    return time.perf_counter() - begin


def values(
    reference: pd.DataFrame, analysis: pd.DataFrame, chunk: int, categories: list[str]
) -> dict[str, Any]:
    columns = _columns(analysis)
    made = UnivariateDriftCalculator(
        column_names=columns,
        treat_as_categorical=categories,
        treat_as_numerical=[name for name in columns if name not in categories],
        chunk_size=chunk,
        continuous_methods=[JS, KS],
        categorical_methods=[JS],
    ).fit(reference)
    found = made.calculate(analysis).filter(period="analysis").to_df()
    answer: dict[str, Any] = {}
    for column in columns:
        methods = [JS] if column in categories else [JS, KS]
        answer[column] = {name: [float(value) for value in found[column, name, "value"]] for name in methods}
        if column not in categories:
            answer[column]["edges"] = [float(edge) for edge in _edges(made, column)]
    return answer


def _columns(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name not in NOT_PROFILED]


def _edges(made: UnivariateDriftCalculator, column: str) -> Any:
    methods = made._column_to_models_mapping[column]
    return next(method._bins for method in methods if method.column_name == JS)


def main() -> None:
    reference, analysis = (pd.read_parquet(path) for path in sys.argv[2:4])
    if sys.argv[1] in METHODS:
        print(json.dumps(speed(sys.argv[1], reference, analysis)))
    else:
        print(json.dumps(values(reference, analysis, int(sys.argv[4]), sys.argv[5].split(","))))


if __name__ == "__main__":
    main()

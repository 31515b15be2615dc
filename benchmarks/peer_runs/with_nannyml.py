"""
NannyML's univariate drift of every column.

``with_nannyml.py speed REFERENCE ANALYSIS`` prints the seconds of fitting and of calculating by day, as JSON.
``with_nannyml.py values REFERENCE ANALYSIS CHUNK CATEGORIES`` prints the distances of each column in each
chunk of so many rows, and the edges that NannyML counts numbers on. The categories are names with commas
between them.
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
SHORT = {JS: "JS", KS: "KS", "chi2": "chi2"}
NOT_PROFILED = ("id", "at")


def speed(reference: pd.DataFrame, analysis: pd.DataFrame) -> dict[str, float]:
    taken = {}
    # The library's own choice, what is cheapest, and both.
    for numeric, categorical in (([JS], [JS]), ([KS], ["chi2"]), ([JS, KS], [JS, "chi2"])):
        begin = time.perf_counter()
        made = UnivariateDriftCalculator(
            column_names=_columns(analysis),
            timestamp_column_name="at",
            chunk_period="D",
            continuous_methods=numeric,
            categorical_methods=categorical,
        ).fit(reference)
        made.calculate(analysis).to_df()
        shown = "; ".join(" + ".join(SHORT[name] for name in names) for names in (numeric, categorical))
        taken[shown] = time.perf_counter() - begin
    return taken


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
    if sys.argv[1] == "speed":
        print(json.dumps(speed(reference, analysis)))
    else:
        print(json.dumps(values(reference, analysis, int(sys.argv[4]), sys.argv[5].split(","))))


if __name__ == "__main__":
    main()

"""Evidently's reports of every column: with_evidently.py REFERENCE ANALYSIS. Prints seconds as JSON."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset


def main() -> None:
    reference, analysis = (pd.read_parquet(path).drop(columns=["id", "at"]) for path in sys.argv[1:3])
    numbers = list(analysis.select_dtypes("number").columns)
    definition = DataDefinition(
        numerical_columns=numbers,
        categorical_columns=[name for name in analysis.columns if name not in numbers],
    )
    taken = {}
    for name, preset in (("DataDriftPreset", DataDriftPreset()), ("DataSummaryPreset", DataSummaryPreset())):
        begin = time.perf_counter()
        sides = [Dataset.from_pandas(rows, data_definition=definition) for rows in (analysis, reference)]
        Report([preset]).run(*sides).dict()
        taken[name] = time.perf_counter() - begin
    print(json.dumps(taken))


if __name__ == "__main__":
    main()

"""
Reports of all columns by Evidently.

``with_evidently.py MODE REFERENCE ANALYSIS EDGES`` prints the seconds as JSON. The mode is ``drift`` or
``summary``.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

PRESETS = {"drift": DataDriftPreset, "summary": DataSummaryPreset}


def main() -> None:
    reference, analysis = (pd.read_parquet(path).drop(columns=["id", "at"]) for path in sys.argv[2:4])
    numbers = list(analysis.select_dtypes("number").columns)
    definition = DataDefinition(
        numerical_columns=numbers,
        categorical_columns=[name for name in analysis.columns if name not in numbers],
    )
    begin = time.perf_counter()
    datasets = [Dataset.from_pandas(rows, data_definition=definition) for rows in (analysis, reference)]
    Report([PRESETS[sys.argv[1]]()]).run(*datasets).dict()
    print(json.dumps(time.perf_counter() - begin))


if __name__ == "__main__":
    main()

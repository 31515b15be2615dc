"""
Statistics of a Parquet file by whylogs.

``with_whylogs.py MODE REFERENCE ANALYSIS EDGES`` prints the seconds as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["WHYLOGS_NO_ANALYTICS"] = "True"

import pandas as pd
import whylogs as why


def main() -> None:
    analysis = pd.read_parquet(sys.argv[3]).drop(columns=["id", "at"])
    begin = time.perf_counter()
    view = why.log(analysis).view()
    statistics = view.to_pandas()
    end = time.perf_counter()
    assert set(statistics.index) == set(analysis.columns)
    print(json.dumps(end - begin))


if __name__ == "__main__":
    main()

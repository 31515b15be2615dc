"""
Statistics of a Parquet file by polars.

``with_polars.py MODE REFERENCE ANALYSIS EDGES`` prints the seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import polars as pl


def main() -> None:
    begin = time.perf_counter()
    statistics = pl.scan_parquet(sys.argv[3]).drop("id", "at").describe()
    end = time.perf_counter()
    assert statistics.height
    print(json.dumps(end - begin))


if __name__ == "__main__":
    main()

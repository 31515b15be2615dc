"""
Statistics of a Parquet file by DuckDB.

``with_duckdb.py MODE REFERENCE ANALYSIS EDGES`` prints the seconds as JSON. The mode ``summarize`` runs
``SUMMARIZE``; ``histograms`` counts each column by day, numbers on the edges in the JSON file ``EDGES``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

TIME = "at"


def histograms(file: str, edges: dict[str, list[float]], columns: list[str]) -> str:
    """Return a query that counts the values of each column by day."""
    counts = (
        f"histogram({name}, {edges[name]}::DOUBLE[])" if name in edges else f"histogram({name})"
        for name in columns
    )
    return f"SELECT date_trunc('day', {TIME}), {', '.join(counts)} FROM '{file}' GROUP BY 1"


def main() -> None:
    mode, _, file, edges_file = sys.argv[1:5]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (id, {TIME}) FROM '{file}'")
    columns = [row[0] for row in described.fetchall()]
    query = (
        f"SUMMARIZE SELECT * EXCLUDE (id, {TIME}) FROM '{file}'"
        if mode == "summarize"
        else histograms(file, json.loads(Path(edges_file).read_text()), columns)
    )
    begin = time.perf_counter()
    rows = connection.execute(query).fetchall()
    end = time.perf_counter()
    assert len(rows) >= 5
    print(json.dumps(end - begin))


if __name__ == "__main__":
    main()

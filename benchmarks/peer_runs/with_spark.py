"""
Statistics of a Parquet file by Apache Spark on two cores.

``with_spark.py MODE REFERENCE ANALYSIS EDGES`` prints the seconds of the second of two runs of ``summary()``
as JSON, since the first includes the compilation of the JVM.
"""

from __future__ import annotations

import json
import sys
import time

from pyspark.sql import SparkSession


def main() -> None:
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    rows = spark.read.parquet(sys.argv[3]).drop("id", "at")
    seconds = 0.0
    for _ in range(2):
        begin = time.perf_counter()
        assert rows.summary().collect()
        seconds = time.perf_counter() - begin
    spark.stop()
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()

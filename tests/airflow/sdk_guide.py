"""The platform's guide to Delta Lake as a script that runs, and a table that it is about."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from tests.airflow.running import START
from tests.conftest import S3

DIMENSIONS = 768
AMOUNTS = [None if number % 10 == 0 else float(number) for number in range(50)]
IMPORTS = "import aporia_provider.sdk as aporia\nfrom aporia_provider.sdk import S3DataSource\n"
SYNC = "apr_model.sync()\n"
METRICS = """
answers = {
    "count": apr_model.get_metric("count"),
    "missing_ratio": apr_model.get_metric("missing_ratio", column="amount"),
    "mean": apr_model.get_metric("mean", column="amount"),
}
"""
EXPECTED = {
    "count": len(AMOUNTS),
    "missing_ratio": AMOUNTS.count(None) / len(AMOUNTS),
    "mean": sum(amount for amount in AMOUNTS if amount is not None) / (len(AMOUNTS) - AMOUNTS.count(None)),
}


def guide(table_uri: str, model_id: str) -> str:
    """The guide's code: its two missing commas put in, and values in the place of its placeholders."""
    code = Path(__file__).with_name("sdk_guide.txt").read_text()
    for there, here in {
        '"binary"': '"binary",',
        '"s3://my-bucket/my-file.parquet"': f'"{table_uri}",',
        '["<SPARK_SQL>", ...]': '["*", "price AS amount"]',
        "{...}": '{"versionAsOf": "1"}',
    }.items():
        assert code.count(there) == 1, there
        code = code.replace(there, here)
    return IMPORTS + code.replace("<MODEL_ID>", model_id).replace("<MODEL_NAME>", "Insurance")


def write_predictions(s3: S3, name: str = "predictions") -> str:
    """Write 50 predictions in two commits, and a third commit that the guide's options do not read."""
    for numbers in (range(30), range(30, 50), range(50, 60)):
        write_deltalake(s3.uri(name), _rows(numbers), mode="append", storage_options=s3.delta_options)
    return s3.uri(name)


def _rows(numbers: range) -> pa.Table:
    times = [START + timedelta(hours=number) for number in numbers]
    return pa.table(
        {
            "prediction_id": [str(number) for number in numbers],
            "prediction_timestamp": pa.array(times, pa.timestamp("us", "UTC")),
            "raw_text": [f"text {number}" for number in numbers],
            "price": pa.array([AMOUNTS[number % 50] for number in numbers], pa.float64()),
            "owner": ["a"] * len(numbers),
            "is_new": [number % 2 == 0 for number in numbers],
            "embeddings": [[0.5] * DIMENSIONS] * len(numbers),
            "will_buy_insurance": [number % 3 == 0 for number in numbers],
            "proba": [number / 100 for number in numbers],
        }
    )

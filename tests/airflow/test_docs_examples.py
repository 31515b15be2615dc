"""The DAG whose tasks are the examples of the how-to guides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.airflow.running import START, run
from tests.conftest import S3

FILE = Path(__file__).parents[2] / "docs" / "examples" / "operators.py"
IDS = [f"id-{number}" for number in range(6)]
TIMES = pa.array([START] * len(IDS), pa.timestamp("us", "UTC"))
SERVING = {
    "id": IDS,
    "predicted_at": TIMES,
    "channel": ["web", "shop"] * 3,
    "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "will_buy": [True, False] * 3,
    "proba": [0.9, 0.1] * 3,
}
LABELS = {"bought": [True, True, False] * 2}
TABLES = {
    "serving": SERVING,
    "training": {**SERVING, **LABELS},
    "testing": {**SERVING, **LABELS},
    "actuals": {"id": IDS, "known_at": TIMES, **LABELS},
}


@pytest.mark.usefixtures("airflow_database", "registry")
def test_the_examples_of_the_how_to_guides_run(aws: S3) -> None:
    region = {"LocationConstraint": aws.delta_options["AWS_REGION"]}
    aws.client().create_bucket(Bucket="lake", CreateBucketConfiguration=region)
    for name, columns in TABLES.items():
        write_deltalake(f"s3://lake/insurance/{name}", pa.table(columns), storage_options=aws.delta_options)
    names: dict[str, Any] = {"__name__": "operators"}
    exec(compile(FILE.read_text(), FILE, "exec"), names)
    results = run(names["create_model"].dag)
    assert results["add_tags"] == {"team": "pricing", "stage": "production"}
    assert results["infer_version"]["fields"] == {"raw_inputs": 1, "features": 1, "predictions": 2}
    assert results["complete"]["datasets"] == ["actuals", "serving", "testing", "training"]
    assert (results["sync"]["changed"], results["sync"]["rows"]) == (True, len(IDS))
    assert results["grant_access"]["prefixes"] == ["s3://lake/insurance"]
    # The only other version has no serving data, so it does not count towards those that are kept.
    assert results["retire"]["retired"] == []
    assert results["delete_model"]["status"] == "deleted"

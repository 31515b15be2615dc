"""Ranking models: queries whose candidates have a row each, and queries in one row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import ndcg_score

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.metrics import MetricsQuery
from aporia_provider.schema import VersionSchema
from tests.backend.conftest import copied
from tests.backend.syncing import MODEL, VERSION, SyncedVersion, times

pytestmark = pytest.mark.process

QUERIES, CANDIDATES = 150, 5
BY_ROW = VersionSchema(
    model_type="ranking",
    features={"price": "numeric"},
    raw_inputs={"search": "string"},
    predictions={"relevance": "numeric", "shown": "boolean"},
    mapping={"batch_id_column_name": "search", "relevance_column_name": "relevance"},
)
BY_QUERY = VersionSchema(
    model_type="ranking", features={"price": "numeric"}, predictions={"relevance": "array"}
)


def made() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores and true relevances, a row for each query."""
    rng = np.random.default_rng(5)
    return rng.random((QUERIES, CANDIDATES)), rng.integers(0, 4, (QUERIES, CANDIDATES))


def ndcg(monitored: SyncedVersion, **more: Any) -> dict[str, Any]:
    data = {"dataset_type": "serving"}
    asked = {
        "metric": "ndcg_at_k",
        "parameters": {"k": 3, "gain": "linear", **more},
        "datasets": {"data": data},
    }
    (item,) = monitored.registry.query_metrics(
        MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked]})
    )
    answer: dict[str, Any] = item.metrics[0].to_json()
    return answer


@pytest.fixture
def ranked(tmp_path: Path, migrated: Path, engine: str, request: pytest.FixtureRequest) -> Any:
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        yield SyncedVersion(tmp_path, registry, engine).register(request.param)


@pytest.mark.parametrize("ranked", [BY_ROW], indirect=True)
def test_candidates_with_a_row_each_are_gathered_by_query(ranked: SyncedVersion) -> None:
    scores, relevances = made()
    order = np.random.default_rng(1).permutation(scores.size)
    count = scores.size
    serving = pa.table(
        {
            "id": [f"c{n}" for n in range(count)],
            "at": times([1.0 + n / count for n in range(count)]),
            "search": [f"q{n // CANDIDATES}" for n in range(count)],
            "price": np.ones(count),
            "relevance": scores.ravel(),
            "shown": np.ones(count, bool),
        }
    )
    labels = pa.table(
        {"id": serving["id"], "known": times([3.0] * count), "true": pa.array(relevances.ravel(), pa.int32())}
    )
    ranked.write("serving", serving.take(order))
    ranked.write("actuals", labels.slice(0, count - CANDIDATES))
    ranked.connect("serving")
    ranked.connect("actuals", labels={"relevance": "true", "shown": "true"})
    ranked.sync("serving")
    answer = ndcg(ranked)
    assert answer["error"] is None
    assert answer["value"] == pytest.approx(ndcg_score(relevances[:-1], scores[:-1], k=3), rel=1e-9)
    assert answer["samples"] == QUERIES - 1
    ranked.write("actuals", labels.slice(count - CANDIDATES))
    ranked.sync("actuals")
    assert ndcg(ranked)["value"] == pytest.approx(ndcg_score(relevances, scores, k=3), rel=1e-9)
    ranked.check()


@pytest.mark.parametrize("ranked", [BY_QUERY], indirect=True)
def test_queries_in_one_row_are_ranked_by_their_scores(ranked: SyncedVersion) -> None:
    scores, relevances = made()
    ids = [f"q{n}" for n in range(QUERIES)]
    ranked.write(
        "serving",
        pa.table(
            {
                "id": ids,
                "at": times([1.0] * QUERIES),
                "price": np.ones(QUERIES),
                "relevance": pa.array(list(scores), pa.list_(pa.float64())),
            }
        ),
    )
    ranked.write(
        "actuals",
        pa.table(
            {
                "id": ids,
                "known": times([2.0] * QUERIES),
                "true": pa.array(list(relevances), pa.list_(pa.int64())),
            }
        ),
    )
    ranked.connect("serving")
    ranked.connect("actuals", labels={"relevance": "true"})
    ranked.sync("serving")
    assert ndcg(ranked)["value"] == pytest.approx(ndcg_score(relevances, scores, k=3), rel=1e-9)
    assert VERSION in ranked.registry.get_model_versions(MODEL)[0]["name"]
    ranked.check()

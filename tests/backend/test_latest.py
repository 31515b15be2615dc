"""Which version answers a question that names none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model
from tests.backend.syncing import MODEL, SCHEMA, served

pytestmark = pytest.mark.process

CENTURY = (datetime(2100, 1, 1, tzinfo=UTC) - datetime(2023, 12, 31, tzinfo=UTC)).days
"""The first day of 2100, counted from the first of January 2024."""


@dataclass
class Versions:
    """A model whose versions are told apart by how many predictions they made."""

    folder: Path
    registry: EmbeddedRegistry
    engine: str

    def register(self, name: str) -> None:
        self.registry.create_model_version(MODEL, name, SCHEMA)

    def serve(self, name: str, days: Sequence[float]) -> None:
        """Register a version, connect predictions that it made on these days, and sync them."""
        self.register(name)
        path = str(self.folder / name)
        write_deltalake(path, served(*days))
        source = S3DataSource(object_path=path, object_format="delta")
        columns = {"id_column": "id", "timestamp_column": "at"}
        self.registry.connect_dataset(
            MODEL, name, DatasetConnection(role="serving", data_source=source, **columns)
        )
        self.registry.sync_dataset(MODEL, name, "serving", credentials=None, engine=self.engine)

    def answer(self) -> Any:
        """How many predictions the version made that answers, or why none does; it names the version."""
        metric = {"metric": "count", "datasets": {"data": {"dataset_type": "serving"}}}
        query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": [metric]})
        (answered,) = self.registry.query_metrics(query)
        (answer,) = answered.metrics
        if answer.error is not None:
            return answer.error
        named = metric["datasets"]["data"] | {"model_version": answer.model_version}
        query = MetricsQuery.from_wire(
            {"model_id": MODEL, "metrics": [metric | {"datasets": {"data": named}}]}
        )
        assert self.registry.query_metrics(query) == [answered], "the version that it names answers the same"
        return answer.value


@pytest.fixture
def versions(ready_url: str, tmp_path: Path, engine: str) -> Iterator[Versions]:
    with EmbeddedRegistry(ready_url, "prod") as registry:
        registry.create_model(Model(id=MODEL, name="Churn"))
        yield Versions(tmp_path, registry, engine)


def test_the_latest_version_is_the_one_whose_predictions_reach_furthest(versions: Versions) -> None:
    assert "has no version" in versions.answer()
    versions.register("first")
    versions.register("second")
    assert "'second'" in versions.answer(), "without predictions, the one registered last"

    # A backfill registers them in any order.
    versions.serve("february", [32, 33, 34, 35])
    versions.serve("march", [61, 62, 63, 64, 65])
    versions.serve("january", [1, 2, 3])
    versions.register("without-predictions")
    assert versions.answer() == 5

    # On the day on which another version takes over, both make predictions.
    versions.serve("april", [65, 65.5])
    assert versions.answer() == 2
    versions.serve("march-again", [61, 65, 65.1, 65.2, 65.3, 65.4])
    assert versions.answer() == 2

    # A wrong timestamp, which lies in the future, makes no version the latest.
    versions.serve("wrong", [5, 6, 7, 8, 9, 10, CENTURY])
    assert versions.answer() == 2

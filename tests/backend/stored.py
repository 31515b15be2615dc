"""States of many days that are stored without a sync, for questions about them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sqlalchemy import select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.profiles import replace_profile
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import Model
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.profiles.plan import dump_bins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.schema import VersionSchema

DAY = 86_400
FIRST = 18_262 * DAY


def store_days(url: str, environment: str, fields: list[str], days: int) -> None:
    """Register model ``m`` with numeric features, and store a state of each of them for each day."""
    rng = np.random.default_rng(days)
    bins = NumericBins.of(rng.normal(size=1000))
    assert bins is not None

    def made() -> State:
        return NumericState.of(rng.normal(size=50), 0, bins)

    store(url, environment, fields, days, made)
    with EmbeddedRegistry(url, environment) as registry, registry.database.write_transaction() as session:
        row = session.scalars(select(SyncRow)).one()
        row.grids = dump_bins({f"features.{name}": bins for name in fields})


def store(url: str, environment: str, fields: list[str], days: int, made: Callable[[], State]) -> None:
    """Register model ``m``, and store a state of each field for each day."""
    schema = VersionSchema(
        model_type="binary", features=dict.fromkeys(fields, "numeric"), predictions={"p": "boolean"}
    )
    source = S3DataSource(object_path="b/k", object_format="delta")
    states = {(FIRST + day * DAY, f"features.{name}"): made() for day in range(days) for name in fields}
    with EmbeddedRegistry(url, environment) as registry:
        registry.create_model(Model(id="m", name="M"))
        registry.create_model_version("m", "v1", schema)
        registry.connect_dataset(
            "m",
            "v1",
            DatasetConnection(role="serving", data_source=source, id_column="i", timestamp_column="t"),
        )
        with registry.database.write_transaction() as session:
            key = session.scalars(select(DatasetRow.key)).one()
            session.add(SyncRow(dataset_key=key, part=FIELDS, started_at=utc_now(), synced_at=utc_now()))
            replace_profile(session, key, FIELDS, dict(states), None, null_timestamps=True)

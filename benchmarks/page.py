"""
The web page with many models: time and size of the first view of the overview, and of drift of 1,000 fields.

Run ``python -m benchmarks.page``. The page is asked in the process, with the routes, templates and middleware
that a server has. States are made without an engine and stored by the functions that a sync calls; the models
after the first are copies of its rows. It fails if a view takes longer, or is larger, than wanted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.page.application import create_page
from aporia_provider.backend.page.page_access import Visitor
from aporia_provider.backend.store.profiles import replace_profile
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import Model
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.profiles.plan import ROWS, dump_bins
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.schema import VersionSchema
from benchmarks.measuring import load

FIRST_VIEW_SECONDS, FIRST_VIEW_BYTES, HEAT_MAP_SECONDS = 1.0, 300_000, 2.0
DAY = 86_400
_ROLES = ("training", "serving")
_RNG = np.random.default_rng(1)
_BINS = NumericBins.of(_RNG.lognormal(size=2_000))


class Everybody:
    """Access of an operator, without authentication."""

    open_paths: frozenset[str] = frozenset()
    routes: Sequence[Route] = ()

    async def visitor(self, request: Request) -> Visitor | None:
        return Visitor("benchmark", "e", may_act=True)

    def sign_in(self, request: Request) -> Response | None:
        return None


def states(start: int, days: int, fields: Sequence[str], rows: int) -> Profile:
    """The states of days with a few rows each."""
    made: Profile = {}
    for day in range(days):
        bucket = start + day * DAY
        made[bucket, ROWS] = RowState.of(_RNG.integers(-(2**63), 2**63, rows), 0)
        for field in fields:
            made[bucket, f"features.{field}"] = NumericState.of(_RNG.lognormal(size=rows), 0, _BINS)
    return made


def outcomes(start: int, days: int, rows: int) -> Profile:
    """The states of scores with labels."""
    made: Profile = {}
    for day in range(days):
        scores = _RNG.beta(2, 2, rows)
        labels = pa.array((_RNG.random(rows) < scores).tolist())
        made[start + day * DAY, f"{PERFORMANCE}.p"] = Binary.of(pa.array(scores), labels)
    return made


def register(registry: EmbeddedRegistry, model_id: str, fields: Sequence[str]) -> None:
    """Register a model with a version and two datasets."""
    schema = VersionSchema(
        model_type="binary", features=dict.fromkeys(fields, "numeric"), predictions={"p": "numeric"}
    )
    registry.create_model(Model(id=model_id, name=f"Model {model_id}"))
    registry.create_model_version(model_id, "v1", schema)
    for role in _ROLES:
        source = S3DataSource(object_path=f"s3://b/{role}", object_format="delta")
        dataset: Any = {"role": role, "data_source": source, "labels": {"p": "y"}}
        registry.connect_dataset(
            model_id, "v1", DatasetConnection(id_column="i", timestamp_column="t", **dataset)
        )


def dataset_key(session: Session, model_id: str, role: str) -> int:
    query = (
        sa.select(DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
    )
    return session.scalars(query.where(ModelRow.id == model_id, DatasetRow.role == role)).one()


def fill(registry: EmbeddedRegistry, model_id: str, fields: Sequence[str], days: int, rows: int) -> None:
    """Store the states of a model up to yesterday."""
    end = int(time.time()) // DAY * DAY
    bins: Any = {f"features.{field}": _BINS for field in fields}
    for role, length in (("training", 5), ("serving", days)):
        start = end - length * DAY
        with registry.database.write_transaction() as session:
            key = dataset_key(session, model_id, role)
            for part in (FIELDS, PERFORMANCE):
                stored = {"synced_at": utc_now(), "started_at": utc_now(), "grids": dump_bins(bins)}
                session.add(SyncRow(dataset_key=key, part=part, **stored))
            for first in range(0, length, 31):
                some, since = min(31, length - first), start + first * DAY
                within = [(since, since + some * DAY)]
                replace_profile(session, key, FIELDS, states(since, some, fields, rows), within, False)
                labelled = outcomes(since, some, 10 * rows)
                replace_profile(session, key, PERFORMANCE, labelled, within, False)


def copy(registry: EmbeddedRegistry, source_id: str, target_id: str) -> None:
    """Copy the states of a model."""
    with registry.database.write_transaction() as session:
        for role in _ROLES:
            source, target = (dataset_key(session, model_id, role) for model_id in (source_id, target_id))
            for table in (SyncRow, StateBlockRow):
                names = [
                    each.name for each in table.__table__.columns if each.name not in ("key", "dataset_key")
                ]
                values = sa.select(sa.literal(target), *(sa.column(name) for name in names))
                values = values.select_from(table.__table__).where(sa.column("dataset_key") == source)
                session.execute(sa.insert(table).from_select(["dataset_key", *names], values))


def asked(client: TestClient, path: str) -> tuple[float, int]:
    """Time and size of a view."""
    began = time.perf_counter()
    reply = client.get(path, headers={"Accept": "text/html"})
    taken = time.perf_counter() - began
    assert reply.status_code == 200, reply.text
    return taken, len(reply.content)


def tell(what: str, taken: float, size: int, seconds: float, size_limit: int | None = None) -> bool:
    """Print a line; whether it is as wanted."""
    wanted = f"wanted: {seconds:g} s" + (f", {size_limit:,} bytes" if size_limit else "")
    print(f"  {what:58} {taken:6.2f} s {size:9,} bytes ({wanted}); {load()}", flush=True)
    return taken <= seconds and (size_limit is None or size <= size_limit)


def with_client(registry: EmbeddedRegistry, use: Callable[[TestClient], bool]) -> bool:
    app = create_page(lambda: registry.database, Everybody())
    with TestClient(app) as client:
        return use(client)


def run(registry: EmbeddedRegistry, models: int, fields: int, days: int, rows: int) -> bool:
    """Measure; whether all is as wanted."""
    names = [f"f{number:04}" for number in range(fields)]
    wide = [f"f{number:04}" for number in range(1_000)]
    for number in range(models):
        register(registry, f"m{number}", names)
    fill(registry, "m0", names, days, rows)
    for number in range(1, models):
        copy(registry, "m0", f"m{number}")
    register(registry, "wide", wide)
    fill(registry, "wide", wide, 30, rows)
    print(f"{models} models, {fields} fields, {days} days", flush=True)

    def views(client: TestClient) -> bool:
        good = tell("overview, first view", *asked(client, "/"), FIRST_VIEW_SECONDS, FIRST_VIEW_BYTES)
        good &= tell("overview again", *asked(client, "/"), FIRST_VIEW_SECONDS, FIRST_VIEW_BYTES)
        began = time.perf_counter()
        for number in range(min(models, 10)):
            asked(client, f"/models/m{number}/summary")
        print(f"  {'performance of ten models':58} {time.perf_counter() - began:6.2f} s")
        return good

    def heat_map(client: TestClient) -> bool:
        asked(client, "/models/m0")
        return tell("model with 1,000 fields", *asked(client, "/models/wide"), HEAT_MAP_SECONDS)

    good = with_client(registry, views)
    return with_client(registry, heat_map) and good


def main() -> None:
    parser = argparse.ArgumentParser(description="The web page with many models.")
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--fields", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rows", type=int, default=30)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRegistry(f"sqlite:///{folder}/registry.db", "e") as registry,
    ):
        if not run(registry, options.models, options.fields, options.days, options.rows):
            raise SystemExit(1)


if __name__ == "__main__":
    main()

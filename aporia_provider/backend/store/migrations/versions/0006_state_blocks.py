"""
Store states in compressed blocks with their sums instead of one row of JSON for each.

The states are read in batches, block by block. Everything is in one transaction: after an interruption, the
migration begins again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from aporia_provider.backend.store.calendar_months import month_of
from aporia_provider.backend.store.migrations.table_creation import create_table, parent_key
from aporia_provider.backend.store.state_blocks import BlockLayout, block_values, month_values
from aporia_provider.backend.store.sync_tables import DAY
from aporia_provider.backend.store.tables import UtcDateTime, utc_now
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS
from aporia_provider.monitoring.states.state import State, read_state

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_REPORTS = 10
_BATCH_SIZE = 500
_PROFILES = sa.table(
    "aporia_profile",
    *map(sa.column, ("dataset_key", "part", "field", "bucket")),
    sa.column("state", sa.JSON()),
)
_BLOCKS = sa.table(
    "aporia_state_block",
    *map(sa.column, ("dataset_key", "part", "field", "span", "first", "last", "buckets", "rows")),
    sa.column("created_at", UtcDateTime()),
    *(sa.column(name, sa.LargeBinary()) for name in ("total", "states")),
)
_SYNCS = sa.table("aporia_sync", sa.column("dataset_key"))


def upgrade() -> None:
    """Create the table of blocks, copy the states, and drop the table of the old states."""
    create_table(
        "aporia_state_block",
        parent_key("aporia_state_block", "dataset"),
        sa.Column("part", sa.String(20), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("span", sa.String(5), nullable=False),
        sa.Column("first", sa.BigInteger()),
        sa.Column("last", sa.BigInteger()),
        sa.Column("buckets", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.LargeBinary()),
        sa.Column("states", sa.LargeBinary()),
        sa.UniqueConstraint(
            "dataset_key", "field", "span", "first", name="uq_aporia_state_block_dataset_key_field_span_first"
        ),
    )
    op.create_index(
        "ix_aporia_state_block_part", "aporia_state_block", ["dataset_key", "part", "span", "first"]
    )
    _copy_states(op.get_bind())
    op.drop_table("aporia_profile")


def _copy_states(connection: sa.Connection) -> None:
    count = connection.scalar(sa.select(sa.func.count()).select_from(_PROFILES)) or 0
    progress = _Progress(count)
    for dataset, registration in connection.execute(_datasets()).all():
        layout = BlockLayout(BUCKET_SECONDS[registration.get("aggregation_period") or "daily"])
        try:
            for values in _blocks(connection, dataset, layout, progress):
                connection.execute(_BLOCKS.insert(), values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning(
                "The states of the dataset %s cannot be read (%s): its next sync computes all of them",
                dataset,
                type(error).__name__,
            )
            for table in (_BLOCKS, _SYNCS):
                connection.execute(table.delete().where(table.c.dataset_key == dataset))


def _datasets() -> sa.Select[Any]:
    datasets, versions, models = (
        sa.table(f"aporia_{name}", sa.column("key"), *map(sa.column, columns))
        for name, columns in (("dataset", ["version_key"]), ("version", ["model_key"]), ("model", []))
    )
    registration: sa.ColumnClause[Any] = sa.column("registration", sa.JSON(), _selectable=models)
    return (
        sa.select(datasets.c.key, registration)
        .select_from(datasets)
        .join(versions, versions.c.key == datasets.c.version_key)
        .join(models, models.c.key == versions.c.model_key)
        .order_by(datasets.c.key)
    )


def _blocks(
    connection: sa.Connection, dataset: int, layout: BlockLayout, progress: _Progress
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of one field in one month at a time."""
    columns = _PROFILES.c
    query = (
        sa.select(columns.part, columns.field, columns.bucket, columns.state)
        .where(columns.dataset_key == dataset)
        .order_by(columns.field, columns.bucket)
    )
    # An open cursor prevents PostgreSQL from dropping the table.
    with connection.execute(query, execution_options={"yield_per": _BATCH_SIZE}) as rows:
        for (part, field, _), group in groupby(rows, _month):
            owner = {"created_at": utc_now(), "dataset_key": dataset, "part": part, "field": field}
            states = ((bucket, progress.advance(read_state(state))) for _, _, bucket, state in group)
            yield list(_rows(owner, layout, states))


def _rows(
    owner: dict[str, Any], layout: BlockLayout, states: Iterable[tuple[int | None, State]]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the states of one field in one month."""
    days = []
    for start, some in groupby(states, lambda item: None if item[0] is None else layout.block(item[0])):
        values = block_values(owner, layout.span, dict(some))
        days += [] if start is None else values
        yield from values
    if days and layout.span == DAY:
        yield month_values(owner, days)


def _month(row: Any) -> tuple[str, str, int | None]:
    """Return the part, the field and the month of a state."""
    part, field, bucket, _ = row
    return part, field, None if bucket is None else month_of(bucket)


class _Progress:
    """Report of the number of copied states in the log, every few seconds."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._reported = count, 0, time.monotonic()

    def advance(self, state: State) -> State:
        self._done += 1
        if time.monotonic() - self._reported > _SECONDS_BETWEEN_REPORTS:
            self._reported = time.monotonic()
            log.info("%s of %s states have been compressed", f"{self._done:,}", f"{self._count:,}")
        return state

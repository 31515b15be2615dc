"""Selection of the latest version of a model."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.sync_tables import ProfileRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.monitoring.profiles.plan import ROWS


def latest_version(session: Session, model: ModelRow) -> VersionRow:
    """
    Return the latest version of a model.

    This is the version whose serving data extends furthest, because a backfill may register versions in any
    order. Ties are resolved in favour of the version whose serving data begins last; versions without serving
    data are ordered by registration. Buckets in the future, which a single wrong timestamp can create, count
    only for versions without other buckets.

    :raises aporia_provider.errors.NotFoundError: if the model has no version.
    """
    past = ProfileRow.bucket <= int(time.time())
    order = (
        _serving(func.max(ProfileRow.bucket), past),
        _serving(func.max(ProfileRow.bucket)),
        _serving(func.min(ProfileRow.bucket)),
    )
    versions = select(VersionRow).filter_by(model_key=model.key)
    newest = [column.desc().nulls_last() for column in order]
    row = session.scalar(versions.order_by(*newest, VersionRow.key.desc()).limit(1))
    if row is None:
        raise NotFoundError(f"Model {model.id!r} has no version")
    return row


def _serving(second: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """
    Return a subquery of an aggregate over the buckets of a version's serving dataset; null if it has none.
    """
    return (
        select(second)
        .join(DatasetRow, DatasetRow.key == ProfileRow.dataset_key)
        .where(DatasetRow.version_key == VersionRow.key, DatasetRow.role == "serving")
        .where(ProfileRow.field == ROWS, *conditions)
        .scalar_subquery()
    )

"""Selection of the latest version of a model."""

from __future__ import annotations

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.bucket_ranges import NO_BUCKETS, serving_ranges
from aporia_provider.backend.store.tables import ModelRow, VersionRow
from aporia_provider.errors import NotFoundError


def latest_version(session: Session, model: ModelRow) -> VersionRow:
    """
    Return the latest version of a model.

    This is the version whose serving data extends furthest, because a backfill may register versions in any
    order. Ties are resolved in favour of the version whose serving data begins last; versions without serving
    data are ordered by registration. Buckets in the future, which a single wrong timestamp can create, count
    only for versions without other buckets.

    :raises aporia_provider.errors.NotFoundError: if the model has no version.
    """
    keys = session.scalars(select(VersionRow.key).filter_by(model_key=model.key)).all()
    if not keys:
        raise NotFoundError(f"Model {model.id!r} has no version")
    ranges = serving_ranges(session, model.key, int(time.time())) if len(keys) > 1 else {}
    newest = max(keys, key=lambda key: (ranges.get(key, NO_BUCKETS), key))
    return session.get_one(VersionRow, newest)

"""Types of a dataset beside those of the other datasets of its version."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from aporia_provider.backend.facts import Columns, inspect
from aporia_provider.columns.differences import field_types, type_notes
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import ROLES, DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.schema import VersionSchema

log = logging.getLogger(__name__)


def compared(
    dataset: DatasetConnection,
    schema: VersionSchema,
    columns: Columns,
    others: Sequence[DatasetConnection],
    *,
    credentials: AwsCredentials | None,
    engine: str,
) -> list[str]:
    """
    Tell which fields have another type in another dataset, see
    :func:`~aporia_provider.columns.differences.type_notes`.

    Of the others no more than is needed to know every field is looked at, without reading data. One that
    cannot be read now is passed over: that is no fault of this dataset.

    :param dataset: The dataset.
    :param schema: Schema of the version.
    :param columns: Names and types (Spark's JSON form) of the dataset's columns.
    :param others: Datasets that are connected to the version.
    :param credentials: Credentials for S3; those of the environment without.
    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    """
    types = field_types(dataset, schema, dict(columns))
    known: dict[str, dict[str, Any]] = {}
    for other in sorted(others, key=lambda item: ROLES.index(item.role)):
        unknown = types.keys() - {key for found in known.values() for key in found}
        if unknown and other.role != dataset.role and isinstance(other.data_source, S3DataSource):
            try:
                facts = inspect(other.data_source, credentials=credentials, engine=engine)
            except AporiaError as error:
                log.info("Types of the %s dataset are not compared: %s", other.role, error.message)
                continue
            known[other.role] = field_types(other, schema, dict(facts.columns))
    return type_notes(dataset.role, types, known)

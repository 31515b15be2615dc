"""Comparison of a dataset's types with the types of the other datasets of its version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aporia_provider.datasets import ROLES, DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight.inspection import Columns, inspect
from aporia_provider.preflight.type_differences import field_types, type_notes
from aporia_provider.schema import VersionSchema


def compare_types(
    dataset: DatasetConnection,
    schema: VersionSchema,
    columns: Columns,
    others: Sequence[DatasetConnection],
    *,
    credentials: AwsCredentials | None,
    engine: str,
) -> list[str]:
    """
    Return warnings about fields that have a different type in another dataset.

    See :func:`~aporia_provider.preflight.type_differences.type_notes`. Other datasets are inspected, without
    reading data, until the type of each field is known. If a dataset cannot be inspected, a warning states
    the reason.

    :param dataset: The dataset.
    :param schema: Schema of the version.
    :param columns: Names and types (Spark's JSON form) of the dataset's columns.
    :param others: Datasets that are connected to the version.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    """
    types = field_types(dataset, schema, dict(columns))
    other_types: dict[str, dict[str, Any]] = {}
    failures: list[str] = []
    for other in sorted(others, key=lambda item: ROLES.index(item.role)):
        unknown = types.keys() - {key for known_types in other_types.values() for key in known_types}
        if unknown and other.role != dataset.role and other.data_source.readable:
            try:
                properties = inspect(other.data_source, credentials=credentials, engine=engine)
            except AporiaError as error:
                failures.append(
                    f"types are not compared with the types of the {other.role} dataset: {error.message}"
                )
                continue
            other_types[other.role] = field_types(other, schema, dict(properties.columns))
    return [*type_notes(dataset.role, types, other_types), *failures]

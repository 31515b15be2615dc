"""Inputs and outputs of operators for OpenLineage, whose optional package is imported only when used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aporia_provider.assets import lineage_identity
from aporia_provider.data_sources import as_data_source
from aporia_provider.schema import CATEGORIES, VersionSchema

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset


def table_dataset(source: Any) -> list[Dataset]:
    """Return a data source as an OpenLineage dataset; an empty list if it is not on S3 or a local disk."""
    source = as_data_source(source) if source is not None else None
    return location_dataset(source.uri if source is not None else None)


def location_dataset(uri: str | None) -> list[Dataset]:
    """Return a URI on S3 or a local disk as an OpenLineage dataset; an empty list if it is None."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    if uri is None:
        return []
    scheme, _, path = uri.partition("://")
    bucket, _, key = path.partition("/")
    if scheme == "file":
        return [Dataset(namespace="file", name=unquote(path))]
    return [Dataset(namespace=f"s3://{bucket}", name=key or "/")]


def version_dataset(
    environment: str | None, model_id: str, model_version: str, schema: VersionSchema | None
) -> list[Dataset]:
    """
    Return a model version as an OpenLineage dataset with its fields, if known.

    :param environment: The environment; if it is None, the version is not registered and the list is empty.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    if environment is None:
        return []
    namespace, name = lineage_identity(environment, model_id, model_version)
    fields = [
        SchemaDatasetFacetFields(name=f"{category}.{name}", type=field.type)
        for category in CATEGORIES
        for name, field in (schema.fields(category) if schema else {}).items()
    ]
    facets: dict[str, Any] = {"schema": SchemaDatasetFacet(fields=fields)} if fields else {}
    return [Dataset(namespace=namespace, name=name, facets=facets)]

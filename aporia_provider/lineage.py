"""What the operators tell OpenLineage. Its package is optional and imported only when it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aporia_provider.assets import lineage_identity
from aporia_provider.data_sources import as_data_source
from aporia_provider.schema import CATEGORIES, VersionSchema

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset


def table_dataset(source: Any) -> list[Dataset]:
    """The data source as a dataset; none if it does not lie on S3 or a local disk."""
    source = as_data_source(source) if source is not None else None
    return location_dataset(source.uri if source is not None else None)


def location_dataset(uri: str | None) -> list[Dataset]:
    """What lies on S3 or a local disk as a dataset; none if there is no URI."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    if uri is None:
        return []
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme == "file":
        return [Dataset(namespace="file", name=unquote(rest))]
    return [Dataset(namespace=f"s3://{bucket}", name=key or "/")]


def version_dataset(
    environment: str | None, model_id: str, model_version: str, schema: VersionSchema | None
) -> list[Dataset]:
    """The model version as a dataset, with its fields if they are known; none before it is registered."""
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

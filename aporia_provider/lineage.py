"""Inputs and outputs of operators for OpenLineage, whose optional package is imported only when used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aporia_provider.assets import lineage_identity
from aporia_provider.data_sources import as_data_source
from aporia_provider.outcome_texts import limits_text
from aporia_provider.schema import CATEGORIES, VersionSchema

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset, InputDataset

    from aporia_provider.health import HealthFinding

_STATUS = {"pass": "pass", "fail": "fail", "insufficient": "skip"}


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


def tested_version(
    environment: str, model_id: str, model_version: str, findings: Iterable[HealthFinding]
) -> list[InputDataset]:
    """
    Return a model version as an OpenLineage dataset with its findings as assertions.

    An assertion succeeds or not, so those with too little data are left out; :func:`run_of_tests` has them.
    """
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from openlineage.client.generated.data_quality_assertions_dataset import (
        Assertion,
        DataQualityAssertionsDatasetFacet,
    )

    namespace, name = lineage_identity(environment, model_id, model_version)
    assertions = [
        Assertion(assertion=finding.name, success=finding.outcome == "pass")
        for finding in findings
        if finding.outcome != "insufficient"
    ]
    facet = DataQualityAssertionsDatasetFacet(assertions=assertions)
    return [InputDataset(namespace=namespace, name=name, inputFacets={"dataQualityAssertions": facet})]


def run_of_tests(findings: Sequence[HealthFinding]) -> dict[str, Any]:
    """
    Return findings as a facet of an OpenLineage run, in which those with too little data are skipped tests.

    :return: The facet by its name; empty if the installed OpenLineage has no such facet.
    """
    try:
        from openlineage.client.generated.test_run import TestExecution, TestRunFacet
    except ImportError:
        return {}
    tests = [
        TestExecution(
            name=finding.name,
            status=_STATUS[finding.outcome],
            severity="error",
            type=finding.check,
            description=finding.reason,
            expected=limits_text(finding) or None,
            actual=None if finding.value is None else f"{finding.value:.6g}",
        )
        for finding in findings
    ]
    return {"test": TestRunFacet(tests=tests)}

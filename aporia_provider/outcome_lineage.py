"""Findings of checks for OpenLineage, whose optional package is imported only when used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.assets import lineage_identity
from aporia_provider.outcome_texts import limits_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import InputDataset

    from aporia_provider.health import HealthFinding

_STATUS = {"pass": "pass", "fail": "fail", "insufficient": "skip"}


def tested_version(
    environment: str, model_id: str, model_version: str, findings: Sequence[HealthFinding], severity: str
) -> list[InputDataset]:
    """
    Return a model version as an OpenLineage dataset with its findings as assertions.

    An assertion succeeds or not, so those with too little data are left out; :func:`tests_of_run` has them.

    :param environment: Environment of the model.
    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param findings: The findings; without any, the dataset has no assertions.
    :param severity: ``error`` if a failed finding fails the task, else ``warn``.
    """
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from openlineage.client.generated.data_quality_assertions_dataset import (
        Assertion,
        DataQualityAssertionsDatasetFacet,
    )

    namespace, name = lineage_identity(environment, model_id, model_version)
    assertions = [
        _supported(
            Assertion,
            assertion=finding.name,
            success=finding.outcome == "pass",
            column=finding.column,
            **_details(finding, severity),
        )
        for finding in findings
        if finding.outcome != "insufficient"
    ]
    facets: dict[str, Any] = {}
    if assertions:
        facets["dataQualityAssertions"] = DataQualityAssertionsDatasetFacet(assertions)
    return [InputDataset(namespace=namespace, name=name, inputFacets=facets)]


def tests_of_run(findings: Sequence[HealthFinding], severity: str) -> dict[str, Any]:
    """
    Return findings as a facet of an OpenLineage run, in which those with too little data are skipped tests.

    :param findings: The findings.
    :param severity: ``error`` if a failed finding fails the task, else ``warn``.
    :return: The facet by its name; empty if the installed OpenLineage has no such facet.
    """
    try:
        from openlineage.client.generated.test_run import TestExecution, TestRunFacet
    except ImportError:
        return {}
    tests = [
        _supported(
            TestExecution,
            status=_STATUS[finding.outcome],
            type=finding.check,
            **_details(finding, severity),
        )
        for finding in findings
    ]
    return {"test": TestRunFacet(tests)}


def _details(finding: HealthFinding, severity: str) -> dict[str, Any]:
    return {
        "name": finding.name,
        "severity": severity,
        "description": finding.reason,
        "expected": limits_text(finding) or None,
        "actual": None if finding.value is None else f"{finding.value:.6g}",
    }


def _supported(kind: Any, **values: Any) -> Any:
    """Return an instance with those values that the installed OpenLineage has attributes for."""
    import attr

    fields = attr.fields_dict(kind)
    return kind(**{name: value for name, value in values.items() if name in fields})

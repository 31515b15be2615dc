"""The catalogue of metrics, and what is generated from it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aporia_provider.backend.server.openapi import METRICS
from aporia_provider.cli.main import main
from aporia_provider.errors import ValidationError
from aporia_provider.metrics import MetricParameters
from aporia_provider.monitoring.catalogue import CATALOGUE, metric_kinds, metric_names
from aporia_provider.monitoring.performance import ALIASES
from aporia_provider.schema import FIELD_TYPES, MODEL_TYPES


def test_a_metric_has_one_definition_for_each_type() -> None:
    keys = sorted((each.kind, each.name, type_) for each in CATALOGUE for type_ in each.types or ("",))
    assert all(one != other for one, other in pairwise(keys))
    types = {"rows": set(), "performance": set(MODEL_TYPES), "statistic": set(FIELD_TYPES)}
    types["distance"], types["expected"] = types["statistic"], {"binary"}
    assert {each.kind: set() for each in CATALOGUE}.keys() == types.keys()
    for kind, expected in types.items():
        assert {type_ for each in CATALOGUE if each.kind == kind for type_ in each.types} == expected


def test_parameters_are_those_of_queries() -> None:
    used = {name for each in CATALOGUE for name in (*each.parameters, *each.shared_parameters)}
    # Custom metrics have an id, and are not in the catalogue.
    assert used | {"id"} == set(MetricParameters.model_fields)


def test_descriptions_are_phrases() -> None:
    assert all(each.description and not each.description.endswith(".") for each in CATALOGUE)


def test_the_command_lists_all_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["metrics", "--list"])
    assert exited.value.code == 0
    header, _, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["metric", "kind", "types", "parameters", "meaning"]
    listed = [line.split()[:2] for line in lines]
    metrics = [[each.name, each.kind] for each in CATALOGUE]
    assert listed == metrics + [[alias, "performance"] for alias in ALIASES]
    coverage = next(line for line in lines if line.startswith("label_coverage "))
    assert "minimum" not in coverage
    assert next(line for line in lines if line.startswith("f1_score ")).endswith("other name of f1")


def test_the_openapi_document_names_all_metrics() -> None:
    metric = METRICS["properties"]["metrics"]["items"]["properties"]["metric"]
    assert {"auc_roc", "count", "drift_score", "f1_score", "mean_norm", "ndcg"} <= set(metric["enum"])
    assert metric["enum"] == metric_names()


def test_kinds_of_metrics() -> None:
    assert metric_kinds("count", "ranking") == {"rows", "statistic"}
    assert metric_kinds("histogram", "ranking") == {"statistic"}
    assert metric_kinds("psi", "binary") == {"distance"}
    assert metric_kinds("f1_score", "multi-label") == {"performance"}
    assert metric_kinds("expected_f1", "binary") == {"expected"}
    with pytest.raises(ValidationError, match="'expected_f1' is for binary models, not for regression"):
        metric_kinds("expected_f1", "regression")
    with pytest.raises(ValidationError, match="'ndcg' is for ranking models, not for binary"):
        metric_kinds("ndcg", "binary")
    with pytest.raises(ValidationError, match="There is no metric 'drift_scor'; did you mean 'drift_score'"):
        metric_kinds("drift_scor", "binary")

"""The operators that compare two versions, against the embedded backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from openlineage.client.generated.test_run import TestRunFacet as RunOfTests

from aporia_provider import settings
from aporia_provider.errors import InsufficientDataError
from aporia_provider.operators.version_comparison import (
    BranchOnVersionComparisonOperator,
    CompareVersionsOperator,
)
from tests.airflow.running import execute, finish, new_dag
from tests.backend.monitors.monitored_model import MonitoredModel, labelled

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")

# Of the 300 rows of a day, 90 % are right, or 73 %.
RIGHT, WRONG = labelled(), labelled(tp=60, tn=160, fp=40, fn=40)
VERSIONS = {
    "old": (10, RIGHT),
    "same": (10, RIGHT),
    "worse": (10, WRONG),
    "few": (1, RIGHT),
    "latest": (10, WRONG),
}
GIVEN: dict[str, Any] = {"model_id": "m", "champion": "old", "metric": "accuracy", "margin": 0.03}


@pytest.fixture
def model() -> Iterator[MonitoredModel]:
    """A model with versions whose predictions have labels; the latest one is worse."""
    with MonitoredModel(settings.database_url(), settings.environment()) as found:
        for version, (days, labels) in VERSIONS.items():
            found.add_version(version)
            found.store(dict.fromkeys(range(days), labels), part="performance", version=version)
        yield found


def compare(**given: Any) -> CompareVersionsOperator:
    return CompareVersionsOperator(task_id="t", **GIVEN | given)


def test_a_version_passes_fails_or_is_insufficient(model: MonitoredModel) -> None:
    same = execute(compare(challenger="same", margin="0.03"))
    assert (same["outcome"], same["champion"], same["challenger"]) == ("pass", 0.9, 0.9)
    assert (same["champion_version"], same["challenger_version"], same["model_id"]) == ("old", "same", "m")
    assert same["low"] == pytest.approx(-1.96 * (2 * 0.09 / 3_000) ** 0.5, rel=0.02)
    with pytest.raises(AirflowFailException, match=r"fail: accuracy improves by -0\.1667"):
        execute(compare(challenger="worse"))
    with pytest.raises(InsufficientDataError, match=r"few [(]challenger[)] "):
        execute(compare(challenger="few"))
    assert execute(compare(challenger="few", on_insufficient="pass"))["outcome"] == "insufficient"
    assert execute(compare(challenger="worse", on_fail="pass"))["outcome"] == "fail"


def test_versions_are_compared_in_a_value_of_a_segment(model: MonitoredModel) -> None:
    model.segment("plan", "gold", "basic")
    for version, gold in (("old", RIGHT), ("same", WRONG)):
        terms = {"gold": dict.fromkeys(range(10), gold), "basic": dict.fromkeys(range(10), RIGHT)}
        model.store_terms("plan", terms, part="performance", version=version)
    in_gold = {"id": "plan", "value": "gold"}
    found = execute(compare(challenger="same", segment=in_gold, on_fail="pass"))
    # 180 + 60 or 160 + 60 of 300 rows are right.
    assert (found["outcome"], found["champion"]) == ("fail", 0.9)
    assert found["challenger"] == pytest.approx((60 + 160) / 300)
    assert execute(compare(challenger="same", segment={"id": "plan", "value": "basic"}))["outcome"] == "pass"
    with pytest.raises(AirflowFailException, match="has no value 'silver'"):
        execute(compare(challenger="same", segment={"id": "plan", "value": "silver"}))


def test_the_challenger_is_the_latest_version(model: MonitoredModel) -> None:
    found = execute(compare(on_fail="pass"))
    assert (found["challenger_version"], found["outcome"]) == ("latest", "fail")
    with pytest.raises(AirflowFailException, match="The champion 'latest' is the latest version"):
        execute(compare(champion="latest"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"challenger": "absent"}, "absent"),
        ({"margin": True, "parameters": "x"}, "not True\n  - parameters must be a dict, not 'x'"),
        ({"parameters": {"margin": 1}}, "margin is a parameter of the operator, not of the metric"),
        ({"margin": "nan"}, "margin must be a number of at least 0, not 'nan'"),
        ({"challenger": "same", "margin": "little"}, "margin must be a number of at least 0, not 'little'"),
        ({"challenger": "same", "metric": "acuracy"}, "accuracy"),
        ({"challenger": "same", "parameters": {"treshold": 1}}, "treshold"),
        ({"challenger": "same", "model_id": "n"}, "There is no model 'n'"),
    ],
)
def test_faults_fail_without_a_retry(model: MonitoredModel, given: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        execute(compare(**given))


def test_the_result_is_text_for_people(model: MonitoredModel) -> None:
    markdown = execute(compare(challenger="few", on_insufficient="pass"))["markdown"]
    first, _, header, rule, old, few, *_ = markdown.splitlines()
    assert first.startswith("Model m: **insufficient**. accuracy improves by +0 (")
    assert header == "| version | accuracy (higher is better) | samples |"
    assert rule == "| --- | --- | --- |"
    assert (old, few) == ("| old (champion) | 0.9 | 3,000 |", "| few (challenger) | 0.9 | 300 |")
    assert "rows of each version are needed" in markdown


def a_dag(name: str, version: str) -> DAG:
    with new_dag(name, challenger=version) as dag:
        branch = BranchOnVersionComparisonOperator(
            task_id="branch",
            challenger="{{ params.challenger }}",
            follow_task_ids_if_passed="promote",
            follow_task_ids_if_failed="keep",
            follow_task_ids_if_insufficient=["ask"],
            **GIVEN,
        )
        branch >> [EmptyOperator(task_id=name) for name in ("promote", "keep", "ask")]
        CompareVersionsOperator(
            task_id="compare", challenger="{{ params.challenger }}", on_fail="skip", **GIVEN
        )
    return dag


@pytest.mark.very_slow
@pytest.mark.parametrize(
    ("version", "followed", "state"),
    [("same", "promote", "success"), ("worse", "keep", "skipped"), ("few", "ask", "failed")],
)
def test_branches_follow_the_comparison(
    model: MonitoredModel, version: str, followed: str, state: str
) -> None:
    instances = {ti.task_id: ti for ti in finish(a_dag(f"branch_{version}", version)).get_task_instances()}
    states = {name: str(ti.state) for name, ti in instances.items()}
    assert states == {
        "promote": "skipped",
        "keep": "skipped",
        "ask": "skipped",
        "branch": "success",
        followed: "success",
        "compare": state,
    }
    branch, compared = (instances["compare"].xcom_pull(task_ids=task) for task in ("branch", "compare"))
    assert branch == {**compared, "followed": [followed]}
    assert instances["compare"].xcom_pull(task_ids="compare", key="outcome") == compared["outcome"]


def test_lineage_has_both_versions_and_one_test(model: MonitoredModel) -> None:
    operator = compare(challenger="few", on_insufficient="pass", on_fail="pass")
    execute(operator)
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert [(each.namespace, each.name) for each in lineage.inputs] == [
        ("aporia://prod", "m/old"),
        ("aporia://prod", "m/few"),
    ]
    # An assertion either succeeds or does not.
    assert [each.inputFacets for each in lineage.inputs] == [{}, {}]
    facet = lineage.run_facets["test"]
    assert isinstance(facet, RunOfTests)
    assert [(each.status, each.severity, each.expected) for each in facet.tests] == [
        ("skip", "warn", "at least -0.03")
    ]
    same = compare(challenger="same")
    execute(same)
    _, challenger = same.get_openlineage_facets_on_complete(None).inputs
    assert challenger.inputFacets["dataQualityAssertions"].assertions[0].success is True

"""What Airflow sees of the provider before any task runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"
HEAVY = (
    "pyarrow",
    "deltalake",
    "pyspark",
    "pysail",
    "boto3",
    "botocore",
    "fastapi",
    "alembic",
    "httpx2",
    "sqlglot",
    "sqlalchemy",
    "numpy",
    "pandas",
)


ImportedBy = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def imported_by() -> Iterator[ImportedBy]:
    """The modules that a piece of code imports, besides those that another one imports."""
    command = [sys.executable, "-m", "tests.airflow.imported_modules"]
    path = os.pathsep.join(path for path in sys.path if path)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **pipes) as running:

        def ask(before: str, code: str) -> list[str]:
            print(json.dumps([before, code]), file=running.stdin, flush=True)
            assert running.stdout is not None
            imported: list[str] = json.loads(running.stdout.readline())
            return imported

        yield ask


def test_importing_all_operators_brings_in_nothing_heavy(imported_by: ImportedBy) -> None:
    code = """
import aporia_provider.operators.model, aporia_provider.operators.version
import aporia_provider.operators.dataset, aporia_provider.operators.access, aporia_provider.operators.sync
import aporia_provider.operators.completion
"""
    added = imported_by("", code)
    assert {"aporia_provider.operators.dataset", "aporia_provider.operators.sync"} <= set(added)
    assert heavy_among(added) == []
    # One file read for each, at every start of a DAG processor.
    assert len(added) < 50, added


@pytest.mark.very_slow
def test_importing_the_operators_of_gates_brings_in_nothing_heavy(imported_by: ImportedBy) -> None:
    code = "import aporia_provider.operators.health, aporia_provider.operators.version_comparison"
    added = imported_by("", code)
    assert [name for name in added if name.startswith(("openlineage", "tabulate"))] == []
    assert heavy_among(added) == []
    assert len(added) < 50, added


@pytest.mark.very_slow
@pytest.mark.parametrize("name", sorted(path.name for path in DAGS.glob("*.py")))
def test_parsing_a_dag_brings_in_nothing_heavy(name: str, imported_by: ImportedBy) -> None:
    # What operators of Airflow itself bring in.
    before = """
from airflow.sdk import DAG, dag, task
import airflow.providers.standard.operators.hitl, airflow.providers.standard.operators.trigger_dagrun
"""
    added = imported_by(before, f"import runpy; runpy.run_path({str(DAGS / name)!r}, run_name='parsed')")
    assert "aporia_provider.operators.base" in added
    assert heavy_among(added) == []


def test_importing_sensors_and_watching_a_table_brings_in_nothing_heavy(imported_by: ImportedBy) -> None:
    code = """
import aporia_provider.sensors.dataset_sync, aporia_provider.sensors.label_coverage
from aporia_provider.sensors.delta_table import DeltaTableSensor
from aporia_provider.table_assets import delta_table_asset
delta_table_asset("s3://lake/sales", watch=True)
DeltaTableSensor(task_id="t", table_uri="s3://lake/sales", min_rows=1)
"""
    added = imported_by("import airflow.triggers.base", code)
    assert "aporia_provider.triggers.table_commits" in added
    assert heavy_among(added) == []
    assert len(added) < 60, added


def modules_added_by(code: str) -> list[str]:
    """The modules that a piece of code prints, in a process of its own that has not imported Airflow."""
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    added: list[str] = json.loads(output.splitlines()[-1])
    return added


def heavy_among(names: list[str]) -> list[str]:
    return [name for name in names if name.split(".")[0] in HEAVY]


@pytest.fixture(scope="module")
def providers() -> Any:
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()


def test_the_provider_is_discovered(providers: Any) -> None:
    provider = providers.providers["airflow-provider-aporia"]
    assert provider.data["name"] == "Aporia"
    import aporia_provider

    assert provider.version == aporia_provider.__version__


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_of_a_kind_is_named(kind: str) -> None:
    import pkgutil
    from importlib import import_module

    from aporia_provider.get_provider_info import get_provider_info

    package = import_module(f"aporia_provider.{kind}")
    there = {f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)}
    (entry,) = get_provider_info()[kind]
    # What they have in common is no module to use.
    shared = {
        "hooks": ("base_hook", "connection_credentials", "connection_lookup", "connector", "dataset_syncs"),
        "operators": ("base", "outcomes", "parameters", "protocol_parameters", "rendering"),
        "sensors": ("api_sensor", "deferrable", "rendered_values"),
        "triggers": (
            "api_conditions",
            "commit_producer",
            "poll_intervals",
            "polled_table",
            "s3_access",
            "waiting",
            "watermark",
        ),
    }
    common = {f"{package.__name__}.{name}" for name in shared[kind]}
    assert sorted(entry["python-modules"]) == sorted(there - common)


def test_every_module_and_class_it_names_can_be_imported() -> None:
    from importlib import import_module

    from aporia_provider.get_provider_info import get_provider_info

    info = get_provider_info()
    modules = [
        name
        for kind in ("operators", "hooks", "sensors", "triggers")
        for entry in info[kind]
        for name in entry["python-modules"]
    ]
    classes = [entry["hook-class-name"] for entry in info["connection-types"]]
    classes += [*info["extra-links"], *info["notifications"]]
    kinds = ("handler", "factory", "to_openlineage_converter")
    classes += [asset[kind] for asset in info["asset-uris"] for kind in kinds if asset.get(kind)]
    assert all(import_module(name) for name in modules)
    assert all(getattr(import_module(path.rpartition(".")[0]), path.rpartition(".")[2]) for path in classes)


def test_the_connection_form_is_declared(providers: Any) -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    forms = {form.connection_type: form for form in HookMetaService.hook_meta_data()}
    form = forms["aporia"]
    assert form.hook_name == "Aporia"
    assert set(form.extra_fields) == {"environment", "timeout", "verify_ssl"}
    # Filled in beforehand, it would be another environment than the token's as a rule.
    assert form.extra_fields["environment"]["value"] is None
    assert form.standard_fields.password.title == "Token"
    assert form.standard_fields.url_schema.hidden


def test_the_configuration_section_has_its_defaults() -> None:
    from airflow.configuration import conf

    assert conf.get("aporia", "engine") == "embedded"
    assert {("aporia", "database_url"), ("aporia", "engine")} <= set(conf.sensitive_config_values)


def test_an_asset_of_a_version_is_normalised_and_becomes_lineage() -> None:
    from airflow.sdk import Asset

    from aporia_provider.assets import convert_asset_to_openlineage, create_asset

    asset = create_asset(environment="prod", model_id="a/b c", model_version="2026-11-23 é")
    assert asset.uri == "aporia://prod/a%2Fb%20c/2026-11-23%20%C3%A9"
    dataset = convert_asset_to_openlineage(asset, None)
    assert (dataset.namespace, dataset.name) == ("aporia://prod", "a/b c/2026-11-23 é")
    serving = create_asset(environment="prod", model_id="m", model_version="v1", role="serving")
    assert serving.uri == Asset(uri=serving.uri).uri == "aporia://prod/m/v1/serving"
    assert convert_asset_to_openlineage(serving, None).name == "m/v1"
    for wrong in ("aporia://prod", "aporia://prod/m/v1/serving/more"):
        with pytest.raises(ValueError, match="aporia://<environment>/<model>/<version>"):
            Asset(uri=wrong)


def test_the_dag_of_the_readme_is_one() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code, *_ = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    names: dict[str, Any] = {}
    exec(code, names)
    dag = names["model"].dag
    assert [task.task_id for task in dag.topological_sort()] == [
        "model",
        "version",
        "training",
        "serving",
        "complete",
    ]

"""What the embedded backend knows after the demo: what is registered, and its metrics in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitoring import print_monitoring
from tabulate import tabulate

from aporia_provider.metric_results import QueryResult
from aporia_provider.metrics import MetricsQuery

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry

MODEL = "employment"
KINDS = ("raw_inputs", "features", "predictions")
SHOWN = 4


def report(registry: EmbeddedRegistry) -> None:
    """Print it."""
    versions = registry.get_model_versions(MODEL)
    print("\nRegistered with the embedded backend:")
    for version in versions:
        _print_version(registry, version)
    print("\nServing predictions of each version, compared with its training set:\n")
    print(tabulate([_year(registry, item) for item in versions], headers="keys", disable_numparse=True))
    print_monitoring(registry, versions[-1]["name"])


def _print_version(registry: EmbeddedRegistry, version: Any) -> None:
    schema = version["registration"]["version_schema"]
    counts = ", ".join(f"{len(schema[kind] or ())} {kind}" for kind in KINDS)
    print(f"\n  {MODEL}, version {version['name']}, {version['model_type']}: {counts}")
    for dataset in sorted(registry.get_datasets(MODEL, version["name"]), key=lambda data: data.role):
        status = registry.get_dataset_sync_status(MODEL, version["name"], dataset.role)  # type: ignore[arg-type]
        path = dataset.data_source.to_wire()["config"]["object_path"]
        print(f"    {dataset.role:<9} {path}  {status['rows']:,} rows in {status['buckets']} days")


def _year(registry: EmbeddedRegistry, version: Any) -> dict[str, str]:
    schema = version["registration"]["version_schema"]
    columns = [f"{kind}.{name}" for kind in KINDS for name in schema[kind] or ()]
    scores = _ask(registry, version["name"], [("drift_score", column) for column in columns])
    drifted = sorted(scores, key=lambda result: -(result.value or 0))[:SHOWN]
    wanted = ("accuracy", "auc_roc", "label_coverage")
    told = _ask(registry, version["name"], [(metric, "predictions.probability") for metric in wanted])
    return {
        "version": version["name"],
        "most drifted fields (score, and what chance alone would make of it)": "\n".join(
            map(_score, drifted)
        ),
        **{metric: f"{result.value:.4f}" for metric, result in zip(wanted, told, strict=True)},
    }


def _score(result: QueryResult) -> str:
    return f"{result.id.split()[-1]}: {result.value:.3f} ({result.noise:.3f})"


def _ask(registry: EmbeddedRegistry, version: str, questions: list[tuple[str, str]]) -> list[QueryResult]:
    data = {"dataset_type": "serving", "model_version": version}
    metrics = [
        {
            "id": f"{metric} {column}",
            "metric": metric,
            "parameters": {"column": column},
            "datasets": {"data": data},
        }
        for metric, column in questions
    ]
    query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": metrics})
    return registry.query_metrics(query)[0].metrics

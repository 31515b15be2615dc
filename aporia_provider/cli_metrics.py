"""The command ``aporia-provider metrics``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from itertools import product
from typing import TYPE_CHECKING, Any

from aporia_provider.datasets import ROLES

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.metrics import MetricsQuery

_PARAMETERS = ("threshold", "k", "class_name", "average", "quantile", "value")
_PERIODS = {"day": "daily", "hour": "hourly"}


def add_metrics(commands: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command; whoever does adds where the database is."""
    parser = commands.add_parser(
        "metrics", help="print metrics of a model from what syncs have stored", description=__doc__
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument(
        "metrics", nargs="+", metavar="METRIC", help="such as count, missing_ratio, drift_score or auc_roc"
    )
    _add_data(parser)
    _add_baseline(parser)
    parser.add_argument("--threshold", type=float, help="score from which on a prediction is positive")
    parser.add_argument("--k", type=int, help="ranking: how many places count")
    parser.add_argument("--class-name", help="class of a *_per_class metric")
    parser.add_argument("--average", choices=("micro", "macro", "weighted"))
    parser.add_argument("--quantile", type=float, help="of the metric quantile, from 0 to 1")
    parser.add_argument("--value", help="of the metric value_count")
    parser.add_argument("--environment", help="default: [aporia] environment of Airflow's configuration")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_run)
    return parser


def _add_data(parser: ArgumentParser) -> None:
    parser.add_argument("--version", help="default: the latest")
    parser.add_argument("--dataset", choices=ROLES, default="serving", help="default: %(default)s")
    parser.add_argument(
        "--column", action="append", metavar="FIELD", help="field, or prediction; may be repeated"
    )
    parser.add_argument("--start", metavar="TIME", help="such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)")
    parser.add_argument("--end", metavar="TIME", help="first moment that does not belong to it any more")
    parser.add_argument("--by", choices=tuple(_PERIODS), help="a line for each, instead of one for all")


def _add_baseline(parser: ArgumentParser) -> None:
    parser.add_argument("--baseline", choices=ROLES, help="of distances; default: training")
    parser.add_argument("--baseline-version", metavar="VERSION", help="default: that of the data")
    parser.add_argument(
        "--baseline-period", metavar="PERIOD", help="window before the data that moves with it, such as 2w"
    )


def _run(options: Namespace) -> None:
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.report import as_table

    query = _query(options)
    environment = options.environment or settings.environment()
    with EmbeddedRegistry(options.database_url or settings.database_url(), environment) as registry:
        answers = registry.query_metrics(query)
    print(json.dumps(answers, indent=2) if options.json else as_table(query, answers))


def _query(options: Namespace) -> MetricsQuery:
    from aporia_provider.metrics import MetricsQuery

    given = {name: getattr(options, name) for name in _PARAMETERS}
    questions = [
        {
            "id": f"{metric} {column or ''}".strip(),
            "metric": metric,
            "parameters": {**given, "column": column},
            "datasets": _datasets(options),
        }
        for metric, column in product(options.metrics, options.column or [None])
    ]
    period = _PERIODS.get(options.by)
    return MetricsQuery.from_wire(
        {"model_id": options.model, "metrics": questions, "aggregation_period": period}
    )


def _datasets(options: Namespace) -> dict[str, Any]:
    given = options.start is not None or options.end is not None
    time_range = {"start": options.start, "end": options.end} if given else None
    baseline = {
        "dataset_type": options.baseline or ("serving" if options.baseline_period else "training"),
        "model_version": options.baseline_version,
        "time_period": options.baseline_period,
    }
    return {
        "data": {
            "dataset_type": options.dataset,
            "model_version": options.version,
            "time_range": time_range,
        },
        "baseline": baseline,
    }

"""The command ``aporia-provider metrics``."""

from __future__ import annotations

import re
import shutil
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import replace
from inspect import cleandoc
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from aporia_provider.datasets import ROLES
from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.metric_results import RangeResults
    from aporia_provider.metrics import MetricsQuery

_MINIMUM = re.compile(r"\bset (minimum|minimum_baseline)=(\d+)")
_PARAMETER = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)
_PARAMETER_PATH = re.compile(r"\bmetrics\.\d+\.parameters\.(\w+)")
_PERIODS = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly"}


def add_metrics(commands: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """
    Add the command. The caller adds the option ``--database-url``.

    :param commands: Subparsers of the main parser.
    :return: Parser of the command.
    """
    parser = commands.add_parser(
        "metrics", help="print metrics of a model from what syncs have stored", description=__doc__
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument(
        "metrics", nargs="+", metavar="METRIC", help="such as count, missing_ratio, drift_score or auc_roc"
    )
    _add_data(parser)
    _add_baseline(parser)
    _add_parameters(parser)
    parser.add_argument("--list", action=_ListMetrics, nargs=0, help="print all metrics and exit")
    parser.add_argument("--environment", help="default: [aporia] environment of Airflow's configuration")
    _add_output(parser)
    parser.set_defaults(run=_run)
    return parser


def _add_output(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("table", "json", "csv", "parquet"),
        help="default: table; csv and parquet have a row for each metric and time range",
    )
    parser.add_argument(
        "--json", action="store_const", dest="format", const="json", help="same as --format json"
    )
    parser.add_argument("--output", metavar="FILE", help="write to a file; required for parquet")


def _add_data(parser: ArgumentParser) -> None:
    parser.add_argument("--version", help="default: the latest")
    parser.add_argument("--dataset", choices=ROLES, default="serving", help="default: %(default)s")
    parser.add_argument(
        "--column", action="append", metavar="FIELD", help="field, or prediction; may be repeated"
    )
    parser.add_argument(
        "--segment",
        type=_segment,
        metavar="SEGMENT=VALUE",
        help="name of a segment and the label of one of its terms; default: all rows",
    )
    parser.add_argument("--start", metavar="TIME", help="such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)")
    parser.add_argument("--end", metavar="TIME", help="end of the range, not part of it")
    parser.add_argument("--by", choices=tuple(_PERIODS), help="aggregation period, in UTC; default: none")


def _add_baseline(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--baseline",
        choices=ROLES,
        help="default: training; for expected_* testing, if it has labels",
    )
    parser.add_argument(
        "--baseline-segment",
        type=_segment,
        metavar="SEGMENT=VALUE",
        help="default: the segment of the data",
    )
    parser.add_argument("--baseline-version", metavar="VERSION", help="default: the version of the data")
    parser.add_argument(
        "--baseline-period", metavar="PERIOD", help="length of a window that ends before the data, such as 2w"
    )
    parser.add_argument(
        "--baseline-skip", metavar="PERIOD", help="how long before the data that window ends, such as 1d"
    )


def _segment(text: str) -> dict[str, str]:
    """Return the segment and the term that an option names."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentTypeError(f"{text!r} is not a segment and one of its values, such as city=Rome")
    return {"id": name, "value": value}


def _add_parameters(parser: ArgumentParser) -> None:
    """Add an option for each parameter of metrics except the column."""
    from aporia_provider.metrics import MetricParameters

    descriptions = dict(_PARAMETER.findall(cleandoc(MetricParameters.__doc__ or "")))
    for name, field in MetricParameters.model_fields.items():
        if name != "column":
            text = " ".join(descriptions.get(name, "").split()).replace("`", "").replace("%", "%%")
            parser.add_argument(_option(name), choices=_choices(field.annotation), help=text)


def _option(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"


def _choices(annotation: Any) -> tuple[str, ...] | None:
    """Return the strings that an annotation allows; None if it is not a ``Literal``, optional or not."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next(filter(None, map(_choices, get_args(annotation))), None)


class _ListMetrics(Action):
    """Action of an option that prints the catalogue of metrics and exits."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: object, option_string: str | None = None
    ) -> None:
        from tabulate import tabulate

        from aporia_provider.monitoring.catalogue import CATALOGUE
        from aporia_provider.monitoring.performance import ALIASES

        rows = [
            (
                metric.name,
                metric.kind,
                ", ".join(metric.types),
                ", ".join((*metric.shared_parameters, *metric.parameters)),
                metric.description.replace("`", ""),
            )
            for metric in CATALOGUE
        ]
        rows += [(alias, "performance", "", "", f"other name of {name}") for alias, name in ALIASES.items()]
        print(tabulate(rows, headers=("metric", "kind", "types", "parameters", "meaning")))
        parser.exit()


def _run(options: Namespace) -> int:
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.metric_results import failed_results

    if options.format == "parquet" and options.output is None:
        raise ValidationError("Parquet is not text: name a file with --output")
    query = _query(options)
    environment = options.environment or settings.environment()
    with EmbeddedRegistry(options.database_url or settings.database_url(), environment) as registry:
        results = registry.query_metrics(query)
    if options.version is None:
        for version in dict.fromkeys(_versions(results)):
            print(f"Latest version: {version}", file=sys.stderr)
    errors = dict.fromkeys(f"{result.id}: {result.error}" for _, result in failed_results(results))
    if options.format in ("json", "csv", "parquet") or not errors:
        _write(options, query, results)
    for error in errors:
        print(f"aporia-provider: {error}", file=sys.stderr)
    return 1 if errors else 0


def _write(options: Namespace, query: MetricsQuery, results: list[RangeResults]) -> None:
    if options.output is None:
        print(_text(options, query, results).rstrip(), file=options.answers)
        return
    try:
        Path(options.output).write_bytes(_content(options, query, results))
    except OSError as error:
        raise ValidationError(f"--output: {options.output} cannot be written: {error.strerror}") from None


def _content(options: Namespace, query: MetricsQuery, results: list[RangeResults]) -> bytes:
    from aporia_provider.metric_export import metric_rows, to_parquet

    if options.format == "parquet":
        return to_parquet(metric_rows(query, results))
    return f"{_text(options, query, results).rstrip()}\n".encode()


def _text(options: Namespace, query: MetricsQuery, results: list[RangeResults]) -> str:
    from aporia_provider.metric_export import metric_rows, to_csv, to_json
    from aporia_provider.report import as_table

    if options.format == "json":
        return to_json([item.to_json() for item in results], indent=2)
    if options.format == "csv":
        return to_csv(metric_rows(query, results))
    is_terminal = options.output is None and options.answers.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    return as_table(query, map(_with_options, results), width)


def _with_options(item: RangeResults) -> RangeResults:
    """Return results whose reasons name options of this command instead of parameters."""
    return replace(
        item, metrics=[replace(result, reason=_in_options(result.reason)) for result in item.metrics]
    )


def _in_options(reason: str | None) -> str | None:
    if reason is None:
        return None
    reason = _MINIMUM.sub(lambda match: f"give {_option(match[1])} {match[2]}", reason)
    for word, period in _PERIODS.items():
        reason = reason.replace(f'aggregation_period="{period}"', f"--by {word}")
    return reason.replace("an aggregation_period", "--by")


def _versions(results: Iterable[RangeResults]) -> Iterator[str]:
    for item in results:
        yield from (result.model_version for result in item.metrics if result.model_version is not None)


def _query(options: Namespace) -> MetricsQuery:
    from aporia_provider.metrics import MetricParameters, MetricsQuery

    values = {name: getattr(options, name) for name in MetricParameters.model_fields if name != "column"}
    parameters = {name: value for name, value in values.items() if value is not None}
    questions = [
        {
            "id": f"{metric} {column or ''}".strip(),
            "metric": metric,
            "parameters": {**parameters, "column": column},
            "datasets": _datasets(options),
        }
        for metric, column in product(options.metrics, options.column or [None])
    ]
    period = _PERIODS.get(options.by)
    body = {"model_id": options.model, "metrics": questions, "aggregation_period": period}
    try:
        return MetricsQuery.from_wire(body)
    except ValidationError as error:
        # All metrics of the command have the same parameters.
        problems = dict.fromkeys(_PARAMETER_PATH.sub(_named_option, problem) for problem in error.problems)
        raise ValidationError("The query is not valid", problems=list(problems)) from None


def _named_option(path: re.Match[str]) -> str:
    return _option(path[1])


def _datasets(options: Namespace) -> dict[str, Any]:
    has_range = options.start is not None or options.end is not None
    time_range = {"start": options.start, "end": options.end} if has_range else None
    return {
        "data": {
            "dataset_type": options.dataset,
            "model_version": options.version,
            "time_range": time_range,
            "segment": options.segment,
        },
        "baseline": _baseline(options),
    }


def _baseline(options: Namespace) -> dict[str, Any] | None:
    """Return the baseline; None if no option of it is given, so that each metric has its own default."""
    baseline = {
        "model_version": options.baseline_version,
        "time_period": options.baseline_period,
        "skip_period": options.baseline_skip,
    }
    if options.baseline_segment is not None:
        baseline["segment"] = options.baseline_segment
    if options.baseline is None and not any(baseline.values()):
        return None
    return {
        "dataset_type": options.baseline or ("serving" if options.baseline_period else "training"),
        **baseline,
    }

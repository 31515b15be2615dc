"""Command ``aporia-provider compare``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from aporia_provider.cli.answer_lines import line_of
from aporia_provider.cli.registry_access import opened_registry, with_common_options
from aporia_provider.datasets import ROLES
from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_compare(commands: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command and return its parser. The caller adds the option ``--database-url``."""
    parser = commands.add_parser(
        "compare",
        help="judge whether a version of a model is not worse than another",
        description="Print pass, fail or insufficient, with the interval of the improvement. The exit status "
        "is 0 for pass, 1 otherwise.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("champion", metavar="CHAMPION", help="name of the version in use")
    parser.add_argument("challenger", metavar="CHALLENGER", help="name of the version that may replace it")
    parser.add_argument("metric", metavar="METRIC", help="such as auc_roc, f1 or rmse")
    parser.add_argument(
        "--margin", type=float, required=True, help="greatest acceptable loss, in units of the metric"
    )
    parser.add_argument(
        "--dataset", choices=ROLES, help="default: testing if both versions have labels there, else serving"
    )
    parser.add_argument("--start", metavar="TIME", help="such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)")
    parser.add_argument("--end", metavar="TIME", help="end of the range, not part of it")
    parser.add_argument("--segment", metavar="NAME", help="segment of the rows; default: all rows")
    parser.add_argument("--value", help="value of the segment, the label of one of its terms")
    for name in ("column", "threshold", "k", "class-name", "average", "gain", "minimum", "confidence"):
        parser.add_argument(f"--{name}", help=f"parameter {name.replace('-', '_')} of the metric")
    parser.set_defaults(run=_run)
    return with_common_options([parser])[0]


def _run(options: Namespace) -> int:
    names = ("column", "threshold", "k", "class_name", "average", "gain", "minimum", "confidence")
    with opened_registry(options) as registry:
        comparison = registry.compare_versions(
            options.model,
            options.champion,
            options.challenger,
            options.metric,
            options.margin,
            dataset_type=options.dataset,
            start=options.start,
            end=options.end,
            segment=_segment(options),
            **{name: getattr(options, name) for name in names if getattr(options, name) is not None},
        )
    answer = comparison.to_json()
    lines = (line_of(name, _text(value)) for name, value in answer.items() if value is not None)
    print(json.dumps(answer, indent=2) if options.json else "\n".join(lines), file=options.answers)
    return 0 if comparison.outcome == "pass" else 1


def _segment(options: Namespace) -> dict[str, str] | None:
    if (options.segment is None) != (options.value is None):
        raise ValidationError("Give both --segment and --value, or neither")
    return None if options.segment is None else {"id": options.segment, "value": options.value}


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)

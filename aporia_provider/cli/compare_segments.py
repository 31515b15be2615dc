"""Command ``aporia-provider compare-segments``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aporia_provider.cli.answer_lines import line_of
from aporia_provider.cli.registry_access import opened_registry, with_common_options
from aporia_provider.datasets import ROLES

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_PARAMETERS = ("column", "threshold", "minimum", "confidence")


def add_compare_segments(commands: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command and return its parser. The caller adds the option ``--database-url``."""
    parser = commands.add_parser(
        "compare-segments",
        help="judge whether a rate of two values of a segment meets the four-fifths rule",
        description="Print pass, fail or insufficient, with the intervals of the ratio and of the "
        "difference. The exit status is 0 for pass, 1 otherwise.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("metric", metavar="METRIC", help="such as positive_rate, accuracy or recall")
    parser.add_argument("segment", metavar="SEGMENT", help="name of the segment")
    parser.add_argument("value", metavar="VALUE", help="label of a term of the segment")
    parser.add_argument("reference", metavar="REFERENCE", help="label of the term it is compared with")
    parser.add_argument("--version", help="default: the latest")
    parser.add_argument("--dataset", choices=ROLES, default="serving", help="default: %(default)s")
    parser.add_argument("--start", metavar="TIME", help="such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)")
    parser.add_argument("--end", metavar="TIME", help="end of the range, not part of it")
    for name in _PARAMETERS:
        parser.add_argument(f"--{name}", help=f"parameter {name} of the metric")
    parser.set_defaults(run=_run)
    return with_common_options([parser])[0]


def _run(options: Namespace) -> int:
    with opened_registry(options) as registry:
        comparison = registry.compare_segments(
            options.model,
            options.metric,
            options.segment,
            options.value,
            options.reference,
            model_version=options.version,
            dataset_type=options.dataset,
            start=options.start,
            end=options.end,
            **{name: getattr(options, name) for name in _PARAMETERS if getattr(options, name) is not None},
        )
    answer = comparison.to_json()
    numbers = {name: f"{it:.6g}" if isinstance(it, float) else it for name, it in answer.items()}
    lines = (line_of(name, value) for name, value in numbers.items() if value is not None)
    print(json.dumps(answer, indent=2) if options.json else "\n".join(lines), file=options.answers)
    return 0 if comparison.outcome == "pass" else 1

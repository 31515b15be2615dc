"""Health reports and comparisons of versions as tables, for logs and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from aporia_provider.health.health_report import MOST_FINDINGS, HealthFinding, HealthReport
from aporia_provider.markdown_tables import markdown_table, markdown_text
from aporia_provider.version_comparisons import VersionComparison

_HEALTH = ("outcome", "check", "name", "value", "low", "high", "limits", "samples", "until", "reason")


def health_title(report: HealthReport) -> str:
    """Return the outcome of a report in one line."""
    return f"Health of version {report.model_version!r} of model {report.model_id!r}: {report.outcome}"


def health_table(report: HealthReport) -> str:
    """Return a report as a table with a row for each finding, failed ones first."""
    return "\n".join([_table(_HEALTH, _health_rows(report)), *_left_out(report)])


def health_markdown(report: HealthReport) -> str:
    """Return a report as Markdown, such as the body of a human decision."""
    subject = f"version {report.model_version!r} of model {report.model_id!r}"
    title = f"**{report.outcome}**: {markdown_text(subject)}"
    table = markdown_table(_HEALTH, _health_rows(report))
    return "\n\n".join([title, table, *_left_out(report)]) + "\n"


def comparison_title(comparison: VersionComparison) -> str:
    """Return the outcome of a comparison, with the interval of the improvement, in one line."""
    if comparison.improvement is None:
        return f"{comparison.outcome}: {comparison.metric} cannot be compared"
    return (
        f"{comparison.outcome}: {comparison.metric} improves by {comparison.improvement:+.4g} "
        f"({_number(comparison.low)} to {_number(comparison.high)}); the margin is {comparison.margin:g}"
    )


def comparison_table(comparison: VersionComparison, champion: str, challenger: str) -> str:
    """Return a comparison as a table with a row for each version."""
    headers, rows = _comparison(comparison, champion, challenger)
    return "\n".join([_table(headers, rows), *_notes(comparison)])


def comparison_markdown(comparison: VersionComparison, model_id: str, champion: str, challenger: str) -> str:
    """Return a comparison as Markdown, such as the body of a human decision."""
    headers, rows = _comparison(comparison, champion, challenger)
    title = (
        f"Model {markdown_text(model_id)}: **{comparison.outcome}**. "
        f"{comparison_title(comparison).partition(': ')[2]}."
    )
    table = markdown_table([markdown_text(header) for header in headers], rows)
    return "\n\n".join([title, table, *map(markdown_text, _notes(comparison))]) + "\n"


def _comparison(
    comparison: VersionComparison, champion: str, challenger: str
) -> tuple[list[str], list[list[str]]]:
    headers = ["version", f"{comparison.metric} ({comparison.better} is better)", "samples"]
    rows = [
        [f"{champion} (champion)", _number(comparison.champion), f"{comparison.champion_samples:,}"],
        [f"{challenger} (challenger)", _number(comparison.challenger), f"{comparison.challenger_samples:,}"],
    ]
    return headers, rows


def _notes(comparison: VersionComparison) -> list[str]:
    notes = [f"Dataset: {comparison.dataset_type}"]
    if comparison.segment is not None:
        notes.append(f"Segment: {comparison.segment['id']}: {comparison.segment['value']}")
    if comparison.detectable is not None:
        notes.append(f"A difference of {comparison.detectable:.4g} would have been detected (power 80 %)")
    if comparison.rows_needed is not None and comparison.outcome == "insufficient":
        notes.append(f"About {comparison.rows_needed:,} rows of each version are needed")
    return [*notes, *([comparison.reason] if comparison.reason else [])]


def _health_rows(report: HealthReport) -> list[list[str]]:
    return [_row(finding) for finding in report.sorted_findings[:MOST_FINDINGS]]


def _row(finding: HealthFinding) -> list[str]:
    return [
        finding.outcome,
        finding.check,
        finding.name,
        _number(finding.value),
        _number(finding.low),
        _number(finding.high),
        limits_text(finding),
        "" if finding.samples is None else f"{finding.samples:,}",
        finding.end or "",
        finding.reason or "",
    ]


def limits_text(finding: HealthFinding) -> str:
    """Return the limits of a finding, such as ``at least 0.9``; an empty text if there are none."""
    parts = [
        None if finding.min is None else f"at least {finding.min:.6g}",
        None if finding.max is None else f"at most {finding.max:.6g}",
    ]
    return ", ".join(filter(None, parts))


def _left_out(report: HealthReport) -> list[str]:
    count = len(report.findings) - MOST_FINDINGS
    return [f"{count:,} more findings are left out"] if count > 0 else []


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate

    kept = [index for index in range(len(headers)) if any(row[index] for row in rows)]
    cells = [[row[index] for index in kept] for row in rows]
    return str(tabulate(cells, headers=[headers[index] for index in kept], disable_numparse=True))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"

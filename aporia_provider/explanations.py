"""Explanations of changes of performance, in Python, in JSON and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aporia_provider.markdown_tables import markdown_text as cell
from aporia_provider.segment_changes import SegmentChange, TermChange, ranked_terms, segment_lines


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """
    Drift of a field between two periods.

    :param field: Name of the field, preceded by its category.
    :param drift: Drift above its noise and bound, ``excess`` of ``drift_score``.
    :param importance: Importance of the feature; None if the version has none for it.
    """

    field: str
    drift: float
    importance: float | None = None

    @property
    def weight(self) -> float:
        """Drift times importance, by which fields are sorted. Without an importance, the drift."""
        return self.drift if self.importance is None else self.drift * abs(self.importance)


@dataclass(frozen=True, kw_only=True)
class FirstCommit:
    """
    The first commit of a table that added rows of some windows, or why it is not known.

    :param role: Role of the dataset: ``serving`` or ``actuals``.
    :param table_uri: The table, if it is a Delta table.
    :param version: Version that the commit created; None if it is not known.
    :param time: Time of the commit, in ISO format.
    :param operation: Operation of the writer, such as ``WRITE``.
    :param writer: Engine, user and applications that made the commit, as far as the log names them.
    :param dag_id: Id of the Airflow DAG that made it, if the commit contains it.
    :param run_id: Id of its run.
    :param task_id: Id of its task.
    :param reason: Why the commit is not known, or which commits were not read.
    """

    role: str
    table_uri: str | None = None
    version: int | None = None
    time: str | None = None
    operation: str | None = None
    writer: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    reason: str | None = None

    @property
    def run(self) -> str | None:
        """DAG, run and task in one text; None if the commit contains none of them."""
        return " / ".join(part for part in (self.dag_id, self.run_id, self.task_id) if part) or None


@dataclass(frozen=True, kw_only=True)
class ChangeExplanation:
    """
    Division of the change of a metric between two periods.

    The rows are those that have labels. ``other_inputs`` and ``other_labels`` add up to ``change``.

    :param metric: Name of the metric.
    :param model_version: Name of the version.
    :param before: The metric in the earlier period; None if there is none.
    :param after: The metric in the later period.
    :param change: ``after`` minus ``before``.
    :param other_inputs: Part due to another distribution of the scores: the change that results if the share
        of positive labels at each score does not change.
    :param other_labels: Part due to other labels at the same scores.
    :param low: Lower bound of the interval that contains ``other_labels``, with the probability
        ``confidence``, if the share of positive labels at each score has not changed.
    :param high: Upper bound of this interval.
    :param p_value: Probability of such ``other_labels`` if the shares have not changed.
    :param samples: Number of labelled rows in the later period.
    :param baseline_samples: Number of labelled rows in the earlier period.
    :param fields: Fields whose drift is more than twice its noise, greatest weight first. Drift is associated
        with the change, and is not necessarily its cause.
    :param segments: Changes in the terms of the segments of the model. The contributions of the terms of each
        one that is divided add up to ``change``.
    :param reason: Why there is no division, or notes on it.
    :param first_commits: Of an alert: the first commit of the serving table that added rows of the failed
        windows, and the first commit of the table of the actuals with labels that are not older than these.
    """

    metric: str
    model_version: str | None = None
    before: float | None = None
    after: float | None = None
    change: float | None = None
    other_inputs: float | None = None
    other_labels: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    samples: int = 0
    baseline_samples: int = 0
    fields: Sequence[FieldChange] = ()
    reason: str | None = None
    first_commits: Sequence[FirstCommit] = ()
    segments: Sequence[SegmentChange] = ()

    @property
    def named_terms(self) -> list[TermChange]:
        """Terms of segments whose metric has changed, greatest weight first."""
        return [term for term in ranked_terms(self.segments) if term.named]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            **asdict(self),
            "fields": [asdict(field) for field in self.fields],
            "first_commits": [asdict(commit) for commit in self.first_commits],
            "segments": [segment.to_dict() for segment in self.segments],
        }

    def to_markdown(self) -> str:
        """Return the explanation as Markdown."""
        lines = [f"**{self.metric}**: {_number(self.before)} → {_number(self.after)}"]
        if self.change is not None and self.other_labels is not None:
            lines += [
                "",
                "| Part | Change |",
                "| --- | --- |",
                f"| other inputs (distribution of the scores) | {_signed(self.other_inputs)} |",
                f"| other labels at the same scores | {_signed(self.other_labels)} |",
                f"| total | {_signed(self.change)} |",
                "",
                self._judgement(),
            ]
        if self.segments:
            lines += ["", *segment_lines(self.segments)]
        if self.fields:
            lines += ["", "| Field | Drift above noise | Importance |", "| --- | --- | --- |"]
            lines += [f"| {cell(one.field)} | {one.drift:.4g} | {_importance(one)} |" for one in self.fields]
        if self.first_commits:
            lines += ["", "| First commit with rows of the windows | Time | Writer | Airflow |"]
            lines += ["| --- | --- | --- | --- |", *map(_commit_row, self.first_commits)]
        if self.reason:
            lines += ["", cell(self.reason)]
        return "\n".join(lines) + "\n"

    def _judgement(self) -> str:
        if self.low is None or self.high is None or self.other_labels is None:
            return "There is no interval."
        inside = self.low <= self.other_labels <= self.high
        limits = f"{_signed(self.low)} to {_signed(self.high)}"
        verdict = "is within" if inside else "is not within"
        return f"The part of other labels {verdict} what sampling alone explains ({limits})."


def _commit_row(commit: FirstCommit) -> str:
    if commit.version is None:
        return f"| {commit.role}: unknown, since {cell(commit.reason or 'the log was not read')} | | | |"
    what = (
        f"version {commit.version} ({commit.operation})" if commit.operation else f"version {commit.version}"
    )
    note = f"; {commit.reason}" if commit.reason else ""
    writer, run = cell(commit.writer or ""), cell(commit.run or "")
    return f"| {commit.role}: {cell(what + note)} | {commit.time} | {writer} | {run} |"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"


def _signed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.6f}"


def _importance(change: FieldChange) -> str:
    return "" if change.importance is None else f"{change.importance:.4g}"

"""Verdicts on the freshness and volume of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.freshness.commits import TableCommit, Writes, typical_gap
from aporia_provider.monitoring.freshness.lateness import GapModel, KnownSince, judge_gap, judge_late
from aporia_provider.monitoring.freshness.nulls import judge_null_shares
from aporia_provider.monitoring.freshness.schema_changes import judge_schema
from aporia_provider.monitoring.freshness.seasons import DAY, HOUR, Calendar, Season
from aporia_provider.monitoring.freshness.volume import ClosedBuckets, Period, judge_volume, usual_period
from aporia_provider.verdicts import Outcome, Verdict

FRESHNESS_METRICS: Final[dict[str, str]] = {
    "late": "number of seconds for which the next write is late",
    "commit_gap": "seconds between the last two writes",
    "rows_added": "number of rows added in the last closed hour or day",
    "files_added": "number of files added in the last closed hour or day",
    "schema_changed": "number of commits that changed the schema since the start of that hour or day",
    "null_share": "share of nulls of a column in the rows added in that hour or day",
}
"""Names of the metrics, to their descriptions."""


@dataclass(frozen=True, kw_only=True)
class FreshnessSettings:
    """
    How tables are judged.

    :param probability: Probability that a value that follows the past ones passes. With 0.99, one gap in 100
        of a table without any fault is late.
    :param max_gap: Longest allowed gap between writes, and between the creation of a table and its first
        write. Default: learned for each table.
    :param timezone: Time zone of hours, weekdays and days of the month.
    :param period: Length of the buckets (``hour`` or ``day``) of ``rows_added``, ``files_added`` and
        ``null_share``. Default: hours for about three writes an hour or more, otherwise days.
    :raises aporia_provider.errors.ValidationError: if a value is invalid.
    """

    probability: float = 0.99
    max_gap: timedelta | None = None
    timezone: str = "UTC"
    period: Period | None = None

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise ValidationError("The settings of freshness are invalid", problems=faults)

    @property
    def zone(self) -> tzinfo:
        """The time zone."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)

    def _faults(self) -> Iterator[str]:
        if not 0.5 < self.probability < 1:
            yield f"probability: {self.probability} is not between 0.5 and 1"
        if self.max_gap is not None and self.max_gap <= timedelta():
            yield f"max_gap: {self.max_gap} is not positive"
        if self.period not in (None, *get_args(Period)):
            yield f"period: {self.period!r} is none of {', '.join(map(repr, get_args(Period)))}"
        try:
            ZoneInfo(self.timezone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            yield f"timezone: {self.timezone!r} is not the name of a time zone, such as Europe/Berlin"


@dataclass(frozen=True, kw_only=True)
class TableHealth:
    """
    Verdicts on the freshness and volume of a table.

    :param verdicts: One verdict for each metric, and of ``null_share`` one for each column.
    :param last_write: Time of the last commit that changed rows; None if there is none.
    :param late_after: Time after which the next write is late; None if there is too little data.
    :param season: Season of the gaps between writes.
    :param bucket_start: Start of the last closed bucket with a commit, whose volume was judged; None if there
        is none.
    :param bucket_end: End of the bucket, exclusive.
    """

    verdicts: tuple[Verdict, ...]
    last_write: datetime | None
    late_after: datetime | None
    season: Season
    bucket_start: datetime | None
    bucket_end: datetime | None

    def verdict(self, metric: str) -> Verdict:
        """Return the verdict of a metric; of ``null_share``, that with the greatest effect."""
        verdicts = [verdict for verdict in self.verdicts if verdict.metric == metric]
        if not verdicts:
            reason = "no file of the last closed bucket has statistics of nulls"
            return Verdict(outcome="insufficient", metric=metric, reason=reason)
        return max(verdicts, key=lambda verdict: (verdict.outcome == "fail", verdict.effect))

    @property
    def outcome(self) -> Outcome:
        """``fail`` if a verdict fails, else ``pass`` if one passes, else ``insufficient``."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        return "fail" if "fail" in outcomes else "pass" if "pass" in outcomes else "insufficient"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, in which only the failed columns of ``null_share`` and one more are named."""
        shares = [verdict for verdict in self.verdicts if verdict.metric == "null_share"]
        failed = [verdict for verdict in shares if verdict.outcome == "fail"]
        return {
            "outcome": self.outcome,
            "last_write": _text(self.last_write),
            "late_after": _text(self.late_after),
            "season": self.season,
            "bucket_start": _text(self.bucket_start),
            "bucket_end": _text(self.bucket_end),
            "verdicts": {metric: self.verdict(metric).to_json() for metric in FRESHNESS_METRICS},
            "failed_columns": [verdict.to_json() for verdict in failed],
        }


def judge_table(
    commits: Sequence[TableCommit],
    now: datetime,
    settings: FreshnessSettings | None = None,
    *,
    is_complete: bool = True,
    column_names: Mapping[str, str] | None = None,
) -> TableHealth:
    """
    Return the verdicts on a table.

    :param commits: The newest commits of the table; those that do not change rows count for the schema only.
        Commits after ``now`` are left out.
    :param now: Time of the verdicts, with a time zone.
    :param settings: How the table is judged. Default: :class:`FreshnessSettings` without arguments.
    :param is_complete: Whether the first commit is that which created the table.
    :param column_names: Physical names of columns to their names, where they differ.
    """
    settings, second = settings or FreshnessSettings(), now.timestamp()
    past_commits = sorted(
        (commit for commit in commits if commit.time <= now), key=lambda commit: commit.time
    )
    data_commits = [commit for commit in past_commits if commit.data_change]
    times = np.array([commit.time.timestamp() for commit in data_commits], np.float64)
    writes = Writes.of(times)
    calendar = Calendar.of(writes.starts, settings.zone)
    model = GapModel.of(writes, calendar)
    period = settings.period or usual_period(typical_gap(writes.gaps))
    buckets = ClosedBuckets.of(data_commits, second, calendar, period, is_complete=is_complete)
    window = DAY if period == "day" else HOUR
    since = min(buckets.start if buckets.start is not None else second - window, second - window)
    max_gap = settings.max_gap.total_seconds() if settings.max_gap is not None else None
    known_since = KnownSince(past_commits[0].time.timestamp() if past_commits else None, is_complete)
    return TableHealth(
        verdicts=(
            judge_late(model, second, settings.probability, max_gap, known_since),
            judge_gap(model, settings.probability),
            judge_volume(buckets, "rows_added", lambda commit: commit.new_rows, settings.probability),
            judge_volume(buckets, "files_added", lambda commit: commit.files_added, settings.probability),
            judge_schema(past_commits, since, window, settings.probability, is_complete=is_complete),
            *judge_null_shares(buckets, settings.probability, column_names),
        ),
        last_write=_utc(writes.ends[-1]) if len(times) else None,
        late_after=_late_after(model, settings.probability, max_gap, known_since),
        season=model.season,
        bucket_start=_utc(buckets.start),
        bucket_end=_utc(buckets.end),
    )


def _late_after(
    model: GapModel, probability: float, max_gap: float | None, known_since: KnownSince
) -> datetime | None:
    if max_gap is not None:
        last = float(model.writes.ends[-1]) if len(model.writes.ends) else known_since.time
        return None if last is None else _utc(last + max_gap)
    if model.reason_if_insufficient:
        return None
    return _utc(float(model.writes.ends[-1]) + model.longest_allowed(probability)[0])


def _utc(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

"""Share of nulls in the rows that a table gains, by column, where statistics of files have it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aporia_provider.monitoring.freshness.commits import TableCommit
from aporia_provider.monitoring.freshness.limits import value_range
from aporia_provider.monitoring.freshness.volume import MIN_BUCKETS, ClosedBuckets
from aporia_provider.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MIN_SPREAD = 0.05


@dataclass(frozen=True)
class _Counts:
    """Nulls and rows in the last bucket and in past ones."""

    nulls: int
    rows: int
    past_nulls: Floats
    past_rows: Floats


def judge_null_shares(
    buckets: ClosedBuckets, probability: float, names: Mapping[str, str] | None = None
) -> list[Verdict]:
    """
    Return the verdicts on the share of nulls in the last closed bucket, one for each column with statistics.

    The range is learned from the log odds of past buckets. Their standard deviation is assumed to be at least
    the standard deviation of a binomial share. The probability of a false alarm is divided by the number of
    columns.

    :param buckets: The buckets.
    :param probability: Probability that all shares of a bucket that follows the past ones are in their
        ranges.
    :param names: Physical names of columns to their names, where they differ.
    """
    if not len(buckets.numbers):
        return []
    rows = buckets.totals(lambda commit: commit.rows_added)
    last = _null_totals(buckets.commits[-1])
    if not last or not rows[-1] > 0:
        return []
    alike, _ = buckets.past_like_last(np.log1p(rows))
    past = [(_null_totals(buckets.commits[index]), rows[index]) for index in alike if rows[index] > 0]
    each = 1 - (1 - probability) / len(last)
    verdicts = []
    for column, nulls in last.items():
        shares = [(totals[column], count) for totals, count in past if column in totals]
        past_nulls, past_rows = np.array(shares, np.float64).reshape(-1, 2).T
        counts = _Counts(nulls, int(rows[-1]), past_nulls, past_rows)
        verdicts.append(_judge(_logical(column, names or {}), counts, each))
    return verdicts


def _null_totals(commits: Sequence[TableCommit]) -> dict[str, int]:
    """Return the nulls of the columns for which they are known for all commits that add rows."""
    counts = [commit.null_counts for commit in commits if commit.rows_added != 0]
    if len(counts) < 2:
        return dict(counts[0]) if counts else {}
    return {name: sum(count[name] for count in counts) for name in set(counts[0]).intersection(*counts[1:])}


def _logical(physical: str, names: Mapping[str, str]) -> str:
    """Return the name of a column, of whose nested parts only the first is translated."""
    first, separator, rest = physical.partition(".")
    return f"{names[first]}{separator}{rest}" if first in names else physical


def _judge(column: str, counts: _Counts, probability: float) -> Verdict:
    share, days = counts.nulls / counts.rows, len(counts.past_rows)
    if days < MIN_BUCKETS:
        return Verdict(
            outcome="insufficient",
            metric="null_share",
            field=column,
            value=share,
            samples=counts.rows,
            reason=f"{days} earlier values; at least {MIN_BUCKETS} are needed",
        )
    usual = float(np.median(counts.past_nulls / counts.past_rows))
    limits = value_range(
        _log_odds(counts.past_nulls, counts.past_rows), probability, _spread(usual, counts.rows)
    )
    assert limits is not None  # noqa: S101
    odds = float(_log_odds(counts.nulls, counts.rows))
    distance = max(limits[0] - odds, odds - limits[1], 0.0)
    low, high = (_share(limit, counts.rows) for limit in limits)
    reason = f"{low:.2%} to {high:.2%} are expected, learned from {days} earlier values"
    return Verdict(
        outcome="fail" if distance else "pass",
        metric="null_share",
        field=column,
        value=share,
        baseline_value=usual,
        low=low,
        high=high,
        effect=distance,
        samples=counts.rows,
        baseline_samples=int(counts.past_rows.sum()),
        reason=reason if distance else None,
    )


def _log_odds(nulls: Floats | int, rows: Floats | int) -> Floats:
    odds: Floats = np.log((nulls + 0.5) / np.maximum(rows - nulls + 0.5, 0.5))
    return odds


def _spread(share: float, rows: int) -> float:
    """Return the standard deviation of the log odds of a share, approximately."""
    binomial = math.sqrt(1 / (share * rows + 0.5) + 1 / ((1 - share) * rows + 0.5))
    return max(binomial, _MIN_SPREAD)


def _share(log_odds: float, rows: int) -> float:
    """Return the share for which the log odds of a number of rows have a value."""
    nulls = (rows + 1) / (1 + math.exp(-min(max(log_odds, -700.0), 700.0))) - 0.5
    return min(max(nulls / rows, 0.0), 1.0)

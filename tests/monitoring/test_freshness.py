"""When a table is late, and whether what it gained is usual, for histories whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import t as student

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.freshness import FreshnessSettings, TableHealth, judge_table
from aporia_provider.monitoring.freshness.commits import Writes
from aporia_provider.monitoring.freshness.lateness import GapModel, duration, judge_late
from aporia_provider.monitoring.freshness.limits import student_quantile, upper_limit
from aporia_provider.monitoring.freshness.seasons import Calendar
from tests.monitoring.commit_times import (
    MONDAY,
    Commit,
    by_day_in_hours,
    commits,
    daily,
    in_bursts,
    in_office_hours,
    monthly,
    on_first_and_fifth,
    on_weekdays,
)
from tests.sizes import sized

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def late_at(times: Sequence[datetime], after: timedelta, **more: object) -> str:
    """The outcome of ``late`` some time after the last of some commits."""
    health = judge_table(commits(times), times[-1] + after, FreshnessSettings(**more))  # type: ignore[arg-type]
    return health.verdict("late").outcome


class TestLate:
    @pytest.mark.parametrize(
        ("times", "season", "in_time", "late"),
        [
            pytest.param(daily(60), "none", 26 * HOUR, 28 * HOUR, id="daily"),
            # The last commit is on a Friday, the next one on Monday.
            pytest.param(on_weekdays(10), "weekday", 73 * HOUR, 90 * HOUR, id="on weekdays"),
            pytest.param(on_weekdays(10)[:-1], "weekday", 25 * HOUR, 30 * HOUR, id="on weekdays, Thursday"),
            # The last commit is at 20:00, the next one at 7:00.
            pytest.param(by_day_in_hours(30), "hour", 11.5 * HOUR, 14 * HOUR, id="hourly by day"),
            pytest.param(
                by_day_in_hours(30)[:-3], "hour", 1.1 * HOUR, 2 * HOUR, id="hourly by day, at 17:00"
            ),
            pytest.param(
                in_office_hours(6), "hour_of_week", 60 * HOUR, 90 * HOUR, id="in office hours, Friday"
            ),
            pytest.param(
                in_office_hours(6)[:-14],
                "hour_of_week",
                11.5 * HOUR,
                17 * HOUR,
                id="in office hours, Thursday",
            ),
            pytest.param(monthly(12), "none", 31 * DAY, 37 * DAY, id="monthly"),
            pytest.param(
                on_first_and_fifth(24), "day_of_month", 27 * DAY, 31 * DAY, id="twice a month, the 5th"
            ),
            pytest.param(
                on_first_and_fifth(24)[:-1], "day_of_month", 4.1 * DAY, 6 * DAY, id="twice a month, the 1st"
            ),
            pytest.param(in_bursts(60), "none", 26 * HOUR, 28 * HOUR, id="in bursts"),
        ],
    )
    def test_schedules(self, times: list[datetime], season: str, in_time: timedelta, late: timedelta) -> None:
        assert late_at(times, in_time) == "pass"
        assert late_at(times, late) == "fail"
        assert judge_table(commits(times), times[-1]).season == season

    def test_the_number_of_seconds(self) -> None:
        times = daily(150)
        health = judge_table(commits(times), times[-1] + 2 * DAY)
        # Equal gaps: the standard deviation is assumed to be 5 %, and there are more than 99 of them.
        limit = 24 * 3600 * math.exp(0.05 * NormalDist().inv_cdf(0.99))
        verdict = health.verdict("late")
        assert verdict.value == pytest.approx(48 * 3600 - limit)
        assert health.late_after is not None
        assert (health.late_after - times[-1]).total_seconds() == pytest.approx(limit)
        assert verdict.reason == (
            "the last write was at 2024-05-29T02:00:00+00:00, 2 d ago; at most 26 h 58 min was expected, "
            "learned from 149 gaps"
        )

    def test_the_first_weeks(self) -> None:
        """After a first week of weekdays, nothing is known of the weekend; after three, it is."""
        assert late_at(on_weekdays(1), 2 * DAY) == "insufficient"
        assert late_at(on_weekdays(2), 2 * DAY) == "insufficient"
        for weeks in (3, 4, 5):
            assert late_at(on_weekdays(weeks), 3 * DAY) == "pass", weeks
            assert late_at(on_weekdays(weeks), 8 * DAY) == "fail", weeks

    def test_a_table_that_was_never_written(self) -> None:
        made = Commit(MONDAY, data_change=False, changes_metadata=True)
        for history in ([], [made]):
            health = judge_table(history, MONDAY + 99 * DAY)
            verdict = health.verdict("late")
            assert (verdict.outcome, verdict.reason) == ("insufficient", "no commit has changed rows")

    @pytest.mark.parametrize(
        ("hours", "is_complete", "outcome", "late"),
        [
            (25, True, "pass", 0),
            (27, True, "fail", 1),
            (27, False, "fail", 1),
            (25, False, "insufficient", 0),
        ],
    )
    def test_a_limit_for_a_table_that_was_never_written(
        self, hours: int, is_complete: bool, outcome: str, late: int
    ) -> None:
        """The time since it was created counts; before the oldest commit known, it may have been written."""
        history = [
            Commit(MONDAY, data_change=False, changes_metadata=True),
            Commit(MONDAY + 20 * HOUR, data_change=False, changes_metadata=True),
        ]
        settings = FreshnessSettings(max_gap=26 * HOUR)
        health = judge_table(history, MONDAY + hours * HOUR, settings, is_complete=is_complete)
        verdict = health.verdict("late")
        assert (verdict.outcome, verdict.value) == (outcome, late * 3600)
        assert health.late_after == MONDAY + 26 * HOUR
        what = "the table was created" if is_complete else "the oldest known commit was made"
        reason = f"no commit has changed rows since {what} at 2024-01-01T"
        assert (verdict.reason or "").startswith(reason)

    def test_a_limit_without_any_commit(self) -> None:
        verdict = judge_table([], MONDAY, FreshnessSettings(max_gap=DAY)).verdict("late")
        assert (verdict.outcome, verdict.reason) == ("insufficient", "no commit is known")

    def test_a_table_that_is_never_written_again_stays_late(self) -> None:
        """The time since the last write is not learned from, however long it is."""
        times = daily(30)
        assert {late_at(times, days * DAY) for days in (2, 20, 200, 2000)} == {"fail"}

    def test_a_commit_at_an_unusual_hour_does_not_hide_the_end(self) -> None:
        times = [*on_weekdays(8), MONDAY + timedelta(days=54, hours=15)]
        assert times[-1].weekday() == 5
        assert late_at(times, 2 * DAY) == "pass"
        assert late_at(times, 6 * DAY) == "fail"

    def test_an_outage_in_the_past_is_not_usual(self) -> None:
        times = [time for time in daily(90) if not 40 <= (time - MONDAY).days < 54]
        assert late_at(times, 30 * HOUR) == "fail"

    def test_commits_around_midnight(self) -> None:
        """Writers on weekdays, some minutes before or after midnight."""
        times = [
            time + (-1) ** index * timedelta(minutes=9) for index, time in enumerate(on_weekdays(12, 24))
        ][:-1]
        assert times[-1].weekday() in (3, 4)
        assert late_at(times, 73 * HOUR) == "pass"
        assert late_at(times, 90 * HOUR) == "fail"

    def test_the_clock_of_a_zone_with_daylight_saving(self) -> None:
        """Eleven at night in London is another weekday in UTC in winter only: Friday's gap is kept apart."""
        from zoneinfo import ZoneInfo

        zone = ZoneInfo("Europe/London")
        local = [datetime(2024, 1, 1, 0, 30, tzinfo=zone) + timedelta(days=day) for day in range(124)]
        times = [time.astimezone(UTC) for time in local if time.weekday() < 5]
        assert local[len(local) - 1].weekday() == 4
        assert late_at(times, 73 * HOUR, timezone="Europe/London") == "pass"
        assert late_at(times, 90 * HOUR, timezone="Europe/London") == "fail"

    def test_a_limit_of_the_user(self) -> None:
        assert late_at(daily(2), 25 * HOUR, max_gap=26 * HOUR) == "pass"
        assert late_at(daily(2), 27 * HOUR, max_gap=26 * HOUR) == "fail"

    def test_a_writer_whose_clock_is_ahead(self) -> None:
        assert late_at(daily(30), -HOUR) == "pass"

    def test_compaction_is_not_a_write(self) -> None:
        history = [*commits(daily(30)), Commit(MONDAY + 31 * DAY, data_change=False)]
        assert judge_table(history, MONDAY + 31 * DAY).verdict("late").outcome == "fail"

    @given(
        gap=st.floats(60, 40 * 86400),
        count=st.integers(5, 300),
        share=st.floats(0, 1),
        start=st.integers(0, 10**9),
    )
    @hypothesis_settings(max_examples=sized(10, 40))
    def test_on_schedule_is_never_late(self, gap: float, count: int, share: float, start: int) -> None:
        times = start + gap * np.arange(count)
        assert model_of(times, float(times[-1]) + share * gap) in ("pass", "insufficient")

    @given(
        gaps=st.lists(st.floats(0.5, 2), min_size=15, max_size=120),
        scale=st.floats(1, 50),
    )
    @hypothesis_settings(max_examples=sized(10, 40))
    def test_the_unit_of_time_does_not_matter(self, gaps: list[float], scale: float) -> None:
        logs = np.log(gaps)
        first, second = (upper_limit(logs + shift, 0.99, 0.05) for shift in (0.0, math.log(scale)))
        assert first is not None
        assert second is not None
        assert math.exp(second) == pytest.approx(scale * math.exp(first))


def model_of(times: np.ndarray, now: float) -> str:
    writes = Writes.of(times)
    return judge_late(GapModel.of(writes, Calendar.of(writes.starts, UTC)), now, 0.99, None).outcome


@pytest.mark.slow
def test_the_rate_of_false_alarms() -> None:
    """Just before each next commit of 20 years, at most one in 100 was late, within what chance allows."""
    late = judged = 0
    random = np.random.default_rng(1)
    for spread in (0.05, 0.4):
        for _ in range(10):
            gaps = 86400 * random.lognormal(0, spread, 365)
            times = 1.7e9 + np.cumsum(gaps)
            for index in range(15, 364, 7):
                outcome = model_of(times[: index + 1], float(times[index + 1]) - 1e-3)
                judged, late = judged + (outcome != "insufficient"), late + (outcome == "fail")
    assert judged > 900
    # 99 % of a binomial distribution.
    assert late <= 0.01 * judged + 2.33 * math.sqrt(0.01 * judged)


class TestVolume:
    def judge(self, values: Sequence[int], hours: float = 13, **more: object) -> TableHealth:
        times = daily(len(values))
        history = [Commit(time, value, value, 4) for time, value in zip(times, values, strict=True)]
        return judge_table(history, times[-1] + hours * HOUR, FreshnessSettings(**more))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("last", "outcome"), [(1000, "pass"), (1060, "pass"), (500, "fail"), (2000, "fail"), (0, "fail")]
    )
    def test_rows(self, last: int, outcome: str) -> None:
        values = [1000 + 10 * (day % 5) for day in range(60)]
        verdict = self.judge([*values, last]).verdict("rows_added")
        assert (verdict.outcome, verdict.value) == (outcome, last)

    def test_only_what_has_ended_is_judged(self) -> None:
        """The day of a table written at 2 o'clock ends at 14 o'clock."""
        values = [*[1000] * 60, 1]
        assert self.judge(values, hours=11.9).verdict("rows_added").value == 1000
        assert self.judge(values, hours=12).verdict("rows_added").value == 1
        health = self.judge(values, hours=12)
        assert health.bucket_end == daily(61)[-1] + 12 * HOUR
        assert health.bucket_start == daily(61)[-1] - 12 * HOUR

    def test_weekdays_of_their_own(self) -> None:
        values = [(100 if time.weekday() == 6 else 1000) + time.day for time in daily(70)]
        assert self.judge(values).verdict("rows_added").outcome == "pass"
        assert daily(70)[-1].weekday() == 6
        assert self.judge([*values[:-1], 1000]).verdict("rows_added").outcome == "fail"

    def test_rows_that_the_log_does_not_contain(self) -> None:
        history = [*commits(daily(60)), Commit(daily(61)[-1], None, None, 4)]
        verdict = judge_table(history, daily(61)[-1] + DAY).verdict("rows_added")
        assert verdict.outcome == "insufficient"
        assert judge_table(history, daily(61)[-1] + DAY).verdict("files_added").outcome == "pass"

    def test_too_few_days(self) -> None:
        assert self.judge([1000] * 7).verdict("rows_added").outcome == "insufficient"
        assert self.judge([1000] * 8).verdict("rows_added").outcome == "pass"

    def test_hours_of_a_table_that_is_written_often(self) -> None:
        times = [MONDAY + timedelta(minutes=5 * number) for number in range(12 * 24 * 3)]
        health = judge_table(commits(times), times[-1] + timedelta(minutes=1))
        assert health.verdict("rows_added").value == 12_000
        assert health.bucket_end == times[-1].replace(minute=0)

    def test_an_incomplete_first_day_is_left_out(self) -> None:
        times = daily(8)
        assert judge_table(commits(times), times[-1] + DAY).verdict("rows_added").outcome == "pass"
        judged = judge_table(commits(times), times[-1] + DAY, is_complete=False)
        assert judged.verdict("rows_added").outcome == "insufficient"


class TestNullShare:
    def judge(self, nulls: Sequence[int], rows: int = 1000) -> TableHealth:
        history = [
            Commit(time, rows, rows, 1, {"p-1": count, "other": 0})
            for time, count in zip(daily(len(nulls)), nulls, strict=True)
        ]
        return judge_table(history, daily(len(nulls))[-1] + DAY, column_names={"p-1": "city"})

    @pytest.mark.parametrize(
        ("usual", "last", "outcome"),
        [
            (0, 0, "pass"),
            (0, 2, "pass"),
            (0, 100, "fail"),
            (10, 14, "pass"),
            (10, 1000, "fail"),
            (900, 0, "fail"),
        ],
    )
    def test_shares(self, usual: int, last: int, outcome: str) -> None:
        health = self.judge([*[usual] * 30, last])
        verdicts = {each.field: each for each in health.verdicts if each.metric == "null_share"}
        assert set(verdicts) == {"city", "other"}
        assert (verdicts["city"].outcome, verdicts["city"].value) == (outcome, last / 1000)
        assert verdicts["other"].outcome == "pass"
        assert health.verdict("null_share").outcome == outcome
        assert [each["field"] for each in health.to_json()["failed_columns"]] == ["city"] * (
            outcome == "fail"
        )

    @pytest.mark.slow
    def test_the_limits_are_where_the_outcome_changes(self) -> None:
        verdict = self.judge([*[50] * 30, 50]).verdict("null_share")
        assert verdict.high is not None
        assert verdict.low is not None
        for count in range(0, 300, 3):
            outcome = self.judge([*[50] * 30, count]).verdict("null_share").outcome
            assert outcome == ("pass" if verdict.low <= count / 1000 <= verdict.high else "fail"), count

    def test_a_column_that_is_new(self) -> None:
        history = commits(daily(30), null_counts={"a": 0})
        history.append(Commit(daily(31)[-1], null_counts={"a": 0, "b": 1000}))
        outcomes = [each.outcome for each in judge_table(history, daily(32)[-1]).verdicts[5:]]
        assert outcomes == ["pass", "insufficient"]


class TestSchema:
    def test_a_change(self) -> None:
        changed = Commit(daily(31)[-1], changes_metadata=True, schema_change="added 'x' (long)")
        verdict = judge_table([*commits(daily(30)), changed], daily(31)[-1] + HOUR).verdict("schema_changed")
        assert (verdict.outcome, verdict.value, verdict.reason) == ("fail", 1, "added 'x' (long)")
        later = [*commits(daily(30)), changed, *commits([MONDAY + timedelta(days=day) for day in (33, 34)])]
        assert judge_table(later, MONDAY + 35 * DAY).verdict("schema_changed").outcome == "pass"

    def test_an_expired_log(self) -> None:
        history = [*commits(daily(30)), Commit(daily(31)[-1], changes_metadata=True)]
        now = daily(31)[-1] + HOUR
        assert judge_table(history, now).verdict("schema_changed").outcome == "pass"
        unknown = judge_table(history, now, is_complete=False).verdict("schema_changed")
        assert unknown.outcome == "insufficient"


def test_the_gap_between_the_last_two_writes() -> None:
    for hours, outcome in ((24, "pass"), (3, "fail"), (40, "fail")):
        times = [*daily(60), daily(60)[-1] + hours * HOUR]
        verdict = judge_table(commits(times), times[-1]).verdict("commit_gap")
        assert (verdict.outcome, verdict.value) == (outcome, hours * 3600)


def test_quantiles_of_student() -> None:
    for degrees in (1, 2, 3, 5, 9, 30, 97):
        for probability in (0.9, 0.99, 0.995, 0.99995):
            expected = student.ppf(probability, degrees)
            assert student_quantile(probability, degrees) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (59.6, "59.6 s"), (3570, "1 h"), (90 * 60, "1 h 30 min"), (50 * 3600, "2 d 2 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_settings_that_are_wrong() -> None:
    with pytest.raises(ValidationError) as caught:
        FreshnessSettings(probability=1, max_gap=-DAY, timezone="Mars/Olympus", period="week")  # type: ignore[arg-type]
    assert [fault.partition(":")[0] for fault in caught.value.problems] == [
        "probability",
        "max_gap",
        "period",
        "timezone",
    ]

"""Retention in words: what can be written, and every fault of what cannot."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.models import Model
from aporia_provider.retention import Retention

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("hourly for 30 days, daily for 2 years", "hourly for 30 days, daily for 2 years"),
        ("Hourly for 36 hours,daily  for two Years , monthly for ever", None),
        ("daily for 1 month", "daily for 1 month"),
        ("daily for ever", "daily for ever"),
    ],
)
def test_words_have_a_canonical_form(text: str, canonical: str | None) -> None:
    parsed = Retention.parse(text)
    assert str(parsed) == (canonical or "hourly for 36 hours, daily for 2 years, monthly for ever")
    assert Retention.parse(str(parsed)) == parsed


def test_spans_end_now_in_calendar_units() -> None:
    retention = Retention.parse("hourly for 1 month, daily for 2 years, monthly for ever")
    assert retention.start("hourly", NOW) == datetime(2026, 2, 28, 12, 30, tzinfo=UTC)
    assert retention.start("daily", NOW) == datetime(2024, 3, 31, 12, 30, tzinfo=UTC)
    assert retention.start("monthly", NOW) is None
    without_days = Retention.parse("hourly for 6 hours, monthly for 3 weeks")
    assert without_days.start("daily", NOW) == datetime(2026, 3, 31, 6, 30, tzinfo=UTC)
    assert without_days.start("monthly", NOW) == datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["'' is not a span as in 'hourly for 30 days, daily for 2 years'"]),
        (
            "dayly for 0 dais, forever, monthly for 900 years",
            [
                "in 'dayly for 0 dais', 'dayly' is not one of hourly, daily, monthly; did you mean 'daily'?",
                "in 'dayly for 0 dais', '0' is not a whole number of at least 1",
                "in 'dayly for 0 dais', 'dais' is not one of hours, days, weeks, months, years; "
                "did you mean 'days'?",
                "'forever' is not a span as in 'hourly for 30 days, daily for 2 years'",
                "'monthly for 900 years' is longer than 200 years; write 'monthly for ever'",
            ],
        ),
        (
            "daily for 30 days, hourly for 1 month, monthly for 4 weeks",
            [
                "'hourly' follows 'daily': the order is hourly, daily, monthly",
                "'monthly for 4 weeks' has to be longer than 'hourly for 1 month', since both begin now",
            ],
        ),
        (
            "hourly for ever, daily for 2 years, daily for 2 years",
            [
                "'hourly for ever' leaves nothing for 'daily for 2 years': "
                "only the last span can be for ever",
                "'daily' follows 'daily': the order is hourly, daily, monthly",
                "'daily for 2 years' has to be longer than 'daily for 2 years', since both begin now",
            ],
        ),
    ],
)
def test_every_fault_is_named(text: str, faults: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        Retention.parse(text)
    assert error.value.problems == faults


def test_a_model_has_a_retention_of_its_buckets() -> None:
    words = "Hourly for one day, daily for ever"
    given = Model(id="m", name="M", aggregation_period="hourly", retention=words)
    assert given.to_wire()["retention"] == "hourly for 1 day, daily for ever"
    assert Model(id="m", name="M", retention=Retention.parse("daily for 2 weeks")).retention == (
        "daily for 2 weeks"
    )
    assert "retention" not in Model(id="m", name="M").to_wire()
    assert Model(id="m", name="M", retention="{{ var.value.retention }}").retention is not None
    with pytest.raises(ValidationError) as error:
        Model(id="m", name="M", retention="hourly for 3 days")
    assert error.value.problems == [
        "retention begins with 'hourly', but the buckets of the model are daily: begin with 'daily for …'"
    ]
    with pytest.raises(ValidationError) as error:
        Model(id="m", name=3, retention="weekly for a day")  # type: ignore[arg-type]
    assert len(error.value.problems) == 2
    assert "'weekly' is not one of" in error.value.problems[1]
    assert "'a' is not a whole number" in error.value.problems[1]

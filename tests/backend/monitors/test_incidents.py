"""Incidents derived from judged windows, compared with a separate implementation."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.backend.monitors.incidents import Incident, JudgedWindow, find_incidents, match_alerts
from aporia_provider.verdicts import OUTCOMES, Outcome

DAY = 86_400
LETTERS: dict[str, Outcome] = {"F": "fail", "p": "pass", "i": "insufficient"}


def days(letters: str) -> list[JudgedWindow]:
    """One window of a day for each letter."""
    return [JudgedWindow(day * DAY, (day + 1) * DAY, LETTERS[letter]) for day, letter in enumerate(letters)]


def shown(incidents: list[Incident]) -> list[tuple[list[int], bool]]:
    return [([window.start // DAY for window in each.windows], each.is_over) for each in incidents]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", []),
        ("ppp", []),
        ("pFFp", [([1, 2], True)]),
        ("FiF", [([0, 2], False)]),
        ("Fi", [([0], False)]),
        ("FpF", [([0], True), ([2], False)]),
        ("iFpipF", [([1], True), ([5], False)]),
    ],
)
def test_an_incident_lasts_until_a_window_passes(
    letters: str, expected: list[tuple[list[int], bool]]
) -> None:
    assert shown(find_incidents(days(letters))) == expected


@pytest.mark.parametrize(("repeat", "expected"), [(DAY, 2), (DAY + 1, 1), (7 * DAY, 1)])
def test_a_failure_soon_after_the_end_continues_the_incident(repeat: int, expected: int) -> None:
    assert len(find_incidents(days("FpF"), repeat)) == expected


@given(st.text("Fpi", max_size=40), st.randoms())
def test_incidents_are_the_runs_of_failures_between_passes(letters: str, random: object) -> None:
    windows = days(letters)
    random.shuffle(windows)  # type: ignore[attr-defined]
    # Without the insufficient windows, an incident is a maximal run of failures.
    runs = re.findall("F+", letters.replace("i", ""))
    incidents = find_incidents(windows)
    assert [len(incident.windows) for incident in incidents] == [len(run) for run in runs]
    assert [incident.is_over for incident in incidents] == [True] * (len(runs) - 1) + (
        [letters.replace("i", "").endswith("p")] if runs else []
    )


def test_alerts_that_turn_out_to_be_one_incident_are_matched_together() -> None:
    (incident,) = find_incidents(days("FFF"))
    (match,) = match_alerts([{0}, {2 * DAY}], [incident])
    assert (match.alerts, match.incidents) == ({0, 1}, [incident])


def test_an_alert_that_turns_out_to_be_two_incidents_stays_one() -> None:
    incidents = find_incidents(days("FpF"))
    (match,) = match_alerts([{0, DAY, 2 * DAY}], incidents)
    assert (match.alerts, match.incidents) == ({0}, incidents)


def test_an_alert_without_failed_windows_has_no_incident() -> None:
    incidents = find_incidents(days("pF"))
    first, second = match_alerts([{0}, {DAY}], incidents)
    assert (first.alerts, first.incidents) == ({1}, incidents)
    assert (second.alerts, second.incidents) == ({0}, [])


@given(
    st.lists(st.sets(st.integers(0, 20), min_size=1, max_size=4), max_size=6),
    st.lists(st.sampled_from(OUTCOMES), max_size=20),
)
def test_every_alert_and_every_incident_is_in_exactly_one_match(
    alerts: list[set[int]], outcomes: list[Outcome]
) -> None:
    incidents = find_incidents(JudgedWindow(day, day + 1, outcome) for day, outcome in enumerate(outcomes))
    matches = match_alerts(alerts, incidents)
    assert sorted(place for match in matches for place in match.alerts) == list(range(len(alerts)))
    assert sorted(
        window.start for match in matches for each in match.incidents for window in each.windows
    ) == [day for day, outcome in enumerate(outcomes) if outcome == "fail"]

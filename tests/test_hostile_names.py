"""Names are data in what people read: files for spreadsheets, Markdown, and the texts of notifications."""

from __future__ import annotations

import csv
import io
from html import unescape

import pytest
from markdown_it import MarkdownIt

from aporia_provider.alerts import Alert, AlertEvent, alert_text
from aporia_provider.backend.page.csv_files import csv_response
from aporia_provider.explanations import ChangeExplanation
from aporia_provider.segment_changes import SegmentChange, TermChange
from aporia_provider.verdicts import Verdict

HOSTILE = [
    "[click](https://example.org)",
    "![seen](https://example.org/seen.png)",
    "<img src=x onerror=alert(1)>",
    "<https://example.org>",
    "**pass** `x` \\[a](b)",
    "a | b",
    "a\n\n# pass",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_plain_text_in_markdown(name: str) -> None:
    """As a parser of Markdown reads it."""
    term = TermChange(segment=name, value=name, before=0.5, after=0.25, change=-0.25)
    segment = SegmentChange(segment=name, divided=False, terms=[term], reason=f"not divided: {name}")
    found = ChangeExplanation(metric="accuracy", segments=[segment], reason=f"a note on {name}")
    tokens = MarkdownIt("commonmark").enable("table").parse(found.to_markdown())
    inner = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inner} <= {"text", "strong_open", "strong_close"}
    assert [child.type for child in inner].count("strong_open") == 1  # The name of the metric.
    assert {token.type for token in tokens} >= {"table_open"}
    assert not {token.type for token in tokens} & {"html_block", "heading_open"}
    texts = ["".join(child.content for child in token.children or ()) for token in tokens]
    plain = name.replace("\n", " ")
    for expected in (f"{plain}: {plain}", f"{plain}: not divided: {plain}", f"a note on {plain}"):
        assert expected in texts


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_names_are_no_formulas_in_the_files_of_the_page(start: str) -> None:
    text = f'{start}HYPERLINK("https://example.org","x")'
    reply = csv_response(["segment", "value"], [[text, -1.5]], "segments.csv")
    (line,) = csv.DictReader(io.StringIO(bytes(reply.body).decode(), newline=""))
    assert line == {"segment": f"'{text}", "value": "-1.5"}


def test_names_make_no_mentions_and_no_lines_in_the_text_of_a_notification() -> None:
    """Messengers such as Slack read ``<!channel>`` and ``<https://…|…>``."""
    name = "<!channel> <https://example.org|a> & b\nFailed: nothing"
    verdict = Verdict(outcome="fail", metric="count", field=name)
    alert = Alert(
        id="i",
        model_id=name,
        model_version=name,
        segment=f"{name} = {name}",
        monitor_id="o",
        monitor=name,
        monitor_type="model_activity",
        severity="HIGH",
        status="open",
        start="2024-01-01T00:00:00+00:00",
        end="2024-01-02T00:00:00+00:00",
        occurrences=1,
        opened_at="2024-01-02T00:00:00+00:00",
        resolved_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        snoozed_until=None,
        description="<b>told</b>",
        failed=[verdict],
        history=[],
    )
    event = AlertEvent(kind="opened", at="2024-01-02T00:00:00+00:00", details={})
    first, failed, description = alert_text(alert, event).split("\n")
    assert "<" not in first + failed
    plain = name.replace("\n", " ")
    assert unescape(failed) == f"Failed: {plain}"
    rows = f"version {plain}, {plain} = {plain}"
    assert unescape(first).startswith(f"HIGH alert opened: {plain} of model {plain}, {rows}, 1 window")
    assert description == "<b>told</b>"

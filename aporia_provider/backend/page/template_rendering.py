"""Templates of the views, and the formats of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from aporia_provider.backend.page.static_files import read
from aporia_provider.page_addresses import Addresses

_TAG = re.compile(r"<[^>]*>")
TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Return the environment of all templates, which escapes all values."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made


def render(template: str, base: str, values: Mapping[str, Any]) -> str:
    """
    Return the HTML of a template.

    :param template: Name of the file.
    :param base: Path that the page is served under.
    :param values: Values of the template.
    """
    addresses = Addresses(base)
    files = {name: addresses.static(name, read(name)[1]) for name in ("page.css", "page.js", "icon.svg")}
    context = {"addresses": addresses, "files": files, "visitor": None, "trail": (), **values}
    return environment().get_template(template).render(context)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with some significant digits; a dash if there is none."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    return "–" if value is None else f"{value:+.4g}"


def described(text: str) -> str:
    """Return the text of an alert, which is HTML with escaped values, as plain text."""
    return unescape(_TAG.sub(" ", text))


def percent(value: float | None) -> str:
    """Return a share in percent."""
    return "–" if value is None else f"{100 * value:.1f} %"


def duration(seconds: float | None) -> str:
    """Return a duration in the largest unit that it has at least two of."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(value: datetime | str | float | None, format_: str = "%Y-%m-%d %H:%M UTC") -> Markup | str:
    """
    Return a time in UTC, which a script converts to local time.

    :param value: A time, also in ISO format or in seconds since 1970.
    """
    if value is None:
        return "–"
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value, UTC)
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    utc = time.astimezone(UTC)
    # Both texts come from a format, and are escaped nevertheless.
    machine, people = escape(utc.isoformat(timespec="seconds")), escape(utc.strftime(format_))
    return Markup('<time datetime="{}">{}</time>').format(machine, people)


def day(value: datetime | str | float | None) -> Markup | str:
    """Return the day of a time in UTC."""
    return moment(value, "%Y-%m-%d")


FILTERS = {
    "number": number,
    "signed": signed,
    "described": described,
    "percent": percent,
    "duration": duration,
    "moment": moment,
    "day": day,
}

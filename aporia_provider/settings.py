"""Options of the ``[aporia]`` section of Airflow's configuration, with their defaults."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from aporia_provider.engine.limits import EngineLimits

PAGE_PREFIX = "/aporia"
"""Path of the web page below the path of Airflow's API server."""


def database_url() -> str:
    """Return the SQLAlchemy URL of the embedded backend's database. Default: SQLite in ``AIRFLOW_HOME``."""
    return _option("database_url") or f"sqlite:///{_airflow_home() / 'aporia.db'}"


def has_database_url() -> bool:
    """Return whether the URL of the embedded backend's database is configured."""
    return bool(_option("database_url"))


def environment() -> str:
    """Return the environment of the embedded backend if no connection names another."""
    return _option("environment") or "default"


def page_path() -> str:
    """Return the path of the web page inside Airflow, as a browser requests it."""
    return urlsplit(_airflow_url()).path.rstrip("/") + PAGE_PREFIX


def page_url(*, of_server: bool = False) -> str | None:
    """
    Return the URL of the web page without a slash at its end; None if it is not known.

    Default: the page inside Airflow, if ``[api] base_url`` is set.

    :param of_server: Whether models of a server are linked, which the page inside Airflow does not show.
    """
    configured = _option("page_url").rstrip("/")
    if configured or of_server:
        return configured or None
    base = _airflow_url().rstrip("/")
    return base + PAGE_PREFIX if base else None


def _airflow_url() -> str:
    from airflow.providers.common.compat.sdk import conf

    return str(conf.get("api", "base_url", fallback="") or "")


def engine() -> str:
    """Return ``embedded``, or the URL of a Spark Connect endpoint."""
    return _option("engine") or "embedded"


def engine_limits() -> EngineLimits:
    """
    Return the limits of the embedded engine.

    :raises aporia_provider.errors.ValidationError: if an option is not a number or is negative.
    """
    from aporia_provider.engine.limits import EngineLimits, default_memory_limit

    seconds, megabytes = _number("engine_deadline", 3600), _number("engine_memory_limit", 0)
    return EngineLimits(seconds or None, int(megabytes * 1024**2) or default_memory_limit())


def allowed_local_folders() -> tuple[str, ...]:
    """Return the local folders that servers and syncs may read; if empty, servers read none and syncs all."""
    return tuple(folder for folder in _option("allowed_local_folders").split(os.pathsep) if folder)


def _option(name: str) -> str:
    from airflow.providers.common.compat.sdk import conf

    return str(conf.get("aporia", name, fallback="") or "").strip()


def _number(name: str, default: float) -> float:
    option = _option(name)
    try:
        number = float(option or default)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValidationError(f"[aporia] {name} is {option!r}, which is not a number of at least 0")
    return number


def _airflow_home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()

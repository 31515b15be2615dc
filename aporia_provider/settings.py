"""The ``[aporia]`` section of Airflow's configuration, with its defaults."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from aporia_provider.engine.limits import EngineLimits


def database_url() -> str:
    """SQLAlchemy URL of the embedded backend: the configured one, or SQLite in ``AIRFLOW_HOME``."""
    return _option("database_url") or f"sqlite:///{_airflow_home() / 'aporia.db'}"


def names_database() -> bool:
    """Whether the configuration names the database of the embedded backend."""
    return bool(_option("database_url"))


def environment() -> str:
    """Environment of the embedded backend when no connection says another."""
    return _option("environment") or "default"


def engine() -> str:
    """``embedded``, or the URL of a Spark Connect endpoint."""
    return _option("engine") or "embedded"


def engine_limits() -> EngineLimits:
    """
    Limits of the embedded engine.

    :raises aporia_provider.errors.ValidationError: if one is not a number, or less than zero.
    """
    from aporia_provider.engine.limits import EngineLimits, usual_memory

    seconds, megabytes = _number("engine_deadline", 3600), _number("engine_memory_limit", 0)
    return EngineLimits(seconds or None, int(megabytes * 1024**2) or usual_memory())


def allowed_local_folders() -> tuple[str, ...]:
    """Folders of the local disk that a server and, if there are any, syncs read from."""
    return tuple(folder for folder in _option("allowed_local_folders").split(os.pathsep) if folder)


def _option(name: str) -> str:
    from airflow.providers.common.compat.sdk import conf

    return str(conf.get("aporia", name, fallback="") or "").strip()


def _number(name: str, default: float) -> float:
    written = _option(name)
    try:
        number = float(written or default)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValidationError(f"[aporia] {name} is {written!r}, which is not a number from 0")
    return number


def _airflow_home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()

"""The ``[aporia]`` section of Airflow's configuration, with its defaults."""

from __future__ import annotations

import os
from pathlib import Path


def database_url() -> str:
    """SQLAlchemy URL of the embedded backend: the configured one, or SQLite in ``AIRFLOW_HOME``."""
    configured = _option("database_url")
    return configured or f"sqlite:///{_airflow_home() / 'aporia.db'}"


def environment() -> str:
    """Environment of the embedded backend when no connection says another."""
    return _option("environment") or "default"


def engine() -> str:
    """``embedded``, or the URL of a Spark Connect endpoint."""
    return _option("engine") or "embedded"


def allowed_local_folders() -> tuple[str, ...]:
    """Folders of the local disk that a server and, if there are any, syncs read from."""
    return tuple(folder for folder in _option("allowed_local_folders").split(os.pathsep) if folder)


def _option(name: str) -> str:
    from airflow.providers.common.compat.sdk import conf

    return str(conf.get("aporia", name, fallback="") or "").strip()


def _airflow_home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()

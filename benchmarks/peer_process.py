"""Other libraries, each run in a virtual environment of its own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_ROOT = _HERE.parent
_TIMEOUT = 3600


@dataclass(frozen=True)
class Peer:
    """
    One measurement of another library.

    :param label: Name shown in the table.
    :param script: The script is ``peer_runs/with_SCRIPT.py``.
    :param mode: First argument of the script.
    :param omits: What the profile computes and this measurement does not.
    """

    label: str
    script: str
    mode: str
    omits: str


_DRIFT_ONLY = "sums, extremes, counts of categories, exact addition"
_TABLE_ONLY = "days, bins, drift"
DRIFT_PEERS = (
    Peer("NannyML, default methods", "nannyml", "default", _DRIFT_ONLY),
    Peer("NannyML, cheapest methods", "nannyml", "cheapest", _DRIFT_ONLY),
    Peer("NannyML, both", "nannyml", "both", _DRIFT_ONLY),
    Peer("Evidently, DataDriftPreset", "evidently", "drift", "days, sums, extremes"),
)
"""Comparisons of two tables by day; Evidently compares them as wholes."""
PROFILE_PEERS = (
    Peer("Evidently, DataSummaryPreset", "evidently", "summary", _TABLE_ONLY),
    Peer("whylogs, why.log", "whylogs", "log", _TABLE_ONLY),
    Peer("DuckDB, SUMMARIZE", "duckdb", "summarize", f"{_TABLE_ONLY}, exact sums, counts of categories"),
    Peer("DuckDB, histograms by day", "duckdb", "histograms", "exact sums, extremes, other statistics"),
    Peer("polars, describe", "polars", "describe", f"{_TABLE_ONLY}, exact sums, categories"),
    Peer("Apache Spark, summary", "spark", "summary", f"{_TABLE_ONLY}, exact sums, categories"),
)
"""Statistics of one table."""
_ENVIRONMENTS = {
    "nannyml": ".venv-peers/nannyml",
    "whylogs": ".venv-peers/whylogs",
    "evidently": ".venv-peers/evidently",
    "duckdb": ".venv-peers/dataframes",
    "polars": ".venv-peers/dataframes",
    "spark": ".venv-spark",
}


def run_peer(script: str, *arguments: str) -> Any:
    """
    Return the JSON that a script prints last.

    :param script: Name of the library, see :class:`Peer`.
    :param arguments: Arguments of the script.
    """
    python = _ROOT / _ENVIRONMENTS[script] / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"{python.parent.parent} does not exist: run make bench, which creates it")
    # -P: modules are not imported from the folder of the script.
    command = [str(python), "-P", "-W", "ignore", str(_HERE / "peer_runs" / f"with_{script}.py"), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    if finished.returncode:
        raise SystemExit(f"{script} failed:\n{finished.stderr[-2000:]}")
    return json.loads(finished.stdout.splitlines()[-1])

"""Freshness and volume of tables, judged from the times and sizes of their commits."""

from __future__ import annotations

from aporia_provider.monitoring.freshness.lateness import judge_lateness
from aporia_provider.monitoring.freshness.table_health import (
    FRESHNESS_METRICS,
    FreshnessSettings,
    TableHealth,
    judge_table,
)

__all__ = ["FRESHNESS_METRICS", "FreshnessSettings", "TableHealth", "judge_lateness", "judge_table"]

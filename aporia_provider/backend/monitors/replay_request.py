"""What is replayed: a monitor of a model in a range."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.backend.monitors.monitor_plan import StoredMonitor
from aporia_provider.backend.monitors.pending_windows import Limits
from aporia_provider.backend.store.database import Database


@dataclass(frozen=True)
class ReplayRequest:
    """
    A monitor and the range in which it is replayed.

    :param database: The database.
    :param environment: Environment of the model.
    :param model_id: Id of the model.
    :param monitor: The monitor.
    :param limits: The range; both ends are given.
    """

    database: Database
    environment: str
    model_id: str
    monitor: StoredMonitor
    limits: Limits

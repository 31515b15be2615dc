"""The calls of the protocol, answered from SQL."""

from __future__ import annotations

from aporia_provider.backend.attachments import Attachments
from aporia_provider.backend.datasets import Datasets
from aporia_provider.backend.metrics.queries import Metrics
from aporia_provider.backend.models import Models
from aporia_provider.backend.monitors import Monitors
from aporia_provider.backend.retirement import Retirements
from aporia_provider.backend.sync.syncs import Syncs
from aporia_provider.backend.versions import Versions


class Registry(Models, Versions, Attachments, Datasets, Monitors, Syncs, Retirements, Metrics):
    """
    :class:`~aporia_provider.api.AporiaApi` on a database, in one environment.

    Parameters: those of :class:`~aporia_provider.backend.scope.Scope`.
    """

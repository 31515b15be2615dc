"""Implementation of the protocol's calls on an SQL database."""

from __future__ import annotations

from aporia_provider.backend.metrics.calls import Metrics
from aporia_provider.backend.monitors.alert_calls import Alerts
from aporia_provider.backend.monitors.evaluation_calls import MonitorEvaluations
from aporia_provider.backend.monitors.latest_verdicts import LatestVerdicts
from aporia_provider.backend.monitors.version_gauges import Gauges
from aporia_provider.backend.registration.attachments import Attachments
from aporia_provider.backend.registration.custom_metric_registration import CustomMetrics
from aporia_provider.backend.registration.datasets import Datasets
from aporia_provider.backend.registration.models import Models
from aporia_provider.backend.registration.monitors import Monitors
from aporia_provider.backend.registration.retirement import Retirements
from aporia_provider.backend.registration.segment_costs import SegmentCosts
from aporia_provider.backend.registration.segment_registration import Segments
from aporia_provider.backend.registration.segment_suggestions import Suggestions
from aporia_provider.backend.registration.versions import Versions
from aporia_provider.backend.sync.calls import Syncs


class Registry(
    Models,
    Versions,
    Attachments,
    Datasets,
    Monitors,
    Segments,
    SegmentCosts,
    Suggestions,
    CustomMetrics,
    MonitorEvaluations,
    LatestVerdicts,
    Syncs,
    Retirements,
    Metrics,
    Alerts,
    Gauges,
):
    """
    Implementation of :class:`~aporia_provider.api.AporiaApi` for one environment of a database.

    Parameters: see :class:`~aporia_provider.backend.registration.scope.RegistryBase`.
    """

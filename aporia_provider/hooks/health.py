"""Hook that checks the health of a model version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from aporia_provider.health import HealthReport, HealthRequest, MetricCondition
from aporia_provider.hooks.aporia import AporiaHook


class HealthHook(AporiaHook):
    """
    Hook that checks the health of a model version.

    Parameters: see :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def check_health(
        self,
        model_id: str,
        model_version: str | None = None,
        *,
        alerts: str | None = None,
        monitors: str | Sequence[str] = (),
        metrics: Sequence[MetricCondition | Mapping[str, object]] = (),
        max_data_age: str | None = None,
        until: datetime | str | None = None,
        evaluate: bool = True,
    ) -> HealthReport:
        """
        Check the health of a model version.

        For the parameters see :class:`~aporia_provider.health.HealthRequest`.

        :raises aporia_provider.errors.NotFoundError: if there is no such model, version or monitor.
        :raises aporia_provider.errors.ValidationError: if a parameter is not valid or a metric cannot be
            computed; all problems are listed.
        """
        from aporia_provider.health.checking import check_health

        request = HealthRequest(
            model_id=model_id,
            model_version=model_version,
            alerts=alerts,
            monitors=monitors if isinstance(monitors, str) else list(monitors),
            metrics=list(metrics),
            max_data_age=max_data_age,
            until=until,
            evaluate=evaluate,
        )
        with self.get_conn() as api:
            return check_health(api, request)

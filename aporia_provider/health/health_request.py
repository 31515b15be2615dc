"""Checks of a model version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from aporia_provider.base_model import Name, PublicModel, exactly
from aporia_provider.health.metric_condition import MetricCondition
from aporia_provider.query_types import Time, Window

LATEST = "latest"
ALL = "all"
Severity = Literal["LOW", "MEDIUM", "HIGH"]
SEVERITIES: tuple[Severity, ...] = ("LOW", "MEDIUM", "HIGH")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) and value != ALL else value


class HealthRequest(PublicModel):
    """
    Checks of a model version.

    :param model_id: Id of the model.
    :param model_version: Name of the version; None or ``latest`` for the version that was registered last.
    :param alerts: ``LOW``, ``MEDIUM`` or ``HIGH``: an open alert of at least this severity fails. None does
        not check alerts.
    :param monitors: Names of monitors whose latest verdicts are checked, or ``all`` for all active monitors.
    :param metrics: Limits of metrics.
    :param max_data_age: Age of the latest serving data, such as ``2d``, above which there is too little data
        for ``pass``. None does not check it.
    :param until: Time of the check: the end of the periods of metrics, and of the last window of monitors
        that is considered. Default: the current time.
    :param evaluate: Whether the monitors are evaluated first.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    model_id: Name
    model_version: Name | None = None
    alerts: Annotated[Severity, exactly(*SEVERITIES)] | None = None
    monitors: Annotated[Literal["all"] | list[Name], BeforeValidator(_as_list)] = Field(default_factory=list)
    metrics: Annotated[list[MetricCondition], Field(max_length=200)] = Field(default_factory=list)
    max_data_age: Window | None = None
    until: Time | None = None
    evaluate: bool = True

    @model_validator(mode="after")
    def _checks_something(self) -> HealthRequest:
        if not (self.alerts or self.monitors or self.metrics or self.max_data_age):
            raise ValueError("there is nothing to check: give alerts, monitors, metrics or max_data_age")
        return self

    @property
    def monitor_names(self) -> Sequence[str] | None:
        """Names of the monitors; None for all."""
        return None if self.monitors == ALL else self.monitors

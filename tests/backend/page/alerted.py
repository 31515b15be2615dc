"""A database with a model that has an open alert, for the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aporia_provider.alerts import Alert
from aporia_provider.models import Model
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    configuration,
    labelled,
    numbers,
    on,
    usual,
)

HOSTILE = "<script>alert(1)</script>"
LONG = "n" * 250
DAYS = 30


@contextmanager
def alerted_model(url: str, environment: str = "e", lake: str = "s3://b/k") -> Iterator[MonitoredModel]:
    """
    Model ``m`` with an alert on the missing ages of its last day, and two models without versions.

    :param url: URL of the database.
    :param environment: Its environment.
    :param lake: Location of the tables, which need not exist.
    """
    with MonitoredModel(url, environment, lake=lake) as model:
        model.store({day: usual() for day in range(10)}, role="training")
        model.store({day: labelled() for day in range(10)}, role="training", part="performance")
        model.store({day: usual() for day in range(DAYS)})
        model.store({day: labelled() for day in range(DAYS)}, part="performance")
        model.store({DAYS: usual(age=numbers(range(150), nulls=150))})
        model.complete_until(on(DAYS + 1))
        limits = {"name": "RANGE", "max": 0.1}
        monitor = configuration("missing_ratio", limits, features=["age"])
        model.monitor("missing_values", monitor, name="Missing ages")
        model.evaluate(DAYS + 1)
        model.add_version("v2")
        model.registry.create_model(Model(id=HOSTILE, name=HOSTILE))
        model.registry.create_model(Model(id=LONG, name=LONG))
        yield model


def alert_of(model: MonitoredModel) -> Alert:
    """The only alert of the model."""
    (alert,) = model.registry.get_alerts("m")
    return alert

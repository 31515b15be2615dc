"""Sensor of the labels of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import ValidationError
from aporia_provider.sensors.api_sensor import ApiSensor
from aporia_provider.sensors.rendered_values import RenderedValues

if TYPE_CHECKING:
    from aporia_provider.triggers.api_conditions import LabelCondition

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LabelCoverageSensor(ApiSensor):
    """
    Wait until enough predictions of a time range have labels.

    The numbers are from the last sync of the serving and the actuals dataset, for the buckets that the
    range overlaps.

    :param model_id: Id of the model.
    :param start: Start of the range of the predictions. A time without a time zone is in UTC.
    :param end: End of the range, exclusive.
    :param min_coverage: Share of the predictions that have a label, above 0 and up to 1.
    :param min_predictions: Number of predictions in the range below which the sensor continues to wait.
    :param model_version: Name of the version; None for the latest.
    :param prediction: Name of the prediction; None for the prediction that has labels.
    :param segment: Segment of the predictions, such as ``{"id": "plan", "value": "gold"}``: its name or id,
        and one of its values. Default: all predictions.
    :param kwargs: See :class:`~aporia_provider.sensors.api_sensor.ApiSensor`.
    :return: ``model_id``, ``model_version``, ``coverage``, ``predictions`` and ``labels``.
    """

    trigger_class = "LabelCoverageTrigger"
    template_fields = (
        *ApiSensor.template_fields,
        "model_id",
        "model_version",
        "start",
        "end",
        "min_coverage",
        "min_predictions",
        "prediction",
        "segment",
    )

    def __init__(
        self,
        *,
        model_id: str,
        start: datetime | str,
        end: datetime | str,
        min_coverage: float | str,
        min_predictions: int | str = 1,
        model_version: str | None = None,
        prediction: str | None = None,
        segment: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.start = start
        self.end = end
        self.min_coverage = min_coverage
        self.min_predictions = min_predictions
        self.model_version = model_version
        self.prediction = prediction
        self.segment = segment

    def condition(self) -> LabelCondition:
        """Return the condition."""
        from aporia_provider.triggers.api_conditions import LabelCondition

        values = RenderedValues()
        start, end = values.time("start", self.start), values.time("end", self.end)
        share = values.share("min_coverage", self.min_coverage)
        predictions = values.number("min_predictions", self.min_predictions, 1)
        required = {"start": self.start, "end": self.end, "min_coverage": self.min_coverage}
        for name in (name for name, value in required.items() if value is None):
            values.add(f"{name} is required")
        if start is not None and end is not None and start >= end:
            values.add(f"start {start.isoformat()} is not before end {end.isoformat()}")
        segment = _segment(values, self.segment)
        values.check("The condition on the labels")
        return LabelCondition(
            model_id=self.model_id,
            model_version=self.model_version,
            start=start or _EPOCH,
            end=end or _EPOCH,
            min_coverage=share or 0,
            min_predictions=predictions or 1,
            prediction=self.prediction,
            segment=segment,
        )


def _segment(values: RenderedValues, given: Mapping[str, Any] | None) -> dict[str, str] | None:
    if given is None:
        return None
    from aporia_provider.segment_values import SegmentValue

    try:
        return SegmentValue(**given).model_dump()
    except (TypeError, ValidationError) as error:
        for problem in getattr(error, "problems", None) or [str(error)]:
            values.add(f"segment: {problem}")
        return None

"""The hook to metrics: what is known of a model's data and performance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.metrics import MetricsQuery


class MetricsHook(AporiaHook):
    """
    Answers questions about metrics from what syncs have stored; parameters as of
    :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def query(self, query: MetricsQuery) -> list[dict[str, Any]]:
        """
        Answer several questions at once.

        :return: As :meth:`~aporia_provider.api.AporiaApi.query_metrics`.
        """
        with self.get_conn() as api:
            return api.query_metrics(query)

    def get_metric(
        self,
        model_id: str,
        metric: str,
        *,
        model_version: str | None = None,
        dataset_type: str = "serving",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        baseline: Mapping[str, Any] | None = None,
        aggregation_period: str | None = None,
        **parameters: Any,
    ) -> list[dict[str, Any]]:
        """
        Answer one question.

        :param model_id: The model.
        :param metric: Name of the metric, such as ``missing_ratio``, ``drift_score`` or ``auc_roc``.
        :param model_version: The version; the latest without.
        :param dataset_type: Role of the dataset.
        :param start: Start of the range, given together with ``end``; all rows without.
        :param end: End of the range, not part of it.
        :param baseline: What a distance compares with, as of :class:`~aporia_provider.metrics.MetricDataset`,
            such as ``{"dataset_type": "training"}`` (which is what it takes without) or
            ``{"dataset_type": "serving", "time_period": "2w"}``.
        :param aggregation_period: ``hourly`` or ``daily`` for an answer per bucket; one for all without.
        :param parameters: As of :class:`~aporia_provider.metrics.MetricParameters`: ``column``,
            ``threshold``, ``k`` …
        :return: For each range of time its ``start`` and ``end`` and what
            :class:`~aporia_provider.monitoring.answers.Answer` has.
        :raises aporia_provider.errors.ValidationError: if the question cannot be answered.
        """
        data = dataset(dataset_type, model_version, start, end)
        question = {
            "metric": metric,
            "parameters": parameters,
            "datasets": {"data": data, "baseline": baseline},
        }
        query = MetricsQuery.from_wire(
            {"model_id": model_id, "metrics": [question], "aggregation_period": aggregation_period}
        )
        return [_flat(item) for item in self.query(query)]


def dataset(
    dataset_type: str, model_version: str | None, start: datetime | str | None, end: datetime | str | None
) -> dict[str, Any]:
    """A dataset as a question names it; ``start`` and ``end`` come together or not at all."""
    given = {"start": start, "end": end} if start is not None or end is not None else None
    return {"dataset_type": dataset_type, "model_version": model_version, "time_range": given}


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    answer = dict(item["metrics"][0])
    if answer["error"]:
        raise ValidationError(answer["error"])
    return {**(item["time_range"] or {"start": None, "end": None}), **answer}

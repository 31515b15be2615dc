"""Hook that queries metrics of a model's data and performance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.explanations import ChangeExplanation
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.metric_results import QueryResult, RangeResults, ResultRange, failed_results
from aporia_provider.metrics import MetricsQuery
from aporia_provider.registered_versions import latest_version
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_reports import RegisteredSegment


class MetricsHook(AporiaHook):
    """
    Hook that queries metrics, which are computed from stored states.

    Parameters: see :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def query(self, query: MetricsQuery | Mapping[str, Any]) -> list[dict[str, Any]]:
        """
        Query several metrics at once.

        :param query: The query, or a dict with the parameters of
            :class:`~aporia_provider.metrics.MetricsQuery`.
        :return: JSON form of the result of :meth:`~aporia_provider.api.AporiaApi.query_metrics`, which a task
            can return: dicts with the attributes of :class:`~aporia_provider.metric_results.RangeResults`.
        """
        asked = query if isinstance(query, MetricsQuery) else MetricsQuery.from_wire(query)
        return [item.to_json() for item in self._query(asked)]

    def _query(self, query: MetricsQuery) -> list[RangeResults]:
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
        segment: Mapping[str, Any] | None = None,
        baseline: Mapping[str, Any] | None = None,
        aggregation_period: str | None = None,
        **parameters: Any,
    ) -> list[dict[str, Any]]:
        """
        Query one metric.

        :param model_id: Id of the model.
        :param metric: Name of the metric, such as ``missing_ratio``, ``drift_score`` or ``auc_roc``.
        :param model_version: Name of the version; None for the latest.
        :param dataset_type: Role of the dataset.
        :param start: Start of the time range. Requires ``end``; without both, all rows are included.
        :param end: End of the time range, exclusive.
        :param segment: Segment of the rows, as a dict with its ``id`` (name or id) and the ``value`` of one
            of its terms; None for all rows.
        :param baseline: Baseline of a distance or of an expected metric: parameters of
            :class:`~aporia_provider.metrics.MetricDataset`, such as ``{"dataset_type": "training"}`` (the
            default of distances) or ``{"dataset_type": "serving", "time_period": "2w"}``. Default of expected
            metrics: the testing dataset if it has labels, else the training dataset.
        :param aggregation_period: ``hourly``, ``daily``, ``weekly`` or ``monthly``: return a result for each
            period, including periods without rows. None returns one result for the whole range.
        :param parameters: Parameters of :class:`~aporia_provider.metrics.MetricParameters`: ``column``,
            ``threshold``, ``k`` …
        :return: For each time range a dict with its ``start`` and ``end`` and the attributes of
            :class:`~aporia_provider.metric_results.QueryResult`. ``error`` is the reason why the metric could
            not be computed for this range, although it could for others; otherwise None.
        :raises aporia_provider.errors.ValidationError: if the metric can be computed for none of the ranges
            with rows.
        """
        data = {**dataset(dataset_type, model_version, start, end), "segment": segment}
        question = {
            "metric": metric,
            "parameters": parameters,
            "datasets": {"data": data, "baseline": baseline},
        }
        query = MetricsQuery.from_wire(
            {"model_id": model_id, "metrics": [question], "aggregation_period": aggregation_period}
        )
        results = self._query(query)
        _raise(failed_results(results))
        return [_flat(item) for item in results]

    def compare_versions(
        self,
        model_id: str,
        champion: str,
        challenger: str | None,
        metric: str,
        margin: float,
        *,
        dataset_type: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        segment: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """
        Judge whether a version is not worse than another by more than a margin (non-inferiority).

        The rows of the versions count as independent. If both have scored the same rows and their errors are
        positively correlated, as is usual, the interval of the difference is wider than necessary, so the
        outcome is more often ``insufficient``.

        :param model_id: Id of the model.
        :param champion: Name of the version in use.
        :param challenger: Name of the version that may replace it; None for the version that was registered
            last.
        :param metric: Name of a metric of performance, such as ``auc_roc``, ``f1`` or ``rmse``.
        :param margin: Greatest acceptable loss, in units of the metric.
        :param dataset_type: Role of the datasets. Default: ``testing`` if both versions have labels there,
            else ``serving``.
        :param start: Start of the time range. Requires ``end``; without both, all rows are included.
        :param end: End of the time range, exclusive.
        :param segment: Segment of the rows, as a dict with its ``id`` (name or id) and the ``value`` of one
            of its terms; None for all rows.
        :param parameters: Parameters of :class:`~aporia_provider.metrics.MetricParameters`: ``threshold``,
            ``confidence`` …
        :return: JSON form of a :class:`~aporia_provider.version_comparisons.VersionComparison`, and the names
            ``champion_version`` and ``challenger_version``.
        :raises aporia_provider.errors.ValidationError: if the metric cannot be computed for a version, or
            neither higher nor lower numbers of it are better.
        """
        from aporia_provider.backend.metrics.version_comparison import VersionPair, compare

        time_range = {"start": start, "end": end} if start is not None or end is not None else None
        name = self._challenger(model_id, champion) if challenger is None else challenger
        pair = VersionPair(model_id, champion, name, dataset_type, time_range, segment)
        found = compare(self._query, pair, metric, margin, parameters)
        return {**found.to_json(), "champion_version": champion, "challenger_version": name}

    def _challenger(self, model_id: str, champion: str) -> str:
        """Return the version that was registered last, unless it is the champion."""
        with self.get_conn() as api:
            latest = latest_version(api, model_id)
        if latest == champion:
            raise ValidationError(
                f"The champion {champion!r} is the latest version of model {model_id!r}: register another"
            )
        return latest

    def compare_segments(
        self,
        model_id: str,
        metric: str,
        segment: str,
        value: str,
        reference: str,
        *,
        model_version: str | None = None,
        dataset_type: str = "serving",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """
        Compare a rate of two terms of a segment, and judge their ratio by the four-fifths rule.

        The rows of the terms count as independent, so the terms should not overlap.

        :param model_id: Id of the model, whose type is ``binary``.
        :param metric: ``positive_rate`` (the proportion of the labelled rows that are predicted positive),
            ``accuracy``, ``precision``, ``recall``, ``fp_rate``, ``miss_rate`` or ``specificity``.
        :param segment: Name or id of the segment.
        :param value: Label of a term.
        :param reference: Label of the term with which it is compared.
        :param model_version: Name of the version; None for the latest.
        :param dataset_type: Role of the dataset.
        :param start: Start of the time range. Requires ``end``; without both, all rows are included.
        :param end: End of the time range, exclusive.
        :param parameters: Parameters of :class:`~aporia_provider.metrics.MetricParameters`: ``column``,
            ``threshold``, ``confidence`` …
        :return: JSON form of a :class:`~aporia_provider.segment_comparisons.SegmentComparison`.
        :raises aporia_provider.errors.ValidationError: if the metric is not a rate of labelled rows, or
            cannot be computed for a term.
        """
        from aporia_provider.backend.metrics.segment_comparison import TermPair, compare_terms

        rows = dataset(dataset_type, model_version, start, end)
        pair = TermPair(model_id, segment, value, reference, rows)
        return compare_terms(self._query, pair, metric, parameters).to_json()

    def explain_change(
        self,
        model_id: str,
        metric: str,
        *,
        start: datetime | str,
        end: datetime | str,
        baseline_start: datetime | str,
        baseline_end: datetime | str,
        model_version: str | None = None,
        dataset_type: str = "serving",
        importance: Mapping[str, float] | None = None,
        segment: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> ChangeExplanation:
        """
        Divide the change of a metric between two periods into its parts.

        The change of a metric of a binary model is exactly the sum of the part due to another distribution of
        the scores, and of the part due to other labels at the same scores. If the metric is a mean of rows,
        the change is also divided by the terms of each segment of the model, and the terms are named whose
        metric has changed by more than sampling alone explains. Fields with drift between the periods are
        listed, sorted by drift times importance.

        :param model_id: Id of the model.
        :param metric: ``accuracy``, ``precision``, ``recall``, ``f1``, ``auc_roc``, ``logloss`` or ``brier``
            of a binary model. By segment: ``accuracy`` and ``logloss`` of a binary or multiclass model;
            ``brier``, ``precision``, ``recall``, ``fp_rate``, ``miss_rate`` and ``specificity`` of a binary
            one; ``mae``, ``mse``, ``mean_error`` and ``mape`` of a regression model.
        :param start: Start of the later period.
        :param end: End of the later period, exclusive.
        :param baseline_start: Start of the earlier period.
        :param baseline_end: End of the earlier period, exclusive.
        :param model_version: Name of the version; None for the latest.
        :param dataset_type: Role of the dataset.
        :param importance: Importance by name of the feature. Default: ``feature_importance`` of the schema
            that the version was registered with.
        :param segment: Segment of the rows in both periods, as a dict with its ``id`` (name or id) and the
            ``value`` of one of its terms; None for all rows. Its change is not divided by segment.
        :param parameters: Parameters of :class:`~aporia_provider.metrics.MetricParameters`: ``column``,
            ``threshold``, ``confidence`` …
        :return: The explanation. ``to_markdown()`` returns it as text, ``to_dict()`` as JSON.
        :raises aporia_provider.errors.ValidationError: if the metric cannot be computed for a period.
        """
        from aporia_provider.backend.metrics.change_explanation import Change, explain

        later, earlier = {"start": start, "end": end}, {"start": baseline_start, "end": baseline_end}
        change = Change(model_id, metric, later, earlier, model_version, dataset_type, segment)
        return explain(
            self._query,
            lambda name: self._schema(model_id, name),
            change,
            parameters,
            importance,
            lambda: self._segments(model_id),
        )

    def _segments(self, model_id: str) -> list[RegisteredSegment]:
        with self.get_conn() as api:
            return api.list_segments(model_id)

    def _schema(self, model_id: str, model_version: str) -> VersionSchema | None:
        """Return the schema of a version; None if the server does not return it."""
        with self.get_conn() as api:
            versions = api.get_model_versions(model_id, model_version)
        registration = next((version.get("registration") for version in versions), None)
        return None if registration is None else VersionSchema.from_wire(registration)


def dataset(
    dataset_type: str, model_version: str | None, start: datetime | str | None, end: datetime | str | None
) -> dict[str, Any]:
    """Return a dataset as used in a query. ``start`` and ``end`` have to be given together or not at all."""
    given = {"start": start, "end": end} if start is not None or end is not None else None
    return {"dataset_type": dataset_type, "model_version": model_version, "time_range": given}


def _raise(failed: Iterable[tuple[ResultRange | None, QueryResult]]) -> None:
    ranges: dict[str, list[str]] = {}
    for time_range, result in failed:
        start = time_range.start if time_range else "all rows"
        ranges.setdefault(result.error or "", []).append(start)
    if len(ranges) == 1:
        raise ValidationError(next(iter(ranges)))
    if ranges:
        problems = [f"{error} ({_listed(starts)})" for error, starts in ranges.items()]
        raise ValidationError("No range has a result", problems=problems)


def _listed(starts: Sequence[str]) -> str:
    return starts[0] if len(starts) == 1 else f"{starts[0]} and {len(starts) - 1} more"


def _flat(item: RangeResults) -> dict[str, Any]:
    time_range = asdict(item.time_range) if item.time_range else {"start": None, "end": None}
    return {**time_range, **item.metrics[0].to_json()}

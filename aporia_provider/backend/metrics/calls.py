"""Registry methods for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.metrics import MetricsQuery

if TYPE_CHECKING:
    from aporia_provider.metric_results import RangeResults
    from aporia_provider.segment_comparisons import SegmentComparison
    from aporia_provider.version_comparisons import VersionComparison


class Metrics(RegistryBase):
    """Registry methods for metrics."""

    def query_metrics(self, query: MetricsQuery) -> list[RangeResults]:
        """
        Compute metrics from the stored states; no data is read.

        :param query: The query.
        :return: One item for each time range, in chronological order.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        """
        from aporia_provider.backend.metrics.model_states import ModelStates
        from aporia_provider.backend.metrics.query_execution import execute_query

        MetricsQuery.check_type(query)
        with self.database.read_transaction() as session:
            return execute_query(ModelStates(session, self.environment, query.model_id), query)

    def compare_versions(
        self,
        model_id: str,
        champion: str,
        challenger: str,
        metric: str,
        margin: float,
        *,
        dataset_type: str | None = None,
        start: Any = None,
        end: Any = None,
        segment: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> VersionComparison:
        """
        Judge whether a version is not worse than another by more than a margin (non-inferiority).

        The rows of the versions count as independent. If both have scored the same rows and their errors are
        positively correlated, as is usual, the interval of the difference is wider than necessary, so the
        outcome is more often ``insufficient``.

        :param model_id: Id of the model.
        :param champion: Name of the version in use.
        :param challenger: Name of the version that may replace it.
        :param metric: Name of a metric of performance.
        :param margin: Greatest acceptable loss, in units of the metric.
        :param dataset_type: Role of the datasets. Default: ``testing`` if both versions have labels there,
            else ``serving``.
        :param start: Start of the time range. Requires ``end``; without both, all rows are included.
        :param end: End of the time range, exclusive.
        :param segment: Segment of the rows, as a dict with its ``id`` (name or id) and the ``value`` of one
            of its terms; None for all rows.
        :param parameters: Parameters of :class:`~aporia_provider.metrics.MetricParameters`.
        :raises aporia_provider.errors.ValidationError: if the metric cannot be computed for a version, or
            neither higher nor lower numbers of it are better.
        """
        from aporia_provider.backend.metrics.version_comparison import VersionPair, compare

        time_range = None if start is None and end is None else {"start": start, "end": end}
        pair = VersionPair(model_id, champion, challenger, dataset_type, time_range, segment)
        return compare(self.query_metrics, pair, metric, margin, parameters)

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
        start: Any = None,
        end: Any = None,
        **parameters: Any,
    ) -> SegmentComparison:
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
        :raises aporia_provider.errors.ValidationError: if the metric is not a rate of labelled rows, or
            cannot be computed for a term.
        """
        from aporia_provider.backend.metrics.segment_comparison import TermPair, compare_terms

        rows = {
            "dataset_type": dataset_type,
            "model_version": model_version,
            "time_range": None if start is None and end is None else {"start": start, "end": end},
        }
        pair = TermPair(model_id, segment, value, reference, rows)
        return compare_terms(self.query_metrics, pair, metric, parameters)

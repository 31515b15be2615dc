"""The baseline of a requested metric."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from aporia_provider.backend.metrics.expected_request import labelled_role
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.periods import align_to_buckets, moving_window
from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.state_sums import SPANS
from aporia_provider.backend.store.sync_tables import DAY, PERFORMANCE
from aporia_provider.metrics import AnswerPeriod, Metric, MetricDataset
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS
from aporia_provider.monitoring.states.state import State

_DAY_SECONDS: Final = BUCKET_SECONDS["daily"]


@dataclass(frozen=True)
class RequestBaseline:
    """
    The baseline of a requested metric.

    :param model: The model.
    :param metric: The requested metric.
    :param data_version: Version of the data that is compared with the baseline.
    :param states_field: Key of the field.
    :param period: Aggregation period of the query.
    :param starts: Starts of the first and the last range of the query.
    :param needs_labels: Whether the baseline must have labels.
    """

    model: ModelStates
    metric: Metric
    data_version: VersionStates
    states_field: str
    period: AnswerPeriod | None
    starts: Range
    needs_labels: bool

    @cached_property
    def role(self) -> str | None:
        """Return the role of the dataset; None if the metric requires labels and no dataset has any."""
        given = self.metric.datasets.baseline
        if given is not None:
            return given.dataset_type
        if not self.needs_labels:
            return "training"
        return labelled_role(self.data_version, self.states_field.removeprefix(f"{PERFORMANCE}."))

    @property
    def dataset(self) -> MetricDataset:
        """Return the dataset, with its range of time."""
        return self.metric.datasets.baseline or MetricDataset(dataset_type=self.role or "training")

    @property
    def version(self) -> VersionStates:
        """
        The version that the dataset belongs to, with the states of its segment.

        A baseline without the field ``segment`` has the segment of the data.
        """
        dataset, data_version = self.dataset, self.data_version
        name = dataset.model_version or data_version.name
        names_segment = "segment" in dataset.model_fields_set
        term = self.model.term(dataset.segment) if names_segment else data_version.term
        return self.model.version(name).of_term(term)

    @property
    def states_key(self) -> StatesKey:
        """Return the key of the states that are read."""
        spans = SPANS if self.dataset.time_period is None else self._window_spans
        return StatesKey(self.dataset.dataset_type, self.states_field, self._range, spans)

    def state(self, within: Range) -> State | None:
        """Return the state that the data in a range is compared with; None if it has no rows."""
        version, key = self.version, self.states_key
        start, end = self.window(within)
        if start is None or end is None or self.dataset.time_period is None:
            return version.merged(key)
        # All windows are read at once, since most of them overlap.
        return version.series(key).moving.within(start, end)

    def window(self, within: Range) -> Range:
        """Return the range of the baseline for the data in a range."""
        if self.dataset.time_period is None:
            return self._range
        return moving_window(within[0], self.dataset, BUCKET_SECONDS[self.model.period])

    @property
    def _range(self) -> Range:
        """Return the range of the baseline; of a moving baseline, from the first window to the last."""
        baseline, seconds = self.dataset, BUCKET_SECONDS[self.model.period]
        if baseline.time_period is None:
            return align_to_buckets(baseline.time_range, seconds)
        first, last = (moving_window(start, baseline, seconds) for start in self.starts)
        return first[0], last[1]

    @property
    def _window_spans(self) -> tuple[str, ...]:
        """Return the spans of sums that no window of a moving baseline divides."""
        windows = [moving_window(start, self.dataset, 1) for start in self.starts]
        are_days = all(second % _DAY_SECONDS == 0 for window in windows for second in window)
        return (DAY,) if are_days and self.period != "hourly" else ()

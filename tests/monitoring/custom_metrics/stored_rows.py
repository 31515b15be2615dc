"""Rows of a model, and the results of the calls of custom metrics from the states of these rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.catalogue import metric_kinds
from aporia_provider.monitoring.custom_metrics import Call, bind, evaluate, parse_metric
from aporia_provider.monitoring.performance import Options, Parameters, compute
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.plan import FieldPlan, OutcomePlan, ProfilePlan
from aporia_provider.monitoring.profiles.profile import profile
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic
from aporia_provider.monitoring.statistics.row_metrics import Rows, row_metric

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class StoredRows:
    """
    Rows of a model version in one bucket.

    :param model_type: Type of the model.
    :param types: Field types by key. The labels are the keys ``labels.…`` of their predictions.
    :param columns: Values by key.
    :param filters: Rows that meet each condition, by its canonical text.
    """

    model_type: str
    types: Mapping[str, str]
    columns: Mapping[str, pa.Array]
    filters: Mapping[str, Mask] = field(default_factory=dict)

    def value_of(self, code: str, label_columns: Mapping[str, str] | None = None) -> Any:
        """Return the value of a code."""
        result = self.result_of(code, label_columns)
        assert result.status == "ok", result
        return result.value

    def result_of(self, code: str, label_columns: Mapping[str, str] | None = None) -> MetricResult:
        """Return the result of a code."""
        labels = [key.removeprefix("labels.") for key in self.types if key.startswith("labels.")]
        labelled = label_columns or {name: name for name in labels}
        return evaluate(bind(parse_metric(code), self.types, self.model_type, labelled), self.answer)

    def answer(self, call: Call) -> MetricResult:
        """Return the result of a call from the states of the rows that meet its filter."""
        parameters = call.request()
        batch, plan = self._batch(), self._plan()
        if call.filter is not None:
            batch = batch.filter(pa.array(self.filters[call.filter]))
        states = profile([batch], plan)
        kinds = metric_kinds(call.metric, self.model_type)
        if "performance" in kinds:
            names = {each.name for each in fields(Parameters)}
            given = parameters.model_dump(include=names, exclude_none=True)
            return compute(call.metric, states[0, f"performance.{parameters.column}"], given)
        if parameters.column is None:
            rows: Rows = [(0, states[0, "rows"])]
            return row_metric(call.metric, rows)
        value = None if parameters.value is None else str(parameters.value).lower()
        made = StatisticParameters(plan.bins.get(parameters.column), parameters.quantile, value)
        return statistic(call.metric, self.types[parameters.column], states[0, parameters.column], made)

    def _batch(self) -> pa.RecordBatch:
        size = len(next(iter(self.columns.values())))
        time = pa.array([0] * size, pa.timestamp("us", "UTC"))
        return pa.RecordBatch.from_pydict({"id": pa.array(range(size)), "time": time, **self.columns})

    def _plan(self) -> ProfilePlan:
        plans = tuple(FieldPlan(key, type_, key) for key, type_ in self.types.items())
        names = [key.removeprefix("labels.") for key in self.types if key.startswith("labels.")]
        outcomes = tuple(
            OutcomePlan(
                f"performance.{name}",
                self.model_type,
                f"predictions.{name}",
                f"labels.{name}",
                Options(scored=self.types[f"predictions.{name}"] == "numeric"),
            )
            for name in names
        )
        bins = make_bins(pa.Table.from_batches([self._batch()]), plans)
        return ProfilePlan("daily", plans, outcomes, {key: each.bins for key, each in bins.items()})

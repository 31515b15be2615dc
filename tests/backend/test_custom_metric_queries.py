"""Custom metrics of a synced dataset, against the same arithmetic on its rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from scipy import stats

from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ConflictError
from aporia_provider.metrics import MetricsQuery
from aporia_provider.segments import Segment
from tests.backend.syncing import MODEL, SyncedVersion, bucket, spread

pytestmark = pytest.mark.process

PREMIUM = 'sum(column="age", filter="vip = true and city != \'Rome\'") / count()'
SPREAD = """
deviations = squared_sum(column="age") - 2 * mean(column="age") * sum(column="age")
deviations + column_count(column="age") * mean(column="age") ** 2  // Sum of squared deviations.
"""


def answers(monitored: SyncedVersion, name: str, period: str | None = None, segment: Any = None) -> list[Any]:
    data = {"dataset_type": "serving", "segment": segment}
    asked = {"metric": "custom_metric", "parameters": {"id": name}, "datasets": {"data": data}}
    query = MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked], "aggregation_period": period})
    return [(each.time_range, each.metrics[0]) for each in monitored.registry.query_metrics(query)]


def premium(rows: pd.DataFrame) -> float:
    return float(rows[rows.vip & (rows.city != "Rome")].age.sum() / len(rows))


def interval_of_premium(rows: pd.DataFrame) -> tuple[float, float]:
    """The mean of a number of each row, so its interval is that of a mean."""
    number = rows.age.where(rows.vip & (rows.city != "Rome"), 0.0).fillna(0.0)
    half = stats.t.ppf(0.975, len(rows) - 1) * number.std(ddof=1) / len(rows) ** 0.5
    return number.mean() - half, number.mean() + half


def deviations(rows: pd.DataFrame) -> float:
    return float(((rows.age - rows.age.mean()) ** 2).sum())


def test_queries(monitored: SyncedVersion) -> None:
    for name, code in (("premium", PREMIUM), ("spread", SPREAD)):
        monitored.registry.create_custom_metric(MODEL, CustomMetric(name=name, code=code))
    monitored.registry.create_segment(MODEL, Segment(name="city", field="city", values=["Oslo", "Rome"]))
    monitored.write("serving", spread(5, 7, 40, seed=3))
    monitored.connect("serving")
    monitored.sync("serving")
    rows = monitored.rows("serving").to_pandas()
    ((_, whole),) = answers(monitored, "premium")
    assert whole.value == pytest.approx(premium(rows), rel=1e-12)
    assert whole.reason is None
    assert (whole.low, whole.high) == pytest.approx(interval_of_premium(rows), rel=1e-4)
    daily = answers(monitored, "premium", "daily")
    starts = [pd.Timestamp(each.start).timestamp() for each, _ in daily]
    assert starts == [bucket(day) for day in (5, 6, 7)]
    expected = [premium(day) for _, day in rows.groupby(rows["at"].dt.floor("D"))]
    assert [result.value for _, result in daily] == pytest.approx(expected, rel=1e-12)
    ends = [interval_of_premium(day) for _, day in rows.groupby(rows["at"].dt.floor("D"))]
    assert [result.low for _, result in daily] == pytest.approx([low for low, _ in ends], rel=1e-4)
    # Those without a filter exist of segments, too.
    ((_, squares),) = answers(monitored, "spread")
    assert squares.value == pytest.approx(deviations(rows), rel=1e-9)
    oslo = {"id": "city", "value": "Oslo"}
    ((_, squares),) = answers(monitored, "spread", segment=oslo)
    assert squares.value == pytest.approx(deviations(rows[rows.city == "Oslo"]), rel=1e-9)
    assert "the covariances of the sums are not kept" in squares.reason
    ((_, refused),) = answers(monitored, "premium", segment=oslo)
    assert (refused.value, refused.status) == (None, "insufficient_data")
    assert "is not computed within segment 'city'" in refused.reason
    # Filters within a segment are computed if the custom metric names the segment.
    within = CustomMetric(name="premium within", code=PREMIUM, segments=["city"])
    monitored.registry.create_custom_metric(MODEL, within)
    ((_, pending),) = answers(monitored, "premium within", segment=oslo)
    assert (pending.value, pending.status) == (None, "insufficient_data")
    assert "has not been computed for the serving dataset" in pending.reason
    monitored.sync("serving")
    found = answers(monitored, "premium within", "daily", oslo)
    assert [result.reason for _, result in found] == [None] * 3
    of_oslo = rows[rows.city == "Oslo"]
    expected = [premium(day) for _, day in of_oslo.groupby(of_oslo["at"].dt.floor("D"))]
    assert [result.value for _, result in found] == pytest.approx(expected, rel=1e-12)
    ends = [interval_of_premium(day) for _, day in of_oslo.groupby(of_oslo["at"].dt.floor("D"))]
    assert [result.high for _, result in found] == pytest.approx([high for _, high in ends], rel=1e-4)
    # No row of Rome meets the filter, and nothing has no sum.
    ((_, empty),) = answers(monitored, "premium within", segment={"id": "city", "value": "Rome"})
    assert empty.value is None
    assert "there are no rows in the range" in empty.reason
    with pytest.raises(ConflictError, match="custom metrics 'premium within': delete these first"):
        monitored.registry.delete_segment(MODEL, "city")
    monitored.registry.delete_custom_metric(MODEL, "premium within")
    made = [each["name"] for each in monitored.registry.list_segments(MODEL) if not each["manual"]]
    assert "filter: vip = true and city != 'Rome'" in made, "the first custom metric uses it"
    assert len(made) == 3, "and the covariances of both"
    monitored.registry.delete_segment(MODEL, "city")
    ((_, unknown),) = answers(monitored, "premum")
    assert "'premium'" in unknown.error

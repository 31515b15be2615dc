"""A model with segments, whose rows are drawn, and one of whose values has worse labels on its last days."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select

from aporia_provider.backend.store.segment_keys import segment_part, term_prefix
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, SyncRow
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.segments import FILTER_LABEL, Segment
from tests.backend.monitors.monitored_model import Day, MonitoredModel, numbers
from tests.backend.page.drawn_model import FEATURES, drawn, outcomes_of
from tests.backend.page.drawn_model import states_of as drawn_states

DAYS = 14
PER_DAY = 900
WORSE_FROM = 8
"""The first day on which the labels of :data:`WORSE` do not fit their scores."""
WORSE = "b"
NOWHERE = "<script>alert(1)</script>"
CITIES = ["a", "b", "c", NOWHERE]
"""Values of the segment; there are no rows of the last one."""
GOLD = "plan = 'gold'"


def rows_of(day: int) -> pd.DataFrame:
    """The rows of a day."""
    frame = drawn(500 + day, PER_DAY)
    if day >= WORSE_FROM:
        worse = frame["city"] == WORSE
        rng = np.random.default_rng(day)
        frame.loc[worse, "label"] = rng.random(int(worse.sum())) < 0.5
        frame.loc[worse, "score"] **= 3
    return frame


TRAINING = drawn(1, 6_000)


def states_of(frame: pd.DataFrame) -> Day:
    """The states of the fields of rows. Scores are counted in percent, since bins have the width 1."""
    return {**drawn_states(frame), "predictions.proba": numbers(100 * frame["score"].to_numpy())}


def of_city(frame: pd.DataFrame, city: str) -> pd.DataFrame:
    """The rows of a value of the segment ``cities``."""
    return frame[frame["city"] == city]


def segmented_model(url: str, environment: str = "e", days: int = DAYS) -> MonitoredModel:
    """
    Model ``m`` with the segments ``cities``, and ``plans``, which is not computed, and custom metrics.

    :param url: URL of the database.
    :param environment: Its environment.
    :param days: Number of days of serving data.
    """
    model = MonitoredModel(url, environment, features=FEATURES)
    model.connect("v1", "actuals")
    registry = model.registry
    conditions = [[f"city = '{city}'", city] for city in CITIES]
    registry.create_segment("m", Segment(name="cities", conditions=conditions))
    registry.create_segment("m", Segment(name="plans", field="plan", values=["gold", "basic"]))
    share = "count(filter=\"plan = 'gold'\") / count()"
    for name, code in (("share of gold", share), ("age per row", 'sum(column="age") / count()')):
        registry.create_custom_metric("m", CustomMetric(name=name, code=code))
    cities = {city: (lambda frame, city=city: of_city(frame, city)) for city in CITIES}
    gold = {FILTER_LABEL: lambda frame: frame[frame["plan"] == "gold"]}
    parts: list[tuple[str, Any]] = [("cities", cities), (f"filter: {GOLD}", gold)]
    training = {0: TRAINING}
    serving = {day: rows_of(day) for day in range(days)}
    for role, frames in (("training", training), ("serving", serving)):
        model.store({day: states_of(frame) for day, frame in frames.items()}, role=role)
        model.store({day: outcomes_of(frame) for day, frame in frames.items()}, role=role, part=PERFORMANCE)
        for name, terms in parts:
            store_segment(model, role, name, terms, frames)
    return model


def store_segment(
    model: MonitoredModel, role: str, name: str, terms: Any, frames: dict[int, pd.DataFrame]
) -> None:
    """Store the states of the terms of a segment, as a sync does."""
    key = segment_key(model, name)
    for part, states in ((FIELDS, states_of), (PERFORMANCE, outcomes_of)):
        days: dict[int, Day] = {day: {} for day in frames}
        for place, (_, select_rows) in enumerate(terms.items()):
            for day, frame in frames.items():
                chosen = select_rows(frame)
                if len(chosen):
                    prefix = term_prefix(key, place)
                    days[day].update({f"{prefix}{field}": state for field, state in states(chosen).items()})
        model.store(days, role=role, part=segment_part(part, key))
        with model.registry.database.write_transaction() as session:
            made = {"started_at": utc_now(), "synced_at": utc_now()}
            dataset = model.dataset_key("v1", role)
            session.add(SyncRow(dataset_key=dataset, part=segment_part(part, key), **made))


def segment_key(model: MonitoredModel, name: str) -> int:
    """The database key of a segment."""
    with model.registry.database.read_transaction() as session:
        return session.scalars(select(SegmentRow.key).filter_by(name=name)).one()

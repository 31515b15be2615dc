"""A registered model whose states are written directly, and configurations of its monitors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.profiles import replace_profile
from aporia_provider.backend.store.segment_keys import segment_part, term_prefix
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import AggregationPeriod, Model, Monitor
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.profiles.plan import ROWS, dump_bins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.states.vector_state import VectorBins, VectorState
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment

DAY = 86_400
START = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday."""
SCHEMA: dict[str, Any] = {
    "model_type": "binary",
    "raw_inputs": {"latency": "numeric"},
    "features": {"age": "numeric", "plan": "categorical", "emb": "vector"},
    "predictions": {"proba": "numeric"},
}
_NUMBERS = NumericBins.of(np.arange(100.0))
BINS: dict[str, Any] = {
    "raw_inputs.latency": _NUMBERS,
    "features.age": _NUMBERS,
    "features.plan": CategoryBins(("basic", "gold")),
    "features.emb": VectorBins(2, NumericBins.of(np.arange(10.0))),
    "predictions.proba": _NUMBERS,
}
_BINS_OF_TYPES = {"numeric": _NUMBERS, "categorical": BINS["features.plan"], "vector": BINS["features.emb"]}
Day = dict[str, State]


def numbers(values: Any, nulls: int = 0) -> State:
    """The state of a numeric field."""
    return NumericState.of(np.asarray(values, np.float64), nulls, _NUMBERS)


def categories(nulls: int = 0, **counts: int) -> State:
    """The state of a categorical field."""
    return ValueState.of(counts, sum(counts.values()) + nulls, nulls, BINS["features.plan"]).settled()


def vectors(x: float, y: float, rows: int = 300) -> State:
    """The state of vectors around a point, half of them a tenth to either side."""
    points = np.array([[x + 0.1 * (-1) ** row, y] for row in range(rows)])
    return VectorState.of(points.ravel(), np.full(rows, 2), 0, BINS["features.emb"])


def outcomes(tp: int, fp: int, fn: int, tn: int) -> State:
    """The state of predictions with labels, with the threshold 0.5."""
    counts = ((0.9, 1, tp), (0.9, 0, fp), (0.1, 1, fn), (0.1, 0, tn))
    scores = [score for score, _, count in counts for _ in range(count)]
    labels = [bool(label) for _, label, count in counts for _ in range(count)]
    return Binary.of(pa.array(scores), pa.array(labels))


def rows(count: int) -> State:
    """The state of rows."""
    return RowState(rows=count).settled()


def usual(**changed: State) -> Day:
    """The states of a day: 300 rows, ages of 0 to 99, a tenth of the latencies missing, plans 2 to 1."""
    return {
        ROWS: rows(300),
        "raw_inputs.latency": numbers(np.arange(270) % 100, nulls=30),
        "features.age": numbers(np.arange(300) % 100),
        "features.plan": categories(basic=200, gold=100),
        "features.emb": vectors(1.0, 2.0),
        "predictions.proba": numbers(np.arange(300) % 100),
        **{_key(name): state for name, state in changed.items()},
    }


def labelled(tp: int = 90, fp: int = 10, fn: int = 20, tn: int = 180) -> Day:
    """The states of the labels of a day: precision 0.9, recall 9/11, F1 6/7, accuracy 0.9."""
    return {f"{PERFORMANCE}.proba": outcomes(tp, fp, fn, tn)}


def _key(name: str) -> str:
    keys = {"rows": ROWS, "latency": "raw_inputs.latency", "proba": "predictions.proba"}
    return keys.get(name, f"features.{name}")


def on(day: float) -> datetime:
    """The start of a day, counted from 0."""
    return START + timedelta(days=day)


class MonitoredModel:
    """
    Model ``m`` with a version ``v1``, whose serving and training datasets are connected.

    :param url: URL of the database.
    :param environment: Its environment.
    :param lake: Location of the tables, which need not exist.
    :param period: Length of the buckets.
    :param schema: What differs from :data:`SCHEMA`.
    """

    def __init__(
        self,
        url: str,
        environment: str,
        *,
        lake: str = "s3://b/k",
        period: AggregationPeriod | None = None,
        **schema: Any,
    ) -> None:
        self.registry, self.lake = EmbeddedRegistry(url, environment), lake
        model = Model(id="m", name="The <model>", aggregation_period=period)
        if self.registry.create_model(model)["status"] == "created":
            self.add_version("v1", **schema)

    def __enter__(self) -> MonitoredModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.registry.close()

    def add_version(self, name: str, *, training_labels: bool = False, **schema: Any) -> None:
        self.registry.create_model_version("m", name, VersionSchema(**(SCHEMA | schema)))
        for role in ("training", "serving"):
            labels = {"proba": "label"} if training_labels and role == "training" else None
            self.connect(name, role, labels)
        features = (SCHEMA | schema)["features"]
        bins = {f"features.{field}": _BINS_OF_TYPES[type_] for field, type_ in features.items()} | BINS
        with self.registry.database.write_transaction() as session:
            for key in self._keys(session, name).values():
                made = {"started_at": utc_now(), "synced_at": utc_now(), "grids": dump_bins(bins)}
                session.add(SyncRow(dataset_key=key, part=FIELDS, **made))

    def connect(self, version: str, role: str, labels: dict[str, str] | None = None) -> None:
        """Connect a dataset, without a sync."""
        source = S3DataSource(object_path=f"{self.lake}/{role}", object_format="delta")
        columns = {"id_column": "i", "timestamp_column": "t", "labels": labels}
        dataset = DatasetConnection(role=role, data_source=source, **columns)
        self.registry.connect_dataset("m", version, dataset)

    def synced(self, version: str, role: str, table_version: int, latest: int) -> None:
        """Record which version of a table was synced."""
        with self.registry.database.write_transaction() as session:
            key = self._keys(session, version)[role]
            row = session.scalars(select(SyncRow).filter_by(dataset_key=key, part=FIELDS)).one()
            row.position, row.latest_version = {role: {"version": table_version}}, latest

    def dataset_key(self, version: str, role: str) -> int:
        """The database key of a dataset."""
        with self.registry.database.read_transaction() as session:
            return self._keys(session, version)[role]

    def _keys(self, session: Any, version: str) -> dict[str, int]:
        query = select(DatasetRow.role, DatasetRow.key).join(
            VersionRow, DatasetRow.version_key == VersionRow.key
        )
        return dict(iter(session.execute(query.where(VersionRow.name == version))))

    def store(
        self,
        days: Mapping[int, Day],
        *,
        role: str = "serving",
        part: str = FIELDS,
        version: str = "v1",
        seconds: int = DAY,
    ) -> None:
        """Replace the states of days, as a sync does."""
        first = int(START.timestamp())
        states = {
            (first + day * seconds, key): state for day, found in days.items() for key, state in found.items()
        }
        intervals = [(first + day * seconds, first + (day + 1) * seconds) for day in days]
        with self.registry.database.write_transaction() as session:
            replace_profile(session, self._keys(session, version)[role], part, states, intervals, False)

    def store_terms(
        self,
        segment: str,
        terms: Mapping[str, Mapping[int, Day]],
        *,
        role: str = "serving",
        part: str = FIELDS,
        version: str = "v1",
    ) -> None:
        """Replace the states of all terms of a segment in days, as a sync does."""
        first = int(START.timestamp())
        starts = {day: first + day * DAY for days in terms.values() for day in days}
        with self.registry.database.write_transaction() as session:
            row = session.scalars(select(SegmentRow).filter_by(name=segment)).one()
            places = {label: place for place, (label, _) in enumerate(row.terms)}
            states = {
                (starts[day], f"{term_prefix(row.key, places[label])}{key}"): state
                for label, days in terms.items()
                for day, found in days.items()
                for key, state in found.items()
            }
            intervals = [(start, start + DAY) for start in starts.values()]
            dataset = self._keys(session, version)[role]
            replace_profile(session, dataset, segment_part(part, row.key), states, intervals, False)

    def segment(self, name: str, *values: str | float, field: str = "plan", synced: bool = True) -> str:
        """Create a segment; return its id. It counts as synced in all datasets."""
        created = self.registry.create_segment("m", Segment(name=name, field=field, values=list(values)))
        with self.registry.database.write_transaction() as session:
            row = session.scalars(select(SegmentRow).filter_by(name=name)).one()
            for key in session.scalars(select(DatasetRow.key)).all() if synced else ():
                made = {"started_at": utc_now(), "synced_at": utc_now()}
                session.add(SyncRow(dataset_key=key, part=segment_part(FIELDS, row.key), **made))
        return created["id"]

    def complete_until(self, moment: datetime, version: str = "v1") -> None:
        """Record the time of the last commit of the serving data."""
        with self.registry.database.write_transaction() as session:
            key = self._keys(session, version)["serving"]
            row = session.scalars(select(SyncRow).filter_by(dataset_key=key, part=FIELDS)).one()
            row.report = {"committed_at": moment.isoformat()}

    def monitor(self, type_: str, configuration: Mapping[str, Any], name: str = "monitor") -> str:
        """Create a monitor; return its id."""
        created = Monitor(name=name, type=type_, scheduling="0 * * * *", configuration=dict(configuration))
        return self.registry.create_monitor(created)["id"]

    def evaluate(self, day: float, **options: Any) -> dict[str, Any]:
        """Evaluate the monitors at the start of a day."""
        return self.registry.evaluate_monitors("m", now=on(day), **options)


def configuration(
    metric: Any,
    logic: Mapping[str, Any],
    *,
    baseline: Mapping[str, Any] | None = None,
    conditions: Any = (),
    focal: Mapping[str, Any] | None = None,
    description: str | None = None,
    **identification: Any,
) -> dict[str, Any]:
    """
    The JSON that the official SDK builds for a monitor.

    :param metric: Name, or the object with parameters.
    :param logic: The rule.
    :param baseline: What differs from two weeks of serving data.
    :param conditions: The preconditions.
    :param focal: What differs from one day.
    :param description: Template of the text of alerts.
    :param identification: Fields; ``version`` and ``segment``.
    """
    models = {"id": "m", "version": identification.pop("version", None)}
    segment = identification.pop("segment", {"group": None, "value": None})
    action = {
        "type": "ALERT",
        "severity": "LOW",
        "alertType": "metric_change",
        "notification": [],
        "schema": "v1",
        "alertGroupByTime": False,
        "alertGroupByEntity": True,
        "alertGroupTimeUnit": "d",
        "alertGroupTimeQuantity": 1,
        "visualization": "value_over_time",
    }
    settings: dict[str, Any] = {
        "focal": {"source": "SERVING", "timePeriod": "1d", **(focal or {})},
        "metric": {"type": metric} if isinstance(metric, str) else metric,
        "actions": [action if description is None else {**action, "description": description}],
        "logicEvaluations": [dict(logic)],
        "preConditions": list(conditions),
    }
    if baseline is not None:
        serving = baseline.get("source") != "TRAINING"
        settings["baseline"] = {"source": "SERVING", **({"timePeriod": "2w"} if serving else {}), **baseline}
    return {
        "identification": {"models": models, "segment": segment, **identification},
        "configuration": settings,
    }

"""Export of the metrics of a model version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from aporia_provider.api import AporiaApi
from aporia_provider.errors import ValidationError
from aporia_provider.metric_tables.batched_queries import Results, Subject, Window, query_all
from aporia_provider.metric_tables.drift_rows import drift_rows
from aporia_provider.metric_tables.export_request import ExportRequest
from aporia_provider.metric_tables.exported_metrics import distances, field_types, performance, statistics
from aporia_provider.metric_tables.profile_rows import profile_rows
from aporia_provider.nearest import nearest
from aporia_provider.registered_versions import connected_roles, registered_schema
from aporia_provider.schema import VersionSchema

_LENGTHS = {"1 hour": "1h", "1 day": "1d", "1 week": "1w"}
_Profiles = dict[Window, list[dict[str, Any]]]


@dataclass(frozen=True)
class MetricsExport:
    """
    Rows of the tables, computed from the metrics that the API returns.

    :param api: The API.
    :param request: What is exported.
    :param fields: Names of fields; None for all.
    :param segments: Names of segments, whose terms have rows besides the rows for all rows; True for all
        segments of the model.
    :param term: Name of a segment and label of a term, to whose rows the metrics refer; None for all rows.
    """

    api: AporiaApi
    request: ExportRequest
    fields: Sequence[str] | None = None
    segments: Sequence[str] | bool = ()
    term: tuple[str, str] | None = None

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """
        Compute the rows of profile metrics and of drift metrics.

        :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
        :raises aporia_provider.errors.ValidationError: if the server does not return the schema of the
            version, if there is no such field, if the export is too large, or if no metric can be computed.
        """
        terms = self._terms()
        self.request.check_size(len(self._types), 1 + len(terms))
        profiles, drift = self._rows()
        for term in terms:
            more = self._of_term(term)._rows()
            profiles, drift = [*profiles, *more[0]], [*drift, *more[1]]
        return profiles, drift

    def _terms(self) -> list[tuple[str, str]]:
        if not self.segments:
            return []
        terms = {
            segment["name"]: segment
            for segment in self.api.list_segments(self.request.model_id)
            if segment["manual"]
        }
        names = list(terms) if self.segments is True else list(self.segments)
        problems = [
            f"there is no segment {name!r}; {nearest(name, terms)}" for name in names if name not in terms
        ]
        if problems:
            raise ValidationError("Segments cannot be exported", problems=problems)
        return [(name, term["label"]) for name in names for term in terms[name]["terms"]]

    def _of_term(self, term: tuple[str, str]) -> MetricsExport:
        export = replace(self, term=term)
        # What the API has returned about the version is not requested again for each term.
        cached_names = ("schema", "_types", "_roles", "_table_versions")
        export.__dict__.update({name: getattr(self, name) for name in cached_names})
        return export

    def _rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        serving = self._profiles(self._serving)
        training = self._profiles(Subject(self.request.model_id, self._data("training")))
        profiles = [
            *self._profile_rows("training", "BASELINE", training),
            *self._profile_rows(
                "serving", "INPUT", {window: serving.get(window, []) for window in self._windows}
            ),
        ]
        return profiles, [*self._baseline_drift(serving, training), *self._consecutive_drift(serving)]

    @property
    def key(self) -> dict[str, str]:
        """Return the columns that identify the version."""
        request = self.request
        names = {"model_id": request.model_id, "model_version": request.model_version}
        return {"environment": self.api.environment, **names}

    @property
    def _columns(self) -> dict[str, str | None]:
        """Return the columns that all rows have."""
        segment, label = self.term or (None, None)
        return {**self.key, "slice_key": segment, "slice_value": label}

    @cached_property
    def schema(self) -> VersionSchema:
        """Return the schema of the version."""
        schema = registered_schema(self.api, self.request.model_id, self.request.model_version)
        if schema is None:
            raise ValidationError("The server does not return the schema of the version, which is required")
        return schema

    @cached_property
    def _types(self) -> dict[str, str]:
        types = field_types(self.schema)
        if self.fields is None:
            return types
        problems = [
            f"there is no field {name!r}; {nearest(name, list(types))}"
            for name in self.fields
            if name not in types
        ]
        if problems:
            raise ValidationError("Fields cannot be exported", problems=problems)
        return {name: types[name] for name in self.fields}

    @cached_property
    def _roles(self) -> Sequence[str]:
        return connected_roles(self.api, self.request.model_id, self.request.model_version)

    @property
    def _windows(self) -> list[tuple[datetime, datetime]]:
        return self.request.windows

    @property
    def _serving(self) -> Subject:
        """Return the rows of the windows and of the previous window."""
        return self._within(self.request.previous[0], len(self._windows) + 1)

    def _within(self, start: datetime, windows: int, baseline: Mapping[str, Any] | None = None) -> Subject:
        data = self._data("serving", start, self._windows[-1][1])
        return Subject(self.request.model_id, data, self.request.period, windows, baseline)

    def _data(self, role: str, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
        within = None if start is None else {"start": start, "end": end}
        rows = {"dataset_type": role, "model_version": self.request.model_version, "time_range": within}
        return rows if self.term is None else {**rows, "segment": {"id": self.term[0], "value": self.term[1]}}

    def _profiles(self, subject: Subject) -> _Profiles:
        if subject.data["dataset_type"] not in self._roles:
            return {}
        questions = statistics(self._types) | performance(self.schema.model_type)
        counted = _with_row_counts(query_all(self.api.query_metrics, subject, questions))
        if self.term is not None and subject.data["dataset_type"] == "training" and _has_no_counts(counted):
            # The training dataset need not have the fields of a segment.
            return {}
        _check_counts(counted)
        return {
            window: profile_rows(
                results, self._types, unreliable=self.request.unreliable, positive=self._positive
            )
            for window, results in counted.items()
        }

    @property
    def _positive(self) -> str:
        labels = self.schema.labels or []
        return labels[1] if len(labels) == 2 else "true"

    def _profile_rows(self, role: str, log_type: str, profiles: _Profiles) -> list[dict[str, Any]]:
        version = self._table_versions[role]
        shared_columns = {**self._columns, "log_type": log_type, "logging_table_commit_version": version}
        return [
            {**shared_columns, **self._window(window), **row}
            for window, rows in profiles.items()
            for row in rows
        ]

    @cached_property
    def _table_versions(self) -> dict[str, int | None]:
        roles = ("training", "serving")
        return {role: self._table_version(role) if role in self._roles else None for role in roles}

    def _table_version(self, role: Any) -> int | None:
        request = self.request
        status = self.api.get_dataset_sync_status(request.model_id, request.model_version, role)
        version = status.get("table_version")
        return version if isinstance(version, int) else None

    def _window(self, window: Window) -> dict[str, Any]:
        if window is None:
            return {"window": None, "granularity": None}
        return {"window": _struct(window), "granularity": self.request.granularity}

    def _baseline_drift(self, serving: _Profiles, training: _Profiles) -> list[dict[str, Any]]:
        if not training.get(None):
            return []
        subject = self._within(self._windows[0][0], len(self._windows), self._data("training"))
        results = self._distances(subject)
        pairs = dict.fromkeys(self._windows, (None, training[None]))
        return self._drift_rows("BASELINE", serving, pairs, results)

    def _consecutive_drift(self, serving: _Profiles) -> list[dict[str, Any]]:
        earlier = [self.request.previous, *self._windows]
        pairs = {
            window: (before, serving.get(before, []))
            for before, window in zip(earlier, self._windows, strict=False)
        }
        if not any(rows and serving.get(window) for window, (_, rows) in pairs.items()):
            return []
        return self._drift_rows("CONSECUTIVE", serving, pairs, self._consecutive_distances())

    def _consecutive_distances(self) -> Results:
        length = _LENGTHS.get(self.request.granularity)
        if length is not None:
            window = {"dataset_type": "serving", "time_period": length}
            return self._distances(self._within(self._windows[0][0], len(self._windows), window))
        # Months differ in length, so each needs a separate baseline.
        results: Results = {}
        for before, (start, end) in zip([self.request.previous, *self._windows], self._windows, strict=False):
            data = self._data("serving", start, end)
            results |= self._distances(
                Subject(self.request.model_id, data, self.request.period, 1, self._data("serving", *before))
            )
        return results

    def _distances(self, subject: Subject) -> Results:
        questions = distances(self._types)
        return query_all(self.api.query_metrics, subject, questions) if questions else {}

    def _drift_rows(
        self,
        drift_type: str,
        serving: _Profiles,
        pairs: Mapping[tuple[datetime, datetime], tuple[Window, list[dict[str, Any]]]],
        results: Results,
    ) -> list[dict[str, Any]]:
        return [
            {
                **self._columns,
                "drift_type": drift_type,
                **self._window(window),
                "window_cmp": _struct(other),
                **row,
            }
            for window, (other, compared) in pairs.items()
            for row in drift_rows(
                serving.get(window, []), compared, results.get(window, {}), unreliable=self.request.unreliable
            )
        ]


def _struct(window: Window) -> dict[str, datetime] | None:
    return None if window is None else {"start": window[0], "end": window[1]}


def _with_row_counts(all_results: Results) -> Results:
    """
    Return the results of the windows whose rows are counted.

    A metric that cannot be computed at all answers the whole range instead of its windows, in which it is
    null.
    """
    return {window: results for window, results in all_results.items() if (None, "count") in results}


def _has_no_counts(all_results: Results) -> bool:
    return all(results[None, "count"].error is not None for results in all_results.values())


def _check_counts(all_results: Results) -> None:
    """Raise an error if the number of rows is known for no window."""
    counts = [results[None, "count"] for results in all_results.values()]
    errors = dict.fromkeys(result.error for result in counts if result.error is not None)
    if errors and all(result.error is not None for result in counts):
        raise ValidationError("No rows can be counted", problems=list(errors))

"""The text format in which Prometheus reads numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from aporia_provider.backend.monitors.version_gauges import EnvironmentGauges, VersionGauges

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Samples = Iterable[tuple[Mapping[str, str], float | None]]
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

_OF_VERSIONS: tuple[tuple[str, str, Callable[[VersionGauges], float | None]], ...] = (
    (
        "aporia_version_rows",
        "Serving rows of the latest complete day.",
        lambda each: each.rows,
    ),
    (
        "aporia_version_label_coverage_ratio",
        "Share of the predictions of the latest complete day that have a label.",
        lambda each: each.label_coverage,
    ),
    (
        "aporia_version_latest_day_timestamp_seconds",
        "Start of the latest complete day, in seconds since 1970.",
        lambda each: each.day.timestamp() if each.day else None,
    ),
    (
        "aporia_version_sync_lag_versions",
        "Versions of the serving table that were not synced when it was last read.",
        lambda each: each.sync_lag,
    ),
    (
        "aporia_version_sync_age_seconds",
        "Time since the last sync of the serving dataset.",
        lambda each: each.sync_age,
    ),
)


def exposition(gauges: EnvironmentGauges) -> str:
    """Return the numbers of an environment as gauges."""
    return "".join(f"{line}\n" for line in _lines(gauges))


def _lines(gauges: EnvironmentGauges) -> Iterator[str]:
    for name, text, value in _OF_VERSIONS:
        yield from _gauge(name, text, ((_labels(version), value(version)) for version in gauges.versions))
    yield from _gauge(
        "aporia_open_alerts",
        "Open alerts of a model.",
        (({"model": model, "severity": severity}, count) for model, severity, count in gauges.open_alerts),
    )
    yield from _gauge(
        "aporia_versions_left_out",
        "Versions, registered earlier than the others, that are not part of this response.",
        [({}, gauges.versions_left_out)],
    )


def _labels(version: VersionGauges) -> dict[str, str]:
    return {"model": version.model_id, "version": version.model_version}


def _gauge(name: str, text: str, samples: _Samples) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        if value is not None:
            pairs = ",".join(f'{key}="{text.translate(_ESCAPED)}"' for key, text in labels.items())
            yield f"{name}{{{pairs}}} {value!r}" if pairs else f"{name} {value!r}"

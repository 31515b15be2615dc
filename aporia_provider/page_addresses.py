"""Addresses of the views of the web page, to which alerts and tasks link."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode


class Addresses:
    """
    Addresses of the views.

    :param base: Path or URL that the page is served under, without a slash at its end.
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def overview(self, **query: str | int | None) -> str:
        """Return the address of the overview."""
        return self._address((), query) if any(query.values()) else f"{self.base}/"

    def model(self, model_id: str, **query: str | int | None) -> str:
        """Return the address of a model."""
        return self._address(("models", model_id), query)

    def alert(self, model_id: str, alert_id: str, action: str | None = None) -> str:
        """Return the address of an alert, or of an action on it: ``acknowledge`` or ``snooze``."""
        return self._address(("models", model_id, "alerts", alert_id, *([action] if action else [])), {})

    def field(self, model_id: str, version: str, field: str, **query: str | int | None) -> str:
        """Return the address of a field of a version."""
        return self._address(("models", model_id, "versions", version, "fields", field), query)

    def monitors(self, model_id: str, **query: str | int | None) -> str:
        """Return the address of the monitors of a model."""
        return self._address(("models", model_id, "monitors"), query)

    def segments(self, model_id: str, **query: str | int | None) -> str:
        """Return the address of the segments of a model."""
        return self._address(("models", model_id, "segments"), query)

    def model_file(self, model_id: str, name: str, **query: str | int | None) -> str:
        """Return the address of a file of numbers of a model."""
        return self._address(("models", model_id, name), query)

    def replay_file(self, model_id: str, **query: str | int | None) -> str:
        """Return the address of the alerts of a replay."""
        return self._address(("models", model_id, "monitors", "replay.csv"), query)

    def field_file(
        self, model_id: str, version: str, field: str, name: str, **query: str | int | None
    ) -> str:
        """Return the address of a file of numbers of a field."""
        return self._address(("models", model_id, "versions", version, "fields", field, name), query)

    def static(self, name: str, fingerprint: str) -> str:
        """Return the address of a file, which changes with its content."""
        return self._address(("static", name), {"v": fingerprint})

    def local(self, *segments: str) -> str:
        """Return the address of another view."""
        return self._address(segments, {})

    def _address(self, segments: tuple[str, ...], query: Mapping[str, str | int | None]) -> str:
        path = "/".join(quote(segment, safe="") for segment in segments)
        parameters = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.base}/{path}" + (f"?{urlencode(parameters)}" if parameters else "")

"""Paths of the routes, below the path that the page is served under."""

from __future__ import annotations

# It registers the type of the parameters of paths.
from aporia_provider.backend.request_paths import MODEL, VERSION

FILE = "/static/{name:segment}"
ALERT = f"{MODEL}/alerts/{{alert_id:segment}}"
FIELD = f"{VERSION}/fields/{{field:segment}}"
MONITORS = f"{MODEL}/monitors"
SEGMENTS = f"{MODEL}/segments"

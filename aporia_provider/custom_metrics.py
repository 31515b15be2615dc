"""Custom metrics of a model: expressions of metrics."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

# Pydantic refuses typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict

from aporia_provider.base_model import Name, PublicModel, Title

MAX_CODE: Final = 4_000
"""Maximum length of the code of a custom metric in characters."""
MAX_NAMED: Final = 100
"""Maximum number of segments that a custom metric names."""
MAX_CUSTOM_METRICS: Final = 100
"""Maximum number of custom metrics of a model."""


class RegisteredCustomMetric(TypedDict):
    """
    A registered custom metric.

    ``filters`` has the names of the segments that were made for its filters, those within other segments
    included. ``segments`` has the names of these others.
    """

    id: str
    name: str
    code: str
    created_at: str
    filters: list[str]
    segments: list[str]


class CustomMetric(PublicModel):
    """
    A custom metric of a model.

    :param name: Name, unique among the custom metrics of the model.
    :param code: Expression, such as ``sum(column="premium", filter="age > 70") / sum(column="premium")``.
    :param segments: Names of segments of the model, for whose values the custom metric can be queried
        although its code has filters. For each filter, its rows within the values of the segment are a
        segment of their own. A code without filters can be queried for all segments.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("name", "code", "segments")

    name: Title
    code: Annotated[Name, Field(max_length=MAX_CODE)]
    segments: Annotated[list[Name], Field(max_length=MAX_NAMED)] | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request that creates the custom metric."""
        return self.model_dump(exclude_none=True)

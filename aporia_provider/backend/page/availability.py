"""Errors about missing requirements of the page."""

from __future__ import annotations

from aporia_provider.errors import AporiaError


class PageUnavailableError(AporiaError):
    """The page cannot be shown. The message, which users see, describes the remedy."""

"""Errors that say what is missing for the page."""

from __future__ import annotations

from aporia_provider.errors import AporiaError


class PageUnavailableError(AporiaError):
    """The page cannot be shown; the message says what to do, and is shown to users."""

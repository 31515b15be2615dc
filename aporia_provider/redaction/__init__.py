"""
What may be shown of data sources, URLs and messages; everything else is replaced by ``***``.

Of a URL these are its scheme, hosts, port and path, of the options of a reader those on a list.
"""

from __future__ import annotations

from aporia_provider.redaction.reader_options import shown_option
from aporia_provider.redaction.text import hide_in_text
from aporia_provider.redaction.urls import HIDDEN, login_fault, shown_url

__all__ = ["HIDDEN", "hide_in_text", "login_fault", "shown_option", "shown_url"]

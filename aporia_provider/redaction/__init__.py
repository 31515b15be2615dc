"""
Redaction of secrets in data sources, URLs and messages.

Everything that is not known to be harmless is replaced by ``***``: all of a URL except its scheme, hosts,
port and path, and the values of reader options that are not on a list.
"""

from __future__ import annotations

from aporia_provider.redaction.reader_options import redact_option
from aporia_provider.redaction.text import redact_text
from aporia_provider.redaction.urls import HIDDEN, login_fault, redact_url

__all__ = ["HIDDEN", "login_fault", "redact_option", "redact_text", "redact_url"]

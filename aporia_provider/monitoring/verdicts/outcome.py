"""The outcomes of verdicts."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["pass", "fail", "insufficient"]
"""``fail`` raises an alert; ``insufficient`` means that the data permits neither of the other outcomes."""

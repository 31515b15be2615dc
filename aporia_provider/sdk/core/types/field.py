"""Types of fields."""

from __future__ import annotations

from aporia_provider.schema import FIELD_TYPES
from aporia_provider.sdk.core.types.words import enumerate_words

FieldType = enumerate_words("FieldType", FIELD_TYPES, __name__)

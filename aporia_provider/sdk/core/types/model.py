"""Colors and icons of models."""

from __future__ import annotations

from aporia_provider.models import COLORS, ICONS
from aporia_provider.sdk.core.types.words import enumerate_words

ModelColor = enumerate_words("ModelColor", COLORS, __name__)
ModelIcon = enumerate_words("ModelIcon", ICONS, __name__)

"""
Long random tests of the server, of syncs that are killed and of registrations that race: ``make soak``.

The environment gives the sizes, and the seed to repeat a run with.
"""

from __future__ import annotations

import os
import random

REQUESTS = int(os.environ.get("APORIA_SOAK_REQUESTS", "1000000"))
KILLS = int(os.environ.get("APORIA_SOAK_KILLS", "1000"))
RACES = int(os.environ.get("APORIA_SOAK_RACES", "10000"))
SEED = int(os.environ.get("APORIA_SOAK_SEED") or random.SystemRandom().randrange(10**9))

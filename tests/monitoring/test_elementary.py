"""Elementary functions: right to the last place or the one before, on whatever processor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pytest

from aporia_provider.monitoring.portable_math import exp2, exp2m1, log, log1p

EXACT = Context(prec=60)
RNG = np.random.default_rng(0)
CHANCES = np.concatenate([RNG.random(2_000), 1 - RNG.random(200) * 1e-9, RNG.random(200) * 1e-15, [1.0]])
WIDE = np.concatenate([np.exp2(RNG.uniform(-1074, 1023, 2_000)), [5e-324, 1.7976931348623157e308]])
LESS = -np.concatenate([RNG.random(1_000) * 4, RNG.random(500) * 1e-12, np.arange(60.0), [900.5, 5_000.0]])


def _ln(x: Decimal) -> Decimal:
    return EXACT.ln(x)


def _ln_of_one_more(x: Decimal) -> Decimal:
    return EXACT.subtract(x, EXACT.divide(x * x, 2)) if x < Decimal("1e-25") else _ln(EXACT.add(1, x))


def _two_to_the(x: Decimal) -> Decimal:
    return EXACT.power(Decimal(2), x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "exact", "values"),
    [
        (log, _ln, CHANCES),
        (log, _ln, WIDE),
        (log1p, _ln_of_one_more, np.concatenate([[0.0], CHANCES, WIDE])),
        (exp2, _two_to_the, LESS),
        (exp2m1, lambda x: EXACT.subtract(_two_to_the(x), Decimal(1)), LESS),
    ],
)
def test_right_to_the_last_places(
    function: Callable[[Any], Any], exact: Callable[[Decimal], Decimal], values: Any
) -> None:
    for value, found in zip(values.tolist(), function(values).tolist(), strict=True):
        wanted = exact(Decimal(value))
        assert abs(Decimal(found) - wanted) <= 2 * Decimal(float(np.spacing(abs(float(wanted))))), value


def test_whole_powers_are_exact() -> None:
    whole = -np.arange(53.0)
    assert exp2(whole).tolist() == [2.0**-n for n in range(53)]
    assert exp2m1(whole).tolist() == [2.0**-n - 1 for n in range(53)]


@pytest.mark.process
def test_the_same_with_and_without_wide_instructions() -> None:
    program = (
        "import numpy as np, hashlib; from aporia_provider.monitoring.portable_math import *; "
        "x = np.random.default_rng(1).random(20_000); "
        "print(hashlib.sha256(b''.join(f(v).tobytes() for f, v in "
        "((log, x), (log1p, x), (exp2, -x), (exp2m1, -x)))).hexdigest())"
    )
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "NPY_DISABLE_CPU_FEATURES": left_alone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for left_alone in ("", " ".join(found))
    ]
    x = np.random.default_rng(1).random(20_000)
    here = b"".join(f(v).tobytes() for f, v in ((log, x), (log1p, x), (exp2, -x), (exp2m1, -x)))
    assert told == [hashlib.sha256(here).hexdigest()] * 2

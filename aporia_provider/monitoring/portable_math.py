"""
Logarithms and powers that are bitwise equal on all processors.

Those of numpy and the C library differ in the last bit, since their implementation depends on the processor,
so states would not be equal. Here they are computed only with sums, products and quotients, whose rounding
IEEE 754 defines. The errors are at most slightly above one unit in the last place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# ln 2 as the sum of two numbers, where the product of the first with an exponent is exact; and the
# coefficients of the minimax polynomial of FreeBSD's msun (s_log.c, after Ng, 1993).
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_OF_LOG = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)
_TERMS = 15  # Number of terms of the series of e**x, for x of at most ln(2)/2 in magnitude.
_LEAST = -1100.0  # 2**x is zero for x below this.


def log(x: Floats) -> Floats:
    """Return the natural logarithm of positive finite numbers."""
    mantissas, exponents = np.frexp(x)
    low = mantissas < math.sqrt(0.5)
    f = np.where(low, 2 * mantissas, mantissas) - 1
    k = (exponents - low).astype(np.float64)
    s, half = f / (2 + f), 0.5 * f * f
    remainder = s * (half + _polynomial(_OF_LOG, s * s) * (s * s))
    logarithms: Floats = k * _LN2_HIGH - ((half - (remainder + k * _LN2_LOW)) - f)
    return logarithms


def log1p(x: Floats) -> Floats:
    """Return ln(1 + x) of finite numbers that are not negative."""
    u = 1 + x
    # The second term is the rounding error of the sum (Kahan).
    return log(u) + (x - (u - 1)) / u


def exp2(x: Floats) -> Floats:
    """Return 2**x of finite numbers that are not positive."""
    whole = np.rint(np.maximum(x, _LEAST))
    return np.ldexp(1 + _series((np.maximum(x, _LEAST) - whole) * math.log(2)), whole.astype(np.int32))


def exp2m1(x: Floats) -> Floats:
    """Return 2**x - 1 of finite numbers that are not positive."""
    near = x > -0.5
    return np.where(near, _series(np.where(near, x, 0) * math.log(2)), exp2(x) - 1)


def _series(x: Floats) -> Floats:
    """Return e**x - 1 near zero."""
    total = np.ones_like(x)
    for n in range(_TERMS, 1, -1):
        total = 1 + total * x / n
    return total * x


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    total = np.zeros_like(x)
    for coefficient in coefficients:
        total = total * x + coefficient
    return total

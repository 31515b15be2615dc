"""Tests of whether a proportion or a mean differs between two independent samples."""

from __future__ import annotations

import math

_ENOUGH = 1000.0
_NEGLIGIBLE = 1e-17


def proportion_p_value(count: int, size: int, other_count: int, other_size: int) -> float:
    """
    Return the p-value of the hypothesis that two samples have the same proportion.

    It is twice the smaller tail of Fisher's exact test (*Statistical methods for research workers*, 1934,
    21.02), or the p-value of its normal approximation if all four expected counts are at least 1000.

    :param count: Number of values of a sample that are counted.
    :param size: Size of the sample.
    :param other_count: Number of values of the other sample that are counted.
    :param other_size: Size of the other sample.
    """
    total, counted = size + other_size, count + other_count
    if not size or not other_size or counted in (0, total):
        return 1.0
    expected = size * counted / total
    variance = expected * (total - counted) * other_size / total / max(total - 1, 1)
    rarest = min(size, other_size) * min(counted, total - counted) / total
    if rarest >= _ENOUGH:
        # With a correction for continuity.
        beyond = max(abs(count - expected) - 0.5, 0.0)
        return math.erfc(beyond / math.sqrt(2 * variance))
    return _fisher(count, size, counted, total)


def _fisher(count: int, size: int, counted: int, total: int) -> float:
    upwards = count * total >= size * counted
    if not upwards:
        count, counted = size - count, total - counted
    # The tail from the count upwards, by the ratio of successive terms.
    term = math.exp(
        _log_choices(counted, count) + _log_choices(total - counted, size - count) - _log_choices(total, size)
    )
    tail = 0.0
    for number in range(count, min(size, counted) + 1):
        tail += term
        if term <= tail * _NEGLIGIBLE:
            break
        term *= (counted - number) * (size - number)
        term /= (number + 1) * (total - counted - size + number + 1)
    return min(1.0, 2 * tail)


def _log_choices(number: int, chosen: int) -> float:
    return math.lgamma(number + 1) - math.lgamma(chosen + 1) - math.lgamma(number - chosen + 1)


def mean_p_value(difference: float, errors: tuple[float, float], sizes: tuple[int, int]) -> float:
    """
    Return the p-value of the hypothesis that two samples are from distributions with the same mean.

    It is the greater of two p-values: of Welch's test (*The generalization of Student's problem*, Biometrika
    34, 1947) and of Student's, which assumes equal variances. The mean and the variance of a small sample
    from a skewed distribution, such as a distribution of losses, are correlated: Welch's test is then wrong
    too often if the smaller sample has the smaller mean, and Student's if it has the greater one.

    :param difference: Difference of the means.
    :param errors: Standard errors of the means.
    :param sizes: Sizes of the samples, at least 2.
    """
    variances = [error * error for error in errors]
    variance = sum(variances)
    if not variance > 0:
        return 1.0 if difference == 0 else 0.0
    ends = list(zip(variances, sizes, strict=True))
    spread = sum(each * each / (size - 1) for each, size in ends)
    welch = student_p_value(difference / math.sqrt(variance), variance * variance / spread)
    degrees = sum(sizes) - 2
    pooled = sum(each * size * (size - 1) for each, size in ends) / degrees
    error = math.sqrt(pooled * sum(1 / size for size in sizes))
    return max(welch, student_p_value(difference / error, degrees))


def student_p_value(statistic: float, degrees: float) -> float:
    """
    Return the probability of a value of Student's t at least this far from zero.

    It is the expansion of Hill, *Algorithm 395*, Comm. ACM 13, 1970.

    :param statistic: The value.
    :param degrees: Degrees of freedom; from 4 on, the relative error is below 1 %.
    """
    a = degrees - 0.5
    b = 48 * a * a
    y = a * math.log1p(statistic * statistic / degrees)
    factor = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b)
    return math.erfc(((factor + y + 3.0) / b + 1.0) * math.sqrt(y / 2))

"""Control of the false discovery rate over the fields of a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def adjusted_p_values(p_values: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """
    Return p-values adjusted by the weighted Benjamini-Hochberg procedure.

    Rejecting the hypotheses whose adjusted p-value is at most ``q`` keeps the expected share of false
    rejections at or below ``q``, if the p-values are independent or positively dependent. A p-value is
    divided by its weight (Genovese, Roeder and Wasserman, *False discovery control with p-value weighting*,
    Biometrika 93, 2006); equal weights give the procedure of Benjamini and Hochberg.

    :param p_values: P-values, hypotheses along the last axis.
    :param weights: Weights of the hypotheses, such as the importance of the fields. Only their ratios
        matter. A hypothesis of weight zero is never rejected. Default: equal weights.
    :raises ValueError: if a weight is negative or not finite, or all are zero.
    """
    p = np.asarray(p_values, dtype=np.float64)
    hypotheses = p.shape[-1]
    if not hypotheses:
        return p.copy()
    weighted = p if weights is None else _weighted(p, np.asarray(weights, dtype=np.float64))
    order = np.argsort(weighted, axis=-1, kind="stable")
    steps = np.take_along_axis(weighted, order, -1) * hypotheses / np.arange(1, hypotheses + 1)
    steps = np.minimum.accumulate(steps[..., ::-1], axis=-1)[..., ::-1]
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(steps, 1.0), -1)
    return adjusted


def mean_one(weights: ArrayLike) -> Floats:
    """
    Return weights scaled so that their mean is one.

    :raises ValueError: if a weight is negative or not finite, or all are zero.
    """
    values = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise ValueError("weights must be finite, not negative, and not all zero")
    scaled: Floats = values / values.mean()
    return scaled


def _weighted(p: Floats, weights: Floats) -> Floats:
    scaled = np.broadcast_to(mean_one(weights), p.shape)
    divided = np.full_like(p, np.inf)
    np.divide(p, scaled, out=divided, where=scaled > 0)
    return divided

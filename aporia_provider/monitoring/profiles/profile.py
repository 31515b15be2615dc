"""Computation of profiles: additive states by bucket and key from Arrow batches."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from aporia_provider.monitoring.kernel.library import find_kernel
from aporia_provider.monitoring.profiles.kernel_profile import kernel_profile
from aporia_provider.monitoring.profiles.numpy_profile import Bucket, Profile, add, numpy_profile
from aporia_provider.monitoring.profiles.plan import ProfilePlan

__all__ = ["Bucket", "Profile", "add", "profile"]


def profile(batches: Iterable[pa.RecordBatch], plan: ProfilePlan) -> Profile:
    """
    Return the states of rows.

    They are computed by the kernel, or by numpy without it; the results are equal to the last bit.

    :param batches: The rows, see :class:`~.plan.ProfilePlan` for their columns.
    :param plan: The states to compute.
    :return: States by bucket (its start in seconds since 1970, UTC; None for rows whose timestamp is null)
        and key.
    """
    library = find_kernel().library
    return numpy_profile(batches, plan) if library is None else kernel_profile(batches, plan, library)

"""Profiles computed by the kernel and by numpy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from ctypes import CDLL
from typing import Any

import pyarrow as pa

from aporia_provider.monitoring.kernel import library
from aporia_provider.monitoring.profiles.kernel_profile import kernel_profile
from aporia_provider.monitoring.profiles.numpy_profile import Profile, numpy_profile
from aporia_provider.monitoring.profiles.plan import ProfilePlan


def kernel() -> CDLL:
    """The kernel, even if the environment says that it is not to be used."""
    found = library._load()
    assert found.library is not None, f"{found.reason}; python hatch_build.py compiles the kernel"
    return found.library


def with_kernel(batches: Sequence[pa.RecordBatch], plan: ProfilePlan) -> Profile:
    return kernel_profile(batches, plan, kernel())


def texts(profile: Profile) -> dict[Any, str]:
    """States as they are stored: unlike floats, text tells -0.0 from 0.0."""
    return {place: json.dumps(state.to_json(), sort_keys=True) for place, state in profile.items()}


def digest(profile: Profile) -> str:
    lines = sorted(f"{place} {text}" for place, text in texts(profile).items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def assert_equal(batches: Sequence[pa.RecordBatch], plan: ProfilePlan) -> None:
    """Assert that both compute the same states, to the last bit."""
    found, expected = with_kernel(batches, plan), numpy_profile(batches, plan)
    assert texts(found) == texts(expected)
    assert found == expected

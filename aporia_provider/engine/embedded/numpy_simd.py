"""CPU features that numpy must not use on processors on which they are slow."""

from __future__ import annotations

from pathlib import Path

_DISABLED_FEATURES = "NPY_DISABLE_CPU_FEATURES"
_CPU_INFO = Path("/proc/cpuinfo")
# Zen 3 and 4. On Zen 4, compressing stores take a hundred cycles, so that numpy's AVX-512 sort is four times
# slower than its AVX2 sort (numpy/x86-simd-sort#6; see also OpenJDK, JDK-8317976).
_SLOW_PROCESSOR = ("AuthenticAMD", "25")


def numpy_environment() -> dict[str, str]:
    """Return the environment variables with which numpy sorts fastest on this processor; usually none."""
    if _processor() != _SLOW_PROCESSOR:
        return {}
    import numpy as np

    enabled = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    slow_features = [name for name in enabled if name == "X86_V4" or name.startswith("AVX512")]
    return {_DISABLED_FEATURES: " ".join(slow_features)} if slow_features else {}


def _processor() -> tuple[str, str] | None:
    """Return the vendor and the family of the processor; None if they are unknown."""
    try:
        lines = _CPU_INFO.read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return None
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return values.get("vendor_id", ""), values.get("cpu family", "")

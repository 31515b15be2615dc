"""CPU features that numpy must not use on slow processors."""

from __future__ import annotations

from pathlib import Path

_FEATURES = "NPY_DISABLE_CPU_FEATURES"
_CPU_INFO = Path("/proc/cpuinfo")
# Zen 3 and 4. On Zen 4, compressing stores take a hundred cycles, so that numpy's AVX-512 sort is four times
# slower than its AVX2 sort (numpy/x86-simd-sort#6; see also OpenJDK, JDK-8317976).
_SLOW = ("AuthenticAMD", "25")


def numpy_environment() -> dict[str, str]:
    """Return the environment variables with which numpy sorts fastest on this processor; usually none."""
    if _processor() != _SLOW:
        return {}
    import numpy as np

    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    wide = [name for name in found if name == "X86_V4" or name.startswith("AVX512")]
    return {_FEATURES: " ".join(wide)} if wide else {}


def _processor() -> tuple[str, str] | None:
    """Return the vendor and the family of the processor; None if they are unknown."""
    try:
        lines = _CPU_INFO.read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return None
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return told.get("vendor_id", ""), told.get("cpu family", "")

"""What numpy had better leave alone on this processor."""

from __future__ import annotations

from pathlib import Path

_FEATURES = "NPY_DISABLE_CPU_FEATURES"
_CPU_INFO = Path("/proc/cpuinfo")
# Zen 3 and 4. Storing what a mask selects takes Zen 4 a hundred cycles, and numpy sorts with it where it can:
# four times slower than with AVX2 (numpy/x86-simd-sort#6; OpenJDK avoids it, too: JDK-8317976).
_SLOW = ("AuthenticAMD", "25")


def numpy_environment() -> dict[str, str]:
    """Variables that make a process sort as fast as this processor can; mostly none."""
    if _processor() != _SLOW:
        return {}
    import numpy as np

    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    wide = [name for name in found if name == "X86_V4" or name.startswith("AVX512")]
    return {_FEATURES: " ".join(wide)} if wide else {}


def _processor() -> tuple[str, str] | None:
    """Vendor and family, where the system tells."""
    try:
        lines = _CPU_INFO.read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return None
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return told.get("vendor_id", ""), told.get("cpu family", "")

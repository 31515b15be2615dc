"""Which of its features numpy is told to leave alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aporia_provider.engine.embedded import numpy_simd
from aporia_provider.engine.embedded.environment import engine_environment
from aporia_provider.engine.embedded.numpy_simd import numpy_environment
from aporia_provider.lake.credentials import AwsCredentials

_TOLD = "processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: 17\nflags\t\t: fpu avx512f\n"


@pytest.fixture
def processor_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(numpy_simd, "_CPU_INFO", path)
    return path


def _found(*features: str) -> dict[str, object]:
    return {"SIMD Extensions": {"baseline": ["X86_V2"], "found": list(features)}}


@pytest.mark.parametrize(
    ("features", "left_alone"),
    [
        (("X86_V3", "X86_V4", "AVX512_ICL"), {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL"}),
        (("SSE42", "AVX2", "AVX512F", "AVX512_SKX"), {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX"}),
        (("X86_V3",), {}),
    ],
)
def test_zen_4(
    processor_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    features: tuple[str, ...],
    left_alone: dict[str, str],
) -> None:
    processor_file.write_text("\n".join(_TOLD.format(place, "AuthenticAMD", 25) for place in range(2)))
    monkeypatch.setattr(np, "show_config", lambda mode: _found(*features))
    assert numpy_environment() == left_alone
    environment = engine_environment(AwsCredentials())
    assert {name: value for name, value in environment.items() if name.startswith("NPY_")} == left_alone


@pytest.mark.parametrize(
    ("vendor", "family"), [("GenuineIntel", 6), ("AuthenticAMD", 26), ("AuthenticAMD", 2)]
)
def test_others_sort_with_all_they_have(processor_file: Path, vendor: str, family: int) -> None:
    processor_file.write_text(_TOLD.format(0, vendor, family))
    assert numpy_environment() == {}


def test_a_system_that_does_not_tell(processor_file: Path) -> None:
    assert numpy_environment() == {}
    processor_file.write_text("Processor\t: ARMv8\n")
    assert numpy_environment() == {}


def test_what_the_user_has_chosen_stays(processor_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processor_file.write_text(_TOLD.format(0, "AuthenticAMD", 25))
    monkeypatch.setattr(np, "show_config", lambda mode: _found("X86_V4"))
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "X86_V3")
    assert engine_environment(AwsCredentials())["NPY_DISABLE_CPU_FEATURES"] == "X86_V3"

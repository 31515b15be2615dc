"""
How far our distances are from NannyML's on real data: ``python -m benchmarks.agreement FOLDER``.

The folder holds the census and the California data that NannyML's package brings: ``employment_MA_*.pq`` and
``california_housing_*.csv``. Both sides get the same rows in the same chunks. ``make bench`` makes NannyML's
environment.

* The Kolmogorov-Smirnov distance on our own bins has to be within our printed bound and NannyML's own error:
  with 10,000 rows or more it looks at 10,000 bins of equal width, and cannot be off by more than the fullest.
* The Jensen-Shannon distance on NannyML's own edges has to be the same to nine digits, and so has that of
  categories.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from aporia_provider.monitoring.arrow import text_counts
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.bin_distances import js_distance
from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.distance_result import Distance, Minimum
from aporia_provider.monitoring.drift.distribution_distances import ks_distance
from aporia_provider.monitoring.drift.measures import compare_categories
from aporia_provider.monitoring.drift.rebinning import NumericHistogram
from aporia_provider.monitoring.states.number_state import NumericState
from benchmarks.peer_process import run_peer

JS, KS = "jensen_shannon", "kolmogorov_smirnov"
SAME = 1e-9
_BINS = 10_000


@dataclass(frozen=True)
class Case:
    """Reference and analysis, in columns of numbers and of categories, and how long a chunk is."""

    name: str
    reference: pd.DataFrame
    analysis: pd.DataFrame
    numbers: list[str]
    categories: list[str]
    chunk: int


def census(folder: Path) -> Case:
    reference, analysis = (
        pd.read_parquet(folder / f"employment_MA_{part}.pq") for part in ("reference", "analysis")
    )
    numbers = ["AGEP", "predicted_probability"]
    left_out = {"id", "year", "employed", *numbers}
    categories = [name for name in analysis.columns if name not in left_out]
    kept = [*numbers, *categories]
    # As text: NannyML cannot look for a category among integers and texts.
    sides = (side[kept].astype(dict.fromkeys(categories, str)) for side in (reference, analysis))
    return Case("census", *sides, numbers, categories, 5_000)


def california(folder: Path) -> Case:
    sides = [
        pd.read_csv(folder / f"california_housing_{part}.csv").drop(columns=["id", "timestamp"])
        for part in ("reference", "analysis")
    ]
    numbers = [name for name in sides[1].columns if name != "y_pred"]
    kept = [*numbers, "y_pred"]
    return Case(
        "California", *(side[kept].astype({"y_pred": str}) for side in sides), numbers, ["y_pred"], 500
    )


def numeric(values: np.ndarray, bins: NumericBins) -> NumericHistogram:
    state = NumericState.of(np.asarray(values, dtype=np.float64), 0, bins)
    return NumericHistogram(bins, state.counts, state.below, state.above)


def bins_on(edges: list[float]) -> NumericBins:
    """Bins with the edges that another library uses; its last one holds the last edge."""
    own = (*edges[:-1], float(np.nextafter(edges[-1], np.inf)))
    return NumericBins(own, tuple(range(len(own))), own[0])


def js(baseline: NumericHistogram, current: NumericHistogram) -> float:
    return of(js_distance(*(side.bins.coarsen(side.counts) for side in (baseline, current)))).value


def of(distance: Any) -> Distance:
    assert isinstance(distance, Distance)
    return distance


def fullest(reference: np.ndarray, chunk: np.ndarray) -> float:
    """The greatest share in one of NannyML's bins, on either side; 0 if it compares the values themselves."""
    if len(reference) < _BINS:
        return 0.0
    edges = np.linspace(reference.min(), reference.max(), _BINS + 1)
    return max(float(np.histogram(side, edges)[0].max() / len(side)) for side in (reference, chunk))


def compare(case: Case) -> bool:
    """Print the greatest differences; whether they are as small as they have to be."""
    chunks = [
        case.analysis.iloc[start : start + case.chunk] for start in range(0, len(case.analysis), case.chunk)
    ]
    if len(chunks[-1]) < case.chunk:
        # NannyML adds an incomplete chunk to the one before, or keeps it; whole ones leave no doubt.
        chunks.pop()
    theirs = _nannyml(case, pd.concat(chunks))
    print(f"{case.name}: {len(case.reference):,} rows of reference, {len(chunks)} chunks of {case.chunk:,}")
    fine = True
    differences: dict[str, list[float]] = {"KS": [], "JS, numbers": [], "JS, categories": []}
    for column in case.numbers:
        reference = case.reference[column].to_numpy(dtype=np.float64)
        own, same = NumericBins.of(reference), bins_on(theirs[column]["edges"])
        assert own is not None
        for place, chunk in enumerate(chunk[column].to_numpy(dtype=np.float64) for chunk in chunks):
            ks = of(ks_distance(numeric(reference, own), numeric(chunk, own)))
            apart = abs(ks.value - theirs[column][KS][place])
            fine &= apart <= ks.bound + fullest(reference, chunk) + SAME
            differences["KS"].append(apart)
            value = js(numeric(reference, same), numeric(chunk, same))
            differences["JS, numbers"].append(abs(value - theirs[column][JS][place]))
    for column in case.categories:
        baseline = CategoryHistogram(text_counts(pa.array(case.reference[column])))
        for place, chunk in enumerate(chunks):
            current = CategoryHistogram(text_counts(pa.array(chunk[column])))
            compared = compare_categories("js_distance", baseline, current, minimum=Minimum(1, 0, 1))
            value = of(compared.outcome).value
            differences["JS, categories"].append(abs(value - theirs[column][JS][place]))
    same = [_shown(name, found) for name, found in differences.items()]
    return fine and all(same)


def _shown(name: str, differences: Iterable[float]) -> bool:
    found = list(differences)
    print(f"  {name:15} {len(found):5} compared, greatest difference {max(found):.2e}")
    return name == "KS" or max(found) <= SAME


def _nannyml(case: Case, analysis: pd.DataFrame) -> Any:
    with tempfile.TemporaryDirectory() as temporary:
        files = [str(Path(temporary) / f"{name}.parquet") for name in ("reference", "analysis")]
        case.reference.to_parquet(files[0])
        analysis.to_parquet(files[1])
        return run_peer("nannyml", "values", *files, str(case.chunk), ",".join(case.categories))


def main() -> None:
    parser = argparse.ArgumentParser(description="Our distances beside NannyML's.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    fine = [compare(case) for case in (census(folder), california(folder))]
    print(f"within the bounds: {'yes' if all(fine) else 'NO'}")
    raise SystemExit(not all(fine))


if __name__ == "__main__":
    main()

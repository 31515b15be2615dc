"""A model whose rows are drawn, so that numbers of the page can be computed from them independently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.monitoring.states.state import State
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, categories, numbers, rows

DAYS = 30
DRIFTED = 27
"""The day on which ages are lower and plans have a new value."""
LABELLED = 28
"""The first day without labels."""
PER_DAY, TRAINED = 400, 4_000
IMPORTANCE = {"plan": 2.0, "age": -3.0}
FEATURES = {"plan": "categorical", "age": "numeric", "city": "categorical"}


def drawn(seed: int, count: int, *, drifted: bool = False) -> pd.DataFrame:
    """Rows with ages from 0 to 100, a twentieth of them missing, and labels that fit the scores."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 50 if drifted else 100, count)
    age[rng.random(count) < 0.05] = np.nan
    names, shares = (
        (["basic", "gold", "new"], [0.5, 0.3, 0.2]) if drifted else (["basic", "gold"], [0.7, 0.3])
    )
    score = rng.uniform(0, 1, count)
    return pd.DataFrame(
        {
            "age": age,
            "plan": rng.choice(names, count, p=shares),
            "city": rng.choice(["a", "b", "c"], count),
            "score": score,
            "label": rng.random(count) < score,
        }
    )


def rows_of(day: int) -> pd.DataFrame:
    """The rows of a day."""
    return drawn(100 + day, PER_DAY + day, drifted=day == DRIFTED)


TRAINING = drawn(1, TRAINED)


def states_of(frame: pd.DataFrame) -> dict[str, State]:
    """The states of the fields of rows."""
    known = frame["age"].dropna().to_numpy()
    return {
        ROWS: rows(len(frame)),
        "features.age": numbers(known, nulls=int(frame["age"].isna().sum())),
        "features.plan": categories(**frame["plan"].value_counts().to_dict()),
        "features.city": categories(**frame["city"].value_counts().to_dict()),
        "predictions.proba": numbers(frame["score"].to_numpy()),
    }


def outcomes_of(frame: pd.DataFrame) -> dict[str, State]:
    """The state of the labels of rows."""
    return {"performance.proba": Binary.of(pa.array(frame["score"]), pa.array(frame["label"]))}


def drawn_model(migrated: Path, folder: Path) -> MonitoredModel:
    """
    Version v1 with serving data of the days 0 to 19, and version v2 with that of the days 10 to 29.

    Version v2 is the champion, and has labels until the day 27.
    """
    schema: dict[str, Any] = {"features": FEATURES, "feature_importance": IMPORTANCE}
    model = MonitoredModel(copied(migrated, folder), "e", **schema)
    model.add_version("v2", training_labels=True, **schema)
    model.registry.add_model_tags("m", {"champion": "v2", "team": "pricing"})
    for version, days in (("v1", range(20)), ("v2", range(10, DAYS))):
        model.store({0: states_of(TRAINING)}, role="training", version=version)
        model.store({0: outcomes_of(TRAINING)}, role="training", part="performance", version=version)
        model.store({day: states_of(rows_of(day)) for day in days}, version=version)
        labelled = {day: outcomes_of(rows_of(day)) for day in days if day < LABELLED}
        model.store(labelled, part="performance", version=version)
    model.synced("v2", "serving", 7, 9)
    model.synced("v2", "training", 3, 3)
    model.connect("v2", "actuals")
    return model

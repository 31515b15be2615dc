"""Whether a version is better than another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aporia_provider.backend.page.contents.model_page import model_page
from aporia_provider.backend.page.contents.version_answer import VersionAnswer, version_answer
from aporia_provider.errors import ValidationError
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, labelled, usual


def answer(model: MonitoredModel, metric: str = "f1", **given: Any) -> VersionAnswer | None:
    return version_answer(model.registry, model_page(model.registry, "m", metric=metric), **given)


@pytest.fixture
def three(tmp_path: Path, migrated: Path) -> MonitoredModel:
    """F1 is 6/7 of v1, 0.96 of v2 and 6/7 of v3, the latest."""
    model = MonitoredModel(copied(migrated, tmp_path), "e")
    counts = {"v1": labelled(), "v2": labelled(tp=120, fp=5, fn=5, tn=170), "v3": labelled()}
    for place, (version, found) in enumerate(counts.items()):
        if version != "v1":
            model.add_version(version)
        days = range(10 * place, 10 * place + 10)
        model.store(dict.fromkeys(days, usual()), version=version)
        model.store(dict.fromkeys(days, found), version=version, part="performance")
    return model


def test_versions_that_differ(three: MonitoredModel) -> None:
    found = answer(three, champion="v1", challenger="v2")
    assert found is not None
    assert found.comparison is not None
    assert found.sentence == "v2 is better than v1"
    assert found.comparison.improvement == pytest.approx(0.96 - 6 / 7)
    assert found.comparison.low is not None
    assert found.comparison.low > 0
    worse = answer(three, champion="v2", challenger="v1")
    assert worse is not None
    assert worse.sentence == "v1 is worse than v2"


def test_versions_that_do_not_differ(three: MonitoredModel) -> None:
    found = answer(three, champion="v1", challenger="v3")
    assert found is not None
    assert found.sentence == "The data is insufficient to decide whether v3 is better than v1"
    within = answer(three, champion="v1", challenger="v3", margin="0.1")
    assert within is not None
    assert within.sentence == "v3 is not worse than v1 by more than 0.1"


def test_the_versions_that_are_compared_by_default(three: MonitoredModel) -> None:
    def pair(**given: Any) -> tuple[str, str]:
        found = answer(three, **given)
        assert found is not None
        return found.champion, found.challenger

    assert pair() == ("v2", "v3")
    three.registry.add_model_tags("m", {"champion": "v1"})
    assert pair() == ("v1", "v3")
    assert pair(challenger="v1") == ("v3", "v1")
    assert pair(champion="v3") == ("v3", "v2")
    three.registry.add_model_tags("m", {"champion": "v3"})
    assert pair() == ("v2", "v3")


def test_versions_without_labels_or_a_second_version(tmp_path: Path, migrated: Path) -> None:
    with MonitoredModel(copied(migrated, tmp_path), "e") as model:
        model.store({0: usual()})
        assert answer(model) is None
        model.add_version("v2")
        found = answer(model)
        assert found is not None
        assert found.sentence == "The data is insufficient to decide whether v2 is better than v1"
        for margin in ("-1", "much", "inf", "nan"):
            with pytest.raises(ValidationError, match="margin"):
                answer(model, margin=margin)
        unknown = answer(model, champion="v9")
        assert unknown is not None
        assert unknown.problem is not None
        assert "v9" in unknown.problem

"""Segments in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ConflictError, NotFoundError, ValidationError
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from tests.backend.conftest import copied

SCHEMA = VersionSchema(
    model_type="binary",
    features={"age": "numeric", "plan": "categorical", "flag": "boolean"},
    predictions={"score": "numeric"},
)
PLANS = Segment(name="plans", field="plan", values=["gold", "basic"])


@pytest.fixture
def registry(tmp_path: Path, migrated: Path) -> EmbeddedRegistry:
    made = EmbeddedRegistry(copied(migrated, tmp_path / "home"), "prod")
    made.create_model(Model(id="m", name="M"))
    made.create_model_version("m", "v1", SCHEMA)
    return made


def test_a_segment_is_stored_with_its_terms(registry: EmbeddedRegistry) -> None:
    made = registry.create_segment("m", PLANS)
    assert made["status"] == "created"
    (stored,) = registry.list_segments("m")
    assert stored["id"] == made["id"]
    assert stored["registration"] == {"name": "plans", "field": "plan", "values": ["gold", "basic"]}
    assert stored["terms"] == [
        {"label": "gold", "condition": "features.plan = 'gold'"},
        {"label": "basic", "condition": "features.plan = 'basic'"},
    ]


def test_registering_it_again_is_idempotent(registry: EmbeddedRegistry) -> None:
    made = registry.create_segment("m", PLANS)
    assert registry.create_segment("m", PLANS) == {"id": made["id"], "status": "unchanged"}
    other = Segment(name="plans", field="plan", values=["gold"])
    with pytest.raises(ConflictError, match="values: "):
        registry.create_segment("m", other)
    assert registry.create_segment("m", other, if_exists="skip")["status"] == "skipped"
    with pytest.raises(ConflictError, match="exists already"):
        registry.create_segment("m", PLANS, if_exists="fail")


def test_the_key_of_a_deleted_segment_is_not_used_again(registry: EmbeddedRegistry) -> None:
    registry.create_segment("m", PLANS)
    registry.delete_segment("m", "plans")
    made = registry.create_segment("m", PLANS)
    with registry.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT key, id FROM aporia_segment").all()
    assert [tuple(row) for row in rows] == [(2, made["id"])]


def test_a_deleted_segment_is_gone(registry: EmbeddedRegistry) -> None:
    made = registry.create_segment("m", PLANS)
    registry.delete_segment("m", made["id"])
    assert registry.list_segments("m") == []
    with pytest.raises(NotFoundError, match="Model 'm' has no segment 'plans'; there are none"):
        registry.delete_segment("m", "plans")


@pytest.mark.slow
def test_limits_are_told_with_the_numbers(registry: EmbeddedRegistry) -> None:
    for number in range(5):
        registry.create_segment("m", Segment(name=f"s{number}", field="age", values=list(range(100))))
    with pytest.raises(ValidationError, match=r"has 500 terms, .* 502 with the 2 that are given; .* 500$"):
        registry.create_segment("m", PLANS)


def _nested(depth: int) -> str:
    """A condition of that many parentheses; its canonical form has those of the innermost ``and`` as well."""
    text = "flag and flag or flag"
    for number in range(depth):
        text = f"flag {('and', 'or')[number % 2]} ({text})"
    return text


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        ('plan = "' + "'" * 3_900 + '"', "4,000 characters, this one has 7,8"),
        ("|".join(["flag&flag"] * 100), "400 names, .* this one has 599$"),
        (_nested(32), "more than 32 levels deep"),
    ],
)
def test_a_condition_whose_canonical_form_exceeds_a_limit_is_refused(
    registry: EmbeddedRegistry, condition: str, limit: str
) -> None:
    """Syncs and queries could not parse it."""
    segment = Segment(name="s", conditions=[(condition, "hit")])
    metric = CustomMetric(name="c", code=f"count(filter={condition})")
    calls = (
        lambda: registry.create_segment("m", segment),
        lambda: registry.segment_cost("m", segment),
        lambda: registry.create_custom_metric("m", metric),
    )
    for call in calls:
        with pytest.raises(ValidationError, match=f"in its canonical form, .*{limit}"):
            call()


def test_filters_that_exceed_a_limit_together_are_refused(registry: EmbeddedRegistry) -> None:
    code = f'sum(features.age[{"|".join(["flag"] * 150)}], filter="{"|".join(["not flag"] * 75)}")'
    with pytest.raises(ValidationError, match=r"the filters together: .* 400 names, .* has 528$"):
        registry.create_custom_metric("m", CustomMetric(name="c", code=code))


def test_a_segment_of_a_model_without_a_version_is_refused(registry: EmbeddedRegistry) -> None:
    registry.create_model(Model(id="empty", name="E"))
    with pytest.raises(NotFoundError, match="has no version"):
        registry.create_segment("empty", PLANS)

"""Segments in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ConflictError, NotFoundError, ValidationError
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_values import SegmentValue
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


def test_labels_of_intersections_are_different_and_can_be_queried(registry: EmbeddedRegistry) -> None:
    registry.create_segment("m", Segment(name="x", conditions=[("age > 1", "a"), ("age > 2", "a & b")]))
    registry.create_segment("m", Segment(name="y", conditions=[("age > 3", "b & c"), ("age > 4", "c")]))
    with pytest.raises(ValidationError, match=r"there are several terms 'a & b & c'$"):
        registry.create_segment("m", Segment(name="both", intersection=("x", "y")))
    for name, length in (("long", 255), ("as long", 252)):
        label = name[0] * length
        registry.create_segment("m", Segment(name=name, conditions=[("age > 5", label)]))
    registry.create_segment("m", Segment(name="510", intersection=("long", "as long")))
    (label,) = [term["label"] for term in registry.list_segments("m")[-1]["terms"]]
    assert SegmentValue(id="510", value=label).value == label
    with pytest.raises(ValidationError, match=r"the label 'lll.*… is longer than 510 characters"):
        registry.create_segment("m", Segment(name="more", intersection=("510", "y")))


def test_values_that_look_like_templates_are_labels_that_differ(registry: EmbeddedRegistry) -> None:
    """An operator renders them before it registers the segment; nothing else does."""
    with pytest.raises(ValidationError, match="there are several terms"):
        registry.create_segment("m", Segment(name="s", field="plan", values=["{{ a }}", "{{ a }}"]))


def test_the_error_of_many_long_labels_is_short() -> None:
    with pytest.raises(ValidationError, match="at most 100 terms, not 1000") as failed:
        Segment(name="s", field="plan", values=["x" * 50_000] * 1_000)
    assert len(str(failed.value)) < 100 * 400

"""Models and their tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import delete, func, select

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import check_json, check_names, reject_templates
from aporia_provider.backend.store.lookups import find_model, insert_or_find, upsert
from aporia_provider.backend.store.retention_cutoffs import CLOCK_TOLERANCE, DROPPED, with_retention
from aporia_provider.backend.store.tables import ModelRow, TagRow, utc_now
from aporia_provider.errors import ValidationError
from aporia_provider.models import MAX_TAGS, Model, ModelTags
from aporia_provider.registrations import (
    IfExists,
    ModelUpdate,
    Registered,
    check_if_exists,
    differences,
    existing_registration,
)
from aporia_provider.retention import Retention, retention_text

# Defaults of omitted values, so that omitting a value and giving its default do not cause a conflict.
_DEFAULTS = {"aggregation_period": "daily", "retention": None}


class Models(RegistryBase):
    """Registry methods for models and their tags."""

    def create_model(self, model: Model, *, if_exists: IfExists = "match") -> Registered:
        """Register a model."""
        check_if_exists(if_exists)
        Model.check_type(model)
        check_names(id=model.id)
        reject_templates(
            color=model.color,
            icon=model.icon,
            aggregation_period=model.aggregation_period,
            retention=model.retention,
        )
        body = {**model.to_wire(), "tags": None if model.tags is None else _lower(model.tags)}
        check_json(body)
        key = {"environment": self.environment, "id": model.id}
        with self.database.write_transaction() as session:
            values = {"owner": model.owner, "registration": body}
            row, is_new = insert_or_find(session, ModelRow, key, values)
            if is_new:
                tags = body["tags"] or {}
                session.add_all(TagRow(model_key=row.key, name=tag, value=tags[tag]) for tag in tags)
                return {"id": row.id, "status": "created"}
            before = {name: value for name, value in row.registration.items() if name != DROPPED}
            changes = differences({**_DEFAULTS, **before}, {**_DEFAULTS, **body})
            return existing_registration(f"Model {model.id!r}", row.id, changes, if_exists)

    def update_model(self, model_id: str, *, retention: str | Retention | None) -> ModelUpdate:
        """Change the retention of a model."""
        text, now = retention_text(retention), utc_now()
        reject_templates(retention=text)
        with self.database.write_transaction() as session:
            row = find_model(session, self.environment, model_id, change=True)
            period = row.registration.get("aggregation_period") or "daily"
            problem = Retention.parse(text).problem(period) if text is not None else None
            if problem is not None:
                raise ValidationError(f"retention {problem}")
            if row.registration.get("retention") == text:
                return {"id": row.id, "status": "unchanged", "notes": []}
            row.registration = with_retention(row.registration, text, now)
            return {"id": row.id, "status": "updated", "notes": list(_notes(row, text, now))}

    def delete_model(self, model_id: str) -> None:
        """Delete a model with its versions and datasets."""
        with self.database.write_transaction() as session:
            # An exclusive lock: two deletions with the default shared lock would wait for each other.
            row = find_model(session, self.environment, model_id, change=True)
            session.execute(delete(ModelRow).where(ModelRow.key == row.key))

    def get_model_owner(self, model_id: str) -> str | None:
        """Return the owner of a model."""
        with self.database.read_transaction() as session:
            return find_model(session, self.environment, model_id).owner

    def set_model_owner(self, model_id: str, owner: str) -> None:
        """Set the owner of a model."""
        check_names(owner=owner)
        with self.database.write_transaction() as session:
            find_model(session, self.environment, model_id, change=True).owner = owner

    def add_model_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set the given tags; other tags remain."""
        lowercase_tags = _lower(ModelTags(tags=dict(tags)).tags)
        check_json(lowercase_tags)
        with self.database.write_transaction() as session:
            model = find_model(session, self.environment, model_id, change=True)
            for tag, value in lowercase_tags.items():
                upsert(session, TagRow, {"model_key": model.key, "name": tag}, {"value": value})
            count = session.scalar(select(func.count()).select_from(TagRow).filter_by(model_key=model.key))
            if (count or 0) > MAX_TAGS:
                raise ValidationError(f"Model {model_id!r} would have {count} tags; it can have {MAX_TAGS}")

    def get_model_tags(self, model_id: str) -> dict[str, str]:
        """Return the tags of a model."""
        with self.database.read_transaction() as session:
            model = find_model(session, self.environment, model_id)
            query = select(TagRow).filter_by(model_key=model.key).order_by(TagRow.key)
            return {row.name: row.value for row in session.scalars(query)}

    def delete_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag. Do nothing if the model does not have it."""
        check_names(tag=key)
        with self.database.write_transaction() as session:
            model = find_model(session, self.environment, model_id, change=True)
            deletion = delete(TagRow).where(TagRow.model_key == model.key)
            session.execute(deletion.where(TagRow.name == key.lower()))


def _notes(model: ModelRow, text: str | None, now: datetime) -> Iterator[str]:
    """Return what a change of the retention does, and does not."""
    if text is not None:
        yield f"what {text!r} does not cover is dropped after the next sync of a dataset of the model"
    kept = Retention.parse(text).starts(now + CLOCK_TOLERANCE) if text is not None else {}
    dropped = model.registration.get(DROPPED, {})
    lost = [
        f"{level} ones before {time}"
        for level, time in dropped.items()
        if level not in kept or kept[level] < datetime.fromisoformat(time)
    ]
    if lost:
        yield (
            f"states that were dropped under earlier retentions are gone, also for full syncs: "
            f"{', '.join(lost)}"
        )


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in tags.items()}

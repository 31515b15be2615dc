"""Calls on tags of models."""

from __future__ import annotations

from collections.abc import Mapping

from aporia_provider.sdk.session import current_session


def add_model_tags(model_id: str, tags: Mapping[str, str]) -> None:
    """
    Set tags of a model; other tags remain.

    :param model_id: Id of the model.
    :param tags: Tags to set: keys of at most 15 characters, values of at most 100. A model can have 10 tags.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    with current_session().open() as api:
        api.add_model_tags(model_id, tags)


def delete_model_tag(model_id: str, tag_key: str) -> None:
    """
    Remove a tag of a model. Do nothing if the model does not have it.

    :param model_id: Id of the model.
    :param tag_key: Key of the tag.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    with current_session().open() as api:
        api.delete_model_tag(model_id, tag_key)


def get_model_tags(model_id: str) -> dict[str, str]:
    """
    Return the tags of a model.

    :param model_id: Id of the model.
    :return: Values by key.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    with current_session().open() as api:
        return api.get_model_tags(model_id)

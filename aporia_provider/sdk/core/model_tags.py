"""The calls on tags of models."""

from __future__ import annotations

from collections.abc import Mapping

from aporia_provider.sdk.session import current_session


def add_model_tags(model_id: str, tags: Mapping[str, str]) -> None:
    """
    Set tags of a model, keeping those not named.

    :param model_id: The model.
    :param tags: At most 10 in all; keys of at most 15 characters, values of at most 100.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    with current_session().open() as api:
        api.add_model_tags(model_id, tags)


def delete_model_tag(model_id: str, tag_key: str) -> None:
    """
    Remove a tag of a model; one that is not there is no error.

    :param model_id: The model.
    :param tag_key: The key.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    with current_session().open() as api:
        api.delete_model_tag(model_id, tag_key)


def get_model_tags(model_id: str) -> dict[str, str]:
    """
    The tags of a model.

    :param model_id: The model.
    :return: Value by key.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    with current_session().open() as api:
        return api.get_model_tags(model_id)

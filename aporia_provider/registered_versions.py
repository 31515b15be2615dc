"""What an API has registered: the versions of a model, and the datasets that are connected to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from aporia_provider.datasets import ROLES
from aporia_provider.errors import NotFoundError
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from aporia_provider.api import AporiaApi
    from aporia_provider.datasets import DatasetConnection, Role


def registered_schema(api: AporiaApi, model_id: str, model_version: str) -> VersionSchema | None:
    """
    Return the schema a version was registered with, or None if the server does not return it.

    :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
    """
    versions = api.get_model_versions(model_id, model_version)
    if not versions:
        names = [version["name"] for version in api.get_model_versions(model_id)]
        hint = nearest(model_version, names)
        raise NotFoundError(f"Model {model_id!r} has no version {model_version!r}; {hint}")
    registration = versions[0].get("registration")
    return VersionSchema.from_wire(registration) if registration else None


def connected_datasets(api: AporiaApi, model_id: str, model_version: str) -> list[DatasetConnection]:
    """
    Return the datasets that are connected to a version.

    The embedded backend lists them; for a server the list is empty.

    :return: The datasets, with secrets replaced by ``***``.
    :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
    """
    get_datasets = getattr(api, "get_datasets", None)
    return [] if get_datasets is None else list(get_datasets(model_id, model_version))


def latest_version(api: AporiaApi, model_id: str) -> str:
    """
    Return the name of the version of a model that was registered last.

    :raises aporia_provider.errors.NotFoundError: if there is no such model, or it has no version.
    """
    versions = api.get_model_versions(model_id)
    if not versions:
        raise NotFoundError(f"Model {model_id!r} has no version: register one first")
    return versions[-1]["name"]


def connected_roles(api: AporiaApi, model_id: str, model_version: str) -> list[Role]:
    """
    Return the roles of the datasets that are connected to a version.

    :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
    """
    registered_schema(api, model_id, model_version)
    return [role for role in ROLES if _is_connected(api, model_id, model_version, role)]


def check_connected(api: AporiaApi, model_id: str, model_version: str, roles: Sequence[str]) -> None:
    """
    Check that a version is registered and that datasets are connected to it.

    :param api: The API. The status of each dataset is requested, since a server does not list datasets.
    :param model_id: The model.
    :param model_version: The version.
    :param roles: Roles of the datasets.
    :raises aporia_provider.errors.NotFoundError: if there is no such model or version, or naming all datasets
        that are not connected.
    """
    registered_schema(api, model_id, model_version)
    missing = [role for role in roles if not _is_connected(api, model_id, model_version, cast("Role", role))]
    if missing:
        raise NotFoundError(
            f"Version {model_version!r} of model {model_id!r} has no {' and no '.join(missing)} dataset"
        )


def _is_connected(api: AporiaApi, model_id: str, model_version: str, role: Role) -> bool:
    try:
        api.get_dataset_sync_status(model_id, model_version, role)
    except NotFoundError:
        return False
    return True

"""
Assets of model versions and of their datasets, and what DAGs are scheduled on.

A model version is the asset ``aporia://<environment>/<model>/<version>``, and each of its datasets is
``aporia://<environment>/<model>/<version>/<role>``; every part is percent-encoded. A version gets its name
when a DAG runs, so operators emit the events of these assets through aliases, which carry the rendered id of
the model. Three kinds of events have aliases of their own:

* :func:`version_completed`: a version is registered, and what its DAG connects to it is connected. One event
  for each run of :class:`~aporia_provider.operators.completion.CompleteModelVersionOperator`.
* :func:`data_changed`: a sync of a dataset found something new. One event for each such sync.
* :func:`registered`: a version was registered or one of its datasets connected, even if it was known before.
  One event for each of these tasks, so a retrain emits several.

Airflow may collect events that come close together in one run of the consumer, which finds all of them under
the alias it is scheduled on: ``triggering_asset_events[version_completed("insurance")]``. (The values of
``triggering_asset_events`` have each event several times, under its asset and under each of its aliases.) The
extra of an event has ``event`` (its kind), ``environment``, ``model_id``, ``model_version``, and what the
operator knows besides.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from aporia_provider.base_model import is_template

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.sdk import Asset, AssetAlias


class EventKind(StrEnum):
    """What an event tells; each kind has aliases of its own."""

    COMPLETED = "version_completed"
    CHANGED = "data_changed"
    REGISTERED = "registered"


def version_completed(model_id: str | None = None) -> AssetAlias:
    """
    Schedule of a DAG that runs when a version is complete: ``schedule=[version_completed("insurance")]``.

    :param model_id: The model, as it is registered; without, versions of all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.COMPLETED, model_id)


def data_changed(model_id: str | None = None) -> AssetAlias:
    """
    Schedule of a DAG that runs when a sync found something new: ``schedule=[data_changed("insurance")]``.

    :param model_id: The model, as it is registered; without, datasets of all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.CHANGED, model_id)


def registered(model_id: str | None = None) -> AssetAlias:
    """
    Schedule of a DAG that runs after every task that registers a version or connects a dataset.

    :param model_id: The model, as it is registered; without, all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.REGISTERED, model_id)


def model_alias(model_id: str) -> AssetAlias:
    """
    The same as :func:`version_completed` of one model.

    :param model_id: The model, as it is registered.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return version_completed(model_id)


def aliases_of(kind: EventKind, model_id: str) -> list[AssetAlias]:
    """
    Aliases through which an operator emits an event.

    :param kind: What the event tells.
    :param model_id: The model. While it is still a template, there is only the alias of all models.
    """
    models = [None] if is_template(model_id) else [None, model_id]
    return [_alias(kind, model) for model in models]


def version_uri(environment: str, model_id: str, model_version: str, role: str | None = None) -> str:
    """URI of a model version, or of its dataset in a role."""
    parts = [environment, model_id, model_version, *([] if role is None else [role])]
    return "aporia://" + "/".join(quote(part, safe="") for part in parts)


def create_asset(
    environment: str,
    model_id: str,
    model_version: str,
    role: str | None = None,
    *,
    extra: dict[str, Any] | None = None,
) -> Asset:
    """Asset of a model version, or of its dataset in a role."""
    from airflow.sdk import Asset

    return Asset(uri=version_uri(environment, model_id, model_version, role), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check the URI of an asset.

    :raises ValueError: unless it names an environment, a model, a version and, of a dataset, its role.
    """
    if not uri.netloc or len([part for part in uri.path.split("/") if part]) not in (2, 3):
        raise ValueError(
            "An aporia asset is written aporia://<environment>/<model>/<version>, and one of its datasets "
            "aporia://<environment>/<model>/<version>/<role>"
        )
    return uri


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Translate the asset to an OpenLineage dataset, which is that of the version in any case."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    model_id, model_version, *_ = map(unquote, parts.path.strip("/").split("/"))
    namespace, name = lineage_identity(unquote(parts.netloc), model_id, model_version)
    return Dataset(namespace=namespace, name=name)


def lineage_identity(environment: str, model_id: str, model_version: str) -> tuple[str, str]:
    """Namespace and name of a model version in OpenLineage."""
    return f"aporia://{quote(environment, safe='')}", f"{model_id}/{model_version}"


def _alias(kind: EventKind, model_id: str | None) -> AssetAlias:
    from airflow.sdk import AssetAlias

    if is_template(model_id):
        raise ValueError(f"{model_id!r} is a template; a schedule is not rendered, so give the id itself")
    # The names of the other kinds begin differently, and an id is never empty: no two aliases are the same.
    name = f"aporia_{kind}"
    return AssetAlias(name=name if model_id is None else f"{name}-{model_id}")

"""
Assets of model versions and of their datasets, and asset aliases for the schedules of DAGs.

A model version is the asset ``aporia://<environment>/<model>/<version>``, and each of its datasets is
``aporia://<environment>/<model>/<version>/<role>``; every part is percent-encoded. The asset of a model,
``aporia://<environment>/<model>``, has the days that syncs changed as partitions, see :func:`changed_days`.

The name of a version is rendered when its DAG runs, so operators emit the events of versions and datasets
through aliases that are named after the rendered id of the model. Each kind of event has its own aliases:

* :func:`version_completed`: a version is registered and all its datasets are connected. One event for each
  run of :class:`~aporia_provider.operators.completion.CompleteModelVersionOperator`.
* :func:`data_changed`: a sync of a dataset changed its stored states. One event for each dataset and sync, so
  a task that syncs several datasets emits several.
* :func:`alert_opened`: monitors opened alerts. One event for all alerts of a model that a task finds.
* :func:`registered`: a version was registered or one of its datasets connected, even if it existed already.
  One event for each of these tasks, so retraining emits several.

Airflow starts one run of the consumer for several events of one task, and passes them to it or, some of them,
to the next run. The consumer finds them under the alias in its schedule:
``triggering_asset_events[version_completed("insurance")]``. (The values of ``triggering_asset_events``
contain each event several times: under its asset and under each of its aliases.) The extra of an event has
``event`` (its kind), ``environment``, ``model_id``, ``model_version``, and further keys of the operator.
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
    """Kind of an event. Each kind has its own aliases."""

    COMPLETED = "version_completed"
    CHANGED = "data_changed"
    ALERT = "alert_opened"
    REGISTERED = "registered"


def version_completed(model_id: str | None = None) -> AssetAlias:
    """
    Return the schedule of a DAG that runs when a version is complete:
    ``schedule=[version_completed("insurance")]``.

    :param model_id: Id of the model as registered; None for all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.COMPLETED, model_id)


def data_changed(model_id: str | None = None) -> AssetAlias:
    """
    Return the schedule of a DAG that runs when a sync read changed data:
    ``schedule=[data_changed("insurance")]``.

    :param model_id: Id of the model as registered; None for all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.CHANGED, model_id)


def alert_opened(model_id: str | None = None) -> AssetAlias:
    """
    Return the schedule of a DAG that runs when monitors opened alerts:
    ``schedule=[alert_opened("insurance")]``.

    An event has all alerts of a model that a task found, the most severe first. Its asset is the version that
    the first alert is about; for an alert about all versions of the model, it is the latest version. The
    extra of the event has the first alert, and all of them in ``alerts``. Each has ``alert_id``, ``monitor``,
    ``monitor_type``, ``severity``, ``start``, ``end``, ``description``, ``model_version`` (None for an alert
    about all versions), and ``metric``, ``field``, ``value``, ``low`` and ``high`` of the failed verdict with
    the greatest effect, and ``dashboard_link``, the address of the alert on the web page, or None if the URL
    of the page is not known.

    :param model_id: Id of the model as registered; None for all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.ALERT, model_id)


def registered(model_id: str | None = None) -> AssetAlias:
    """
    Return the schedule of a DAG that runs after every task that registers a version or connects a dataset.

    :param model_id: Id of the model as registered; None for all models.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return _alias(EventKind.REGISTERED, model_id)


def changed_days(model_id: str, environment: str | None = None) -> Asset:
    """
    Return the asset whose partitions are the days that syncs of a model changed.

    A DAG that is scheduled on ``PartitionedAssetTimetable(assets=changed_days("insurance"))`` runs once for
    each changed day, and finds it in ``partition_key``, such as ``2026-01-31`` (UTC). Late data and late
    labels change the days that they belong to. Requires Airflow 3.3 where the syncs run.

    :param model_id: Id of the model as registered.
    :param environment: Environment of the model. Default: ``[aporia] environment``.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    from airflow.sdk import Asset

    from aporia_provider import settings

    _check_not_template(model_id)
    segments = [environment or settings.environment(), model_id]
    return Asset(uri="aporia://" + "/".join(quote(segment, safe="") for segment in segments))


def model_alias(model_id: str) -> AssetAlias:
    """
    Return :func:`version_completed` of one model.

    :param model_id: Id of the model as registered.
    :raises ValueError: if the id is a template, since Airflow renders no schedules.
    """
    return version_completed(model_id)


def event_aliases(kind: EventKind, model_id: str | None) -> list[AssetAlias]:
    """
    Return the aliases through which an operator emits an event.

    :param kind: Kind of the event.
    :param model_id: Id of the model. If it is None, or a template that is not rendered yet, only the alias of
        all models is returned.
    """
    models = [None] if model_id is None or is_template(model_id) else [None, model_id]
    return [_alias(kind, model) for model in models]


def version_uri(environment: str, model_id: str, model_version: str, role: str | None = None) -> str:
    """Return the URI of a model version, or of its dataset in a role."""
    segments = [environment, model_id, model_version, *([] if role is None else [role])]
    return "aporia://" + "/".join(quote(segment, safe="") for segment in segments)


def create_asset(
    environment: str,
    model_id: str,
    model_version: str,
    role: str | None = None,
    *,
    extra: dict[str, Any] | None = None,
) -> Asset:
    """Return the asset of a model version, or of its dataset in a role."""
    from airflow.sdk import Asset

    return Asset(uri=version_uri(environment, model_id, model_version, role), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check the URI of an asset.

    :raises ValueError: unless it consists of environment, model and, for a version, its name, and for a
        dataset, its role.
    """
    if not uri.netloc or len([segment for segment in uri.path.split("/") if segment]) not in (1, 2, 3):
        raise ValueError(
            "The URI of an aporia asset is aporia://<environment>/<model>, of a version "
            "aporia://<environment>/<model>/<version>, and of a dataset "
            "aporia://<environment>/<model>/<version>/<role>"
        )
    return uri


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """
    Return the OpenLineage dataset of the asset's model version, also for the asset of a dataset, or of the
    model.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    uri = urlsplit(asset.uri)
    model_id, *version = map(unquote, uri.path.strip("/").split("/"))
    namespace, name = lineage_identity(unquote(uri.netloc), model_id, version[0] if version else None)
    return Dataset(namespace=namespace, name=name)


def lineage_identity(environment: str, model_id: str, model_version: str | None) -> tuple[str, str]:
    """Return the namespace and the name of a model version, or of a model, in OpenLineage."""
    name = model_id if model_version is None else f"{model_id}/{model_version}"
    return f"aporia://{quote(environment, safe='')}", name


def _alias(kind: EventKind, model_id: str | None) -> AssetAlias:
    from airflow.sdk import AssetAlias

    _check_not_template(model_id)
    # No two aliases are equal: no kind is a prefix of another, and an id is never empty.
    name = f"aporia_{kind}"
    return AssetAlias(name=name if model_id is None else f"{name}-{model_id}")


def _check_not_template(model_id: str | None) -> None:
    if is_template(model_id):
        raise ValueError(
            f"{model_id!r} is a template, but Airflow does not render schedules; give the id itself"
        )

"""
Assets of registered model versions: ``aporia://<environment>/<model>/<version>``, each part percent-encoded.

A version gets its name when a DAG runs, so operators emit its events through an alias of the model. To run a
DAG after every new version of a model, schedule it on :func:`model_alias`. It then runs as well when data was
connected to a version, and when a sync found something new in it: ``dataset`` and ``status`` in the event's
extra tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.sdk import Asset, AssetAlias


def version_uri(environment: str, model_id: str, model_version: str) -> str:
    """URI of a model version."""
    return "aporia://" + "/".join(quote(part, safe="") for part in (environment, model_id, model_version))


def create_asset(
    *, environment: str, model_id: str, model_version: str, extra: dict[str, Any] | None = None
) -> Asset:
    """Asset of a model version."""
    from airflow.sdk import Asset

    return Asset(uri=version_uri(environment, model_id, model_version), extra=extra)


def model_alias(model_id: str) -> AssetAlias:
    """
    Alias through which the versions of a model emit their events.

    :param model_id: The id as it is written in the operator, templates not rendered.
    """
    from airflow.sdk import AssetAlias

    return AssetAlias(name=f"aporia-model-{model_id}")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Check the URI of an asset.

    :raises ValueError: unless it names an environment, a model and a version.
    """
    if not uri.netloc or len([part for part in uri.path.split("/") if part]) != 2:
        raise ValueError("An aporia asset is written aporia://<environment>/<model>/<version>")
    return uri


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Translate the asset to an OpenLineage dataset."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    namespace, name = lineage_identity(unquote(parts.netloc), *map(unquote, parts.path.strip("/").split("/")))
    return Dataset(namespace=namespace, name=name)


def lineage_identity(environment: str, model_id: str, model_version: str) -> tuple[str, str]:
    """Namespace and name of a model version in OpenLineage."""
    return f"aporia://{quote(environment, safe='')}", f"{model_id}/{model_version}"

"""Assets of Delta tables, emitted by the tasks that write them or by a watcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from aporia_provider.base_model import is_template
from aporia_provider.errors import ValidationError
from aporia_provider.locations import location_fault, location_uri

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.sdk import Asset

_SCHEME = "x-delta://"
_UNENCODED = "/=:@!$&'()*+,;"


def delta_table_asset(
    table_uri: str,
    *,
    watch: bool = False,
    aws_conn_id: str | None = "aws_default",
    poll_interval: float = 60.0,
    data_changes_only: bool = True,
) -> Asset:
    """
    Return the asset of a Delta table.

    If a DAG of this Airflow writes the table, make the asset an outlet of the task that writes it; no table
    is polled. Otherwise, set ``watch``: the triggerer polls the log of the table and emits an event for its
    new commits, see :class:`~aporia_provider.triggers.table_commits.DeltaTableCommitTrigger`.

    All DAG files have to use the asset of a table with the same parameters, since Airflow removes the
    watcher when it parses a file in which the asset has none.

    :param table_uri: The table, see :class:`~aporia_provider.data_sources.S3DataSource`.
    :param watch: Whether the table is polled.
    :param aws_conn_id: AWS connection used to read the log. It is used only if ``watch`` is set, as are the
        following parameters.
    :param poll_interval: Seconds between polls, at least 5.
    :param data_changes_only: Whether to emit no event for commits that change no rows, such as commits of
        OPTIMIZE.
    :return: An asset whose URI and name are ``x-delta://bucket/key``, percent-encoded as far as necessary. It
        is not the asset ``s3://bucket/key``.
    :raises aporia_provider.errors.ValidationError: if parameters are invalid.
    """
    from airflow.sdk import Asset, AssetWatcher

    if fault := location_fault(table_uri):
        raise ValidationError(f"table_uri {fault}")
    if is_template(table_uri):
        raise ValidationError("table_uri is a template, but Airflow does not render assets")
    uri = _asset_uri(location_uri(table_uri))
    if not watch:
        return Asset(name=uri, uri=uri)
    from aporia_provider.triggers.table_commits import DeltaTableCommitTrigger

    trigger = DeltaTableCommitTrigger(
        table_uri, aws_conn_id, poll_interval, data_changes_only, asset_name=uri
    )
    return Asset(name=uri, uri=uri, watchers=[AssetWatcher(name="delta_commits", trigger=trigger)])


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:
    """Return the OpenLineage dataset of the asset's table, identified by its folder."""
    from aporia_provider.lineage import location_dataset

    # Airflow passes the URI of a local table with a single slash.
    uri = urlsplit(asset.uri)
    (dataset,) = location_dataset(location_uri(unquote(uri.netloc + uri.path)))
    return dataset


def _asset_uri(uri: str) -> str:
    # For a URI of another scheme, Airflow imports the handlers of all providers, and with them boto3, each
    # time a DAG file is parsed.
    path = uri.removeprefix("s3://") if uri.startswith("s3://") else unquote(uri.removeprefix("file://"))
    return f"{_SCHEME}{quote(path, safe=_UNENCODED)}"

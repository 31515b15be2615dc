"""Assets of Delta tables, emitted by the tasks that write them or by a watcher."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from aporia_provider.base_model import is_template
from aporia_provider.errors import ValidationError
from aporia_provider.locations import location_fault, location_uri

if TYPE_CHECKING:
    from airflow.sdk import Asset

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
    :param data_changes_only: Whether to emit no event for commits that change no rows, such as those of
        OPTIMIZE.
    :return: An asset whose URI and name are ``s3://bucket/key``, percent-encoded as far as necessary.
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


def _asset_uri(uri: str) -> str:
    # Airflow drops what follows a '#', and sorts what follows a '?'.
    if not uri.startswith("s3://"):
        return uri
    return f"s3://{quote(uri.removeprefix('s3://'), safe=_UNENCODED)}"

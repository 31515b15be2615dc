"""
Links from a task to its model version and its data.

Airflow evaluates them on the worker when the task ends, whether it succeeded or failed. An empty string
means no link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ModelVersionLink(BaseOperatorLink):
    """Link to the versions of the model on the server. The embedded backend has no URL and no link."""

    name = "Registered versions"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL, or an empty string if there is no server."""
        server, model = getattr(operator, "server_url", None), getattr(operator, "model_id", "")
        return f"{server}/v1beta/models/{quote(model, safe='')}/versions" if server else ""


class ModelPageLink(BaseOperatorLink):
    """Link to the model on the web page, or to all models if the task is about all."""

    name = "Model health"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the URL, or an empty string if the URL of the page is not known.

        The page inside Airflow shows the embedded backend only, so tasks that use a server link to the page
        of ``[aporia] page_url``.
        """
        from aporia_provider import settings
        from aporia_provider.page_addresses import Addresses

        of_server = getattr(operator, "server_url", None) is not None
        url = settings.page_url(of_server=of_server)
        if url is None:
            return ""
        addresses, model = Addresses(url), getattr(operator, "model_id", None)
        return addresses.model(model) if model else addresses.overview()


class DeltaTableLink(BaseOperatorLink):
    """Link to the dataset's location on S3 in the AWS console."""

    name = "Data on S3"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the URL.

        It is an empty string if the data is not on S3, or if the task ended before the location was known.
        """
        uri = getattr(operator, "table_uri", None) or ""
        if not uri.startswith("s3://"):
            return ""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        folder = f"?prefix={quote(prefix)}/" if prefix else ""
        return f"https://s3.console.aws.amazon.com/s3/buckets/{bucket}{folder}"

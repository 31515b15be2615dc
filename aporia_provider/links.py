"""
Links from a task to what it is about.

Airflow evaluates them on the worker when the task ends, whether it succeeded or failed. A link without a
target is an empty string, which Airflow does not show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ModelVersionLink(BaseOperatorLink):
    """The versions that the server has registered for the model; the embedded backend has no address."""

    name = "Registered versions"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Build the link.

        :return: URL, empty if there is no server.
        """
        server, model = getattr(operator, "server_url", None), getattr(operator, "model_id", "")
        return f"{server}/v1beta/models/{quote(model, safe='')}/versions" if server else ""


class DeltaTableLink(BaseOperatorLink):
    """The data source in the AWS console."""

    name = "Data on S3"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Build the link.

        :return: URL, empty if the data does not lie on S3 or the task ended before its place was known.
        """
        uri = getattr(operator, "table_uri", None) or ""
        if not uri.startswith("s3://"):
            return ""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        folder = f"?prefix={quote(prefix)}/" if prefix else ""
        return f"https://s3.console.aws.amazon.com/s3/buckets/{bucket}{folder}"

"""Links from a task to what it registered. Airflow evaluates them on the worker when the task ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ModelVersionLink(BaseOperatorLink):
    """What the server has registered for the model. The embedded backend has no address to link to."""

    name = "Registered versions"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Build the link.

        :return: URL, or None if there is no server.
        """
        server, model = getattr(operator, "server_url", None), getattr(operator, "model_id", "")
        link = f"{server}/v1beta/models/{quote(model, safe='')}/versions" if server else None
        return cast("str", link)


class DeltaTableLink(BaseOperatorLink):
    """The data source in the AWS console."""

    name = "Data on S3"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Build the link.

        :return: URL, or None if the data does not lie on S3.
        """
        uri = getattr(operator, "table_uri", None) or ""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        link = f"https://s3.console.aws.amazon.com/s3/buckets/{bucket}?prefix={quote(prefix)}/"
        return cast("str", link if uri.startswith("s3://") else None)

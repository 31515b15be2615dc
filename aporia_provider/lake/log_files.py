"""The files in the log of a Delta table, by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aporia_provider.lake.commits import reader
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.diagnosis import local_path, refusal, split, unanswered

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9a-f-]{36})?\.(?:parquet|json)")


class LogFiles:
    """
    The files in a log.

    :param uri: The table.
    :param credentials: Whom to be on S3.
    :param version: Version at which the table is read.
    :raises aporia_provider.errors.AporiaError: if S3 refuses or does not answer.
    """

    def __init__(self, uri: str, credentials: AwsCredentials, version: int) -> None:
        self._version = version
        self._read: Callable[[str], bytes | None] = reader(uri, credentials)
        self.last_checkpoint = self._hint()
        # Older files are of no use, and there may be many.
        first = self.last_checkpoint if (self.last_checkpoint or 0) <= version else 0
        names = set(log_names(uri, credentials, f"{first or 0:020}"))
        self.commits = sorted(int(found[1]) for name in names if (found := _COMMIT.fullmatch(name)))
        self._parts: dict[int, set[tuple[int, int] | None]] = {}
        for found in filter(None, map(_CHECKPOINT.fullmatch, sorted(names))):
            part = None if found[2] is None else (int(found[2]), int(found[3]))
            self._parts.setdefault(int(found[1]), set()).add(part)

    def commits_to_read(self) -> Iterator[int]:
        """The commits that a reader of the version needs besides the last whole checkpoint."""
        checkpoints = (number for number in self._parts if number <= self._version and self._is_whole(number))
        base = max(checkpoints, default=-1)
        return (number for number in self.commits if base < number <= self._version)

    def read_commit(self, version: int) -> bytes | None:
        """The content of a commit; None if it is not there."""
        return self._read(f"_delta_log/{version:020}.json")

    def odd_checkpoints(self) -> Iterator[str]:
        """Checkpoints that not every reader finds, as what a table has."""
        if self.last_checkpoint is not None and self.last_checkpoint not in self._parts:
            yield f"its _last_checkpoint names version {self.last_checkpoint}, which has no checkpoint"
        for number, parts in self._parts.items():
            odd = None not in parts and not (self._is_whole(number) and len(parts) > 1)
            if odd and number <= self._version:
                yield f"its checkpoint of version {number} is incomplete, or of one part"

    def _is_whole(self, number: int) -> bool:
        parts = self._parts[number]
        return None in parts or any(len(parts) >= part[1] for part in parts if part is not None)

    def _hint(self) -> int | None:
        try:
            found: Any = json.loads(self._read("_delta_log/_last_checkpoint") or b"{}")
            return int(found["version"])
        except (ValueError, TypeError, KeyError):
            return None


def log_names(uri: str, credentials: AwsCredentials, after: str = "") -> Iterator[str]:
    """
    Names of the files in the log of a table, relative to its folder.

    :param uri: The table.
    :param credentials: Whom to be on S3.
    :param after: On S3, leave out those whose names come before.
    :raises aporia_provider.errors.AporiaError: if S3 refuses or does not answer.
    """
    if not uri.startswith("s3://"):
        return (path.name for path in Path(local_path(uri), "_delta_log").iterdir())
    return _names_on_s3(uri, credentials, after)


def _names_on_s3(uri: str, credentials: AwsCredentials, after: str) -> Iterator[str]:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split(uri)
    prefix = f"{key}/_delta_log/".lstrip("/")
    pages = credentials.client().get_paginator("list_objects_v2")
    try:
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, StartAfter=prefix + after):
            for entry in page.get("Contents", []):
                yield entry["Key"].removeprefix(prefix)
    except ClientError as error:
        raise refusal(error, bucket, prefix, "s3:ListBucket", credentials) or error from None
    except BotoCoreError as error:
        raise unanswered(uri, credentials, error) from None

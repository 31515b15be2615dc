"""Explanations of the log faults that delta-rs reports, and advice for the owners of tables."""

from __future__ import annotations

import re

_FAULTS: tuple[tuple[str, str], ...] = (
    (
        r"catalog-managed|Max catalog version",
        "the table is managed by its catalogue (feature catalogManaged), which stores its last commits. "
        "Read it through the catalogue and write the data to be monitored to a separate table",
    ),
    (
        r"Feature '([^']+)' is not supported",
        r"the table requires the reader feature \1, which is not supported. Write it without that feature "
        r"(ALTER TABLE … DROP FEATURE \1), or copy its data to another table",
    ),
    (
        r"Unsupported minimum reader version (\d+)",
        r"the table requires version \1 of the reader protocol; the latest supported version is 3. "
        "Write it with an older protocol",
    ),
    (
        r"Gap between checkpoint version (\d+) and next commit (\d+)",
        r"commits between version \1, which has a checkpoint, and version \2 are missing. Restore them",
    ),
    (
        r"Expected contiguous commit files, but found gap",
        "commits between existing commits are missing. Restore them, or rewrite the table",
    ),
    (
        r"LogSegment end version (\d+) not the same as the specified end version (\d+)",
        r"the table has no version \2; its latest is \1",
    ),
    (
        r"No table metadata or protocol found",
        "no commit or checkpoint in it contains the schema. Restore its first commits or its last "
        "checkpoint, or rewrite the table",
    ),
    (
        r"Unsupported Delta table type: '([^']+)'",
        r"its schema has the type \1, which is not supported. Drop the column, or change its type",
    ),
    (
        r"File not found: (\S*deletion_vector\S+)",
        r"it names the deletion vector \1, which does not exist. Restore it, or rewrite the file",
    ),
    (
        r"Missing numRecords for file with deletion vector: \S*?([^/\s]+)(?:\s|$)",
        r"its file \1 has a deletion vector, but its statistics lack numRecords, which the Delta protocol "
        "then requires. Rewrite the file, for example with REORG TABLE … APPLY (PURGE)",
    ),
    (
        r"Invalid Parquet file|Parquet error",
        "its checkpoint is not a complete Parquet file. If all commits exist, delete the checkpoint and "
        "_last_checkpoint; otherwise restore it",
    ),
    (
        r"Invalid protocol action in the delta log: (.+)",
        r"its protocol is not valid (\1). Rewrite the table",
    ),
    (
        r"(?:Json error|Malformed JSON)[: ]*(.*)",
        r"an entry of it is not valid JSON, or has an unexpected form (\1). "
        "Restore its last commits from a backup, or rewrite the table",
    ),
)


_PARSE_ERROR = re.compile("Parquet|[Jj]son|JSON")


def may_be_partial(text: str) -> bool:
    """
    Return whether an error of delta-rs about a log on S3 may come from an incomplete response.

    :param text: The error message, without its backtrace.
    """
    return bool(_PARSE_ERROR.search(text)) or log_fault(text) is None


def log_fault(text: str) -> str | None:
    """
    Return a description of the fault of a log, and advice.

    :param text: Error message of delta-rs, without its backtrace.
    :return: None if the message is unknown.
    """
    for pattern, explanation in _FAULTS:
        if match := re.search(pattern, text):
            return match.expand(explanation)
    return None

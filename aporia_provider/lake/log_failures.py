"""Explanations of the log faults that delta-rs reports, and advice for the owners of tables."""

from __future__ import annotations

import re

_FAULTS: tuple[tuple[str, str], ...] = (
    (
        r"catalog-managed|Max catalog version",
        "the table is managed by its catalogue (feature catalogManaged), which alone knows its last commits. "
        "Read it through the catalogue and write what is to be monitored to a table of its own",
    ),
    (
        r"Feature '([^']+)' is not supported",
        r"the table needs the reader feature \1, which is not known here. Write it without that feature "
        r"(ALTER TABLE … DROP FEATURE \1), or copy its data to another table",
    ),
    (
        r"Unsupported minimum reader version (\d+)",
        r"the table needs version \1 of the reader protocol, and 3 is the latest that is known here. "
        "Write it with an older protocol",
    ),
    (
        r"Gap between checkpoint version (\d+) and next commit (\d+)",
        r"commits between version \1, which has a checkpoint, and version \2 are missing. Restore them",
    ),
    (
        r"Expected contiguous commit files, but found gap",
        "commits between others are missing. Restore them, or write the table anew",
    ),
    (
        r"LogSegment end version (\d+) not the same as the specified end version (\d+)",
        r"the table has no version \2; its latest is \1",
    ),
    (
        r"No table metadata or protocol found",
        "no commit or checkpoint in it holds the schema. Restore its first commits or its last checkpoint, "
        "or write the table anew",
    ),
    (
        r"Unsupported Delta table type: '([^']+)'",
        r"its schema has the type \1, which is not known here. Drop the column, or give it another type",
    ),
    (
        r"File not found: (\S*deletion_vector\S+)",
        r"it names the deletion vector \1, which is not there. Restore it, or write the file anew",
    ),
    (
        r"Missing numRecords for file with deletion vector: \S*?([^/\s]+)(?:\s|$)",
        r"its file \1 has a deletion vector, and its statistics lack numRecords, which the Delta protocol "
        "requires then. Write the file anew, such as with REORG TABLE … APPLY (PURGE)",
    ),
    (
        r"Invalid Parquet file|Parquet error",
        "its checkpoint is no whole Parquet file. If all commits are there, delete the checkpoint and "
        "_last_checkpoint; otherwise restore it",
    ),
    (
        r"Invalid protocol action in the delta log: (.+)",
        r"its protocol is not valid (\1). Write the table anew",
    ),
    (
        r"(?:Json error|Malformed JSON)[: ]*(.*)",
        r"an entry of it is no valid JSON, or not of the form of its kind (\1). "
        "Restore its last commits from a backup, or write the table anew",
    ),
)


_PARSE_ERROR = re.compile("Parquet|[Jj]son|JSON")


def may_be_partial(text: str) -> bool:
    """
    Return whether an error of delta-rs about a log on S3 may come from an incomplete response.

    :param text: The error message, without its backtrace.
    """
    return bool(_PARSE_ERROR.search(text)) or fault_of(text) is None


def fault_of(text: str) -> str | None:
    """
    Return a description of the fault of a log, and advice.

    :param text: Error message of delta-rs, without its backtrace.
    :return: None if the message is unknown.
    """
    for pattern, explanation in _FAULTS:
        if match := re.search(pattern, text):
            return match.expand(explanation)
    return None

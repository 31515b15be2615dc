"""Arrow batches that are processed together."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from aporia_provider.monitoring.arrow import plain

# Number of rows and bytes that are gathered before they are processed. Each bucket of a gathered batch has a
# fixed cost, so more rows are gathered if there are many buckets. If no bucket is processed separately, a
# copy of the rows into one batch would take more time than it saves.
_ROWS, _ROWS_OF_BUCKET, _BYTES = 1 << 16, 1 << 13, 1 << 25


def gathered(batches: Iterator[pa.RecordBatch], buckets: int) -> pa.RecordBatch | None:
    """
    Return the next batches as one; None at the end.

    :param batches: The rest of the batches.
    :param buckets: Expected number of buckets that are processed one by one. More of them need more rows.
    """
    enough_rows = max(_ROWS, _ROWS_OF_BUCKET * buckets) if buckets else _ROWS // 4
    collected: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        collected.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= enough_rows or size >= _BYTES:
            break
    return _concatenated(collected) if collected else None


def _concatenated(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return pa.RecordBatch.from_arrays([plain(column) for column in whole.columns], names=whole.schema.names)

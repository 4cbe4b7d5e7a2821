"""How many records stand together: in memory while a table streams, and in a row group of a written Parquet file."""

from collections.abc import Iterator

import pyarrow as pa

BATCH_ROWS = 1 << 16


def row_groups(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Batches of ``BATCH_ROWS``, each a row group: the file does not tell how the stream was cut."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        start = 0
        while rows + batch.num_rows - start >= BATCH_ROWS:
            end = start + BATCH_ROWS - rows
            held.append(batch.slice(start, end - start))
            yield held[0] if len(held) == 1 else pa.concat_batches(held)
            held, rows, start = [], 0, end
        if start < batch.num_rows:
            held.append(batch.slice(start))
            rows += batch.num_rows - start
    if held:
        yield held[0] if len(held) == 1 else pa.concat_batches(held)

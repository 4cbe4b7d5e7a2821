"""
Frames to streams and back: what kind came in goes out, and the caller's table is never changed.

A pandas index is not data: it is left out, and the masked frame counts its rows from 0 (an index may hold identifiers).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from masking.errors import UnsupportedColumn

Restore = Callable[[pa.RecordBatchReader], Any]

BATCH_ROWS = 1 << 16


def as_reader(table: Any) -> tuple[pa.RecordBatchReader, Restore]:
    """
    Return a stream over ``table`` and the function that turns a masked stream into the same kind.

    Accepted: pandas and polars frames, ``pa.Table``, ``pa.RecordBatch``, ``pa.RecordBatchReader`` (a reader comes
    back), and a path (a ``pa.Table`` comes back).

    Raises:
        UnsupportedColumn: a frame has two columns of one name or a column that has no Arrow type.
        BadFile: the path does not hold a table.

    """
    reader, restore = _opened(table)
    names = reader.schema.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UnsupportedColumn(f"the table has more than one column named {repeated}")
    return reader, restore


def _opened(table: Any) -> tuple[pa.RecordBatchReader, Restore]:
    if isinstance(table, pa.RecordBatchReader):
        return table, lambda masked: masked
    if isinstance(table, pa.Table):
        return table.to_reader(max_chunksize=BATCH_ROWS), lambda masked: masked.read_all()
    if isinstance(table, pa.RecordBatch):
        whole = pa.Table.from_batches([table]).to_reader(max_chunksize=BATCH_ROWS)
        return whole, _one_batch
    if isinstance(table, str | Path):
        from masking.table.files import open_table

        return open_table(table), lambda masked: masked.read_all()
    kind = type(table).__module__.split(".")[0]
    if kind == "polars":
        return _from_polars(table)
    if kind == "pandas" and hasattr(table, "columns"):
        return _from_pandas(table)
    raise TypeError(f"a table is a pandas, polars or pyarrow table, a reader or a path, not {type(table).__name__}")


def _from_polars(table: Any) -> tuple[pa.RecordBatchReader, Restore]:
    import polars as pl

    frame = table.collect() if isinstance(table, pl.LazyFrame) else table
    try:
        arrow = frame.to_arrow()
    except Exception as error:  # noqa: BLE001  polars panics and errors may quote cells
        raise UnsupportedColumn(f"a column of the frame has no Arrow type ({type(error).__name__})") from None

    def restore(masked: pa.RecordBatchReader) -> Any:
        return pl.from_arrow(masked.read_all())

    return arrow.to_reader(max_chunksize=BATCH_ROWS), restore


def _from_pandas(table: Any) -> tuple[pa.RecordBatchReader, Restore]:
    names = [str(name) for name in table.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UnsupportedColumn(f"the table has more than one column named {repeated}")
    columns = [_array_of(table.iloc[:, position], name) for position, name in enumerate(names)]
    arrow = pa.table(columns, names=names) if names else pa.table({})
    return arrow.to_reader(max_chunksize=BATCH_ROWS), lambda masked: masked.read_all().to_pandas()


def _array_of(series: Any, name: str) -> pa.ChunkedArray:
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError):
        raise UnsupportedColumn("the column mixes types", attribute=name) from None
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _one_batch(masked: pa.RecordBatchReader) -> pa.RecordBatch:
    table = masked.read_all().combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)

"""
Frames to streams and back: what kind came in goes out, and the caller's table is never changed.

A pandas index is not data. One that only counts (``RangeIndex``) is kept where no record left; any other may hold
identifiers that no rule names, so it is left out and the masked frame counts its rows from 0.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from masking.errors import UnsupportedColumn
from masking.table.batches import BATCH_ROWS

Restore = Callable[[pa.RecordBatchReader], Any]


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
    if kind == "polars" and hasattr(table, "lazy"):
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

    # What was categorical and is text comes back so, with the categories that are left and no others.
    coded = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Categorical | pl.Enum)]

    def restore(masked: pa.RecordBatchReader) -> Any:
        made = pl.DataFrame(masked.read_all())
        return made.with_columns(
            pl.col(name).cast(pl.Categorical) for name in coded if made.schema.get(name) == pl.String
        )

    return arrow.to_reader(max_chunksize=BATCH_ROWS), restore


def _from_pandas(table: Any) -> tuple[pa.RecordBatchReader, Restore]:
    names = [str(name) for name in table.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UnsupportedColumn(f"the table has more than one column named {repeated}")
    columns = [_array_of(table.iloc[:, position], name) for position, name in enumerate(names)]
    arrow = pa.table(columns, names=names) if names else pa.table({})
    index, dtypes = table.index, dict(zip(names, table.dtypes, strict=True))

    def restore(masked: pa.RecordBatchReader) -> Any:
        import pandas as pd

        given, table_ = arrow.schema, masked.read_all()
        frame = table_.to_pandas()
        for field in table_.schema:
            if field.name in dtypes:
                frame[field.name] = _as_it_was(frame[field.name], field.type, given.field(field.name).type, dtypes)
        if isinstance(index, pd.RangeIndex) and len(frame) == len(index):
            frame.index = index.rename(None)
        return frame

    return arrow.to_reader(max_chunksize=BATCH_ROWS), restore


def _as_it_was(series: Any, kind: pa.DataType, given: pa.DataType, dtypes: dict[str, Any]) -> Any:
    """The column in the dtype it came in, where masking left its type; categories are those that are left."""
    dtype = dtypes[series.name]
    if pa.types.is_dictionary(given):
        return series.astype("category") if kind == given.value_type else series
    if kind != given or series.dtype == dtype:
        return series
    try:
        return series.astype(dtype)
    except (ValueError, TypeError):  # nulls that were not there before
        return series


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

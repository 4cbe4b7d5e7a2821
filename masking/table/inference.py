"""Types of text columns, decided by all values and never by a sample."""

from collections.abc import Mapping

import pyarrow as pa


def infer_types(reader: pa.RecordBatchReader) -> dict[str, pa.DataType]:
    """
    Return a type per column that every value of the stream can be cast to.

    int64 without leading zeros and with at most 15 digits, float64, date32 (2020-01-31, 2020/1/31), otherwise string; never bool.
    """
    raise NotImplementedError(str(reader))


def cast_batch(batch: pa.RecordBatch, schema: pa.Schema | Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """Return a batch of strings in the types of ``schema``; raises ``InvalidValue`` where a value does not fit."""
    raise NotImplementedError(str((batch, schema)))


def cast_reader(reader: pa.RecordBatchReader, schema: pa.Schema | Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    """``cast_batch`` over a stream."""
    raise NotImplementedError(str((reader, schema)))

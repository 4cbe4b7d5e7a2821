"""An upload as a stream of simple columns, bounded in rows, columns and bytes while it is read.

The reading is the product's own (`opendata.publishing.reading`): encodings, delimiters, ragged rows, expanding
archives and hostile spreadsheets end in one sentence with a line number. What is added here: only simple types, no
row left out, and a bound on what a column-compressed file may unfold to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from masking.errors import MaskingError
from masking.messages import in_chinese
from opendata.publishing.embedded import looks_like_a_value
from opendata.publishing.errors import InvalidSubmission
from opendata.publishing.reading import open_upload
from sandbox.imports.errors import ImportInvalid
from sandbox.imports.limits import ImportLimits
from sandbox.imports.sniffing import check_content, check_workbook

HEAD_BYTES: Final = 4096
BATCH_ROWS: Final = 4096
COPY_BYTES: Final = 1 << 20

Open = Callable[[], BinaryIO]


@contextmanager
def open_import(filename: str, open_bytes: Open, limits: ImportLimits) -> Iterator[pa.RecordBatchReader]:
    """The upload as a bounded reader of simple columns. ``open_bytes`` gives its clear bytes from the start each time.

    Raises ImportInvalid, from the block too while the reader is read.
    """
    with open_bytes() as source:
        format_ = check_content(filename, source.read(HEAD_BYTES))
    try:
        if format_ == "parquet":
            with in_memory(open_bytes, limits.max_bytes) as path:
                yield _bounded(_parquet(path, limits), limits)
            return
        if format_ == "xlsx":
            with in_memory(open_bytes, limits.max_bytes) as path, open(path, "rb") as workbook:
                check_workbook(workbook)
        with open_upload(filename, open_bytes) as upload:
            _check_no_bad_rows(upload.bad_rows.count, upload.bad_rows.listed)
            yield _bounded(upload.reader, limits)
    except InvalidSubmission as error:
        raise ImportInvalid(f"{error.reason['zh']} · {error.reason['en']}") from None
    except MaskingError as error:
        raise ImportInvalid(f"{in_chinese(str(error))} · {error}") from None


def check_schema(schema: pa.Schema, limits: ImportLimits) -> None:
    """Raise ImportInvalid unless every column has a name of its own and a simple type."""
    if not 1 <= len(schema) <= limits.max_columns:
        raise ImportInvalid(
            f"有 {len(schema)} 列，最多 {limits.max_columns} 列 · {len(schema)} columns; at most {limits.max_columns}"
        )
    for place, field in enumerate(schema, 1):
        if not field.name.strip() or len(field.name) > 100 or looks_like_a_value(field.name):
            raise ImportInvalid(
                f"第 {place} 列没有像样的列名，文件可能没有表头 · column {place} has no proper name; is there a header?"
            )
        if not _simple(field.type):
            raise ImportInvalid(
                f"列 {field.name} 是嵌套或二进制类型，只接受数、文本、日期和是否 · "
                f"column {field.name} is nested or binary; only numbers, text, dates and booleans are accepted"
            )
    names = [name.casefold() for name in schema.names]
    twice = next((name for name in schema.names if names.count(name.casefold()) > 1), None)
    if twice is not None:
        raise ImportInvalid(f"列名 {twice} 重复 · the column name {twice} stands twice")


@contextmanager
def in_memory(open_bytes: Open, most: int) -> Iterator[str]:
    """The clear bytes as a file that exists in memory only and ends with the block."""
    descriptor = os.memfd_create("import", os.MFD_CLOEXEC)
    try:
        size = 0
        with open_bytes() as source, os.fdopen(os.dup(descriptor), "wb") as sink:
            while chunk := source.read(COPY_BYTES):
                size += len(chunk)
                if size > most:
                    raise too_large(most)
                sink.write(chunk)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def too_large(most: int) -> ImportInvalid:
    """The one sentence for a file beyond its limit."""
    return ImportInvalid(f"文件不能超过 {most >> 20} MB · a file may have {most >> 20} MB at most")


def _bounded(reader: pa.RecordBatchReader, limits: ImportLimits) -> pa.RecordBatchReader:
    check_schema(reader.schema, limits)

    def batches() -> Iterator[pa.RecordBatch]:
        rows = size = 0
        for batch in reader:
            rows += batch.num_rows
            size += batch.nbytes
            if rows > limits.max_rows:
                raise ImportInvalid(
                    f"超过 {limits.max_rows:,} 行 · more than {limits.max_rows:,} records",
                )
            if size > limits.max_table_bytes:
                raise _unfolds(limits)
            yield batch
        if rows == 0:
            raise ImportInvalid("表中没有记录 · the table holds no record")

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _parquet(path: str, limits: ImportLimits) -> pa.RecordBatchReader:
    """Text columns are read as dictionaries, so a value repeated a million times is measured before it is unfolded."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as probe:
            schema, metadata = probe.schema_arrow.remove_metadata(), probe.metadata
            declared = sum(
                metadata.row_group(group).column(column).total_uncompressed_size
                for group in range(metadata.num_row_groups)
                for column in range(metadata.row_group(group).num_columns)
            )
            rows = metadata.num_rows
    except (pa.ArrowException, OSError, ValueError):
        raise _damaged() from None
    check_schema(schema, limits)
    if rows > limits.max_rows:
        raise ImportInvalid(
            f"有 {rows:,} 行，最多 {limits.max_rows:,} 行 · {rows:,} records; at most {limits.max_rows:,}"
        )
    if declared > limits.max_table_bytes:
        raise _unfolds(limits)
    plain = pa.schema([pa.field(field.name, _plain_type(field.type)) for field in schema])
    texts = [field.name for field in schema if _is_text(field.type)]

    def batches() -> Iterator[pa.RecordBatch]:
        size = 0
        try:
            with pq.ParquetFile(path, pre_buffer=False, read_dictionary=texts) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    size += sum(_unfolded(column) for column in batch.columns)
                    if size > limits.max_table_bytes:
                        raise _unfolds(limits)
                    columns = [column.cast(type_) for column, type_ in zip(batch.columns, plain.types, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, schema=plain)
        except (pa.ArrowException, OSError):
            raise _damaged() from None

    return pa.RecordBatchReader.from_batches(plain, batches())


def _unfolded(column: pa.Array) -> int:
    """Bytes of a column without its dictionary."""
    if not pa.types.is_dictionary(column.type):
        return column.nbytes
    if not len(column.dictionary):
        return 4 * len(column)
    lengths = pc.binary_length(column.dictionary)
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0) + 4 * len(column)


def _simple(type_: pa.DataType) -> bool:
    checks = (
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_date,
        pa.types.is_timestamp,
        pa.types.is_null,
    )
    return _is_text(type_) or any(check(type_) for check in checks)


def _is_text(type_: pa.DataType) -> bool:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if _is_text(type_) or pa.types.is_null(type_):
        return pa.string()
    if pa.types.is_integer(type_):
        return pa.uint64() if pa.types.is_uint64(type_) else pa.int64()
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return pa.float64()
    if pa.types.is_date(type_):
        return pa.date32()
    return pa.timestamp("us") if pa.types.is_timestamp(type_) else type_


def _check_no_bad_rows(count: int, listed: list[dict[str, object]]) -> None:
    if not count:
        return
    first = listed[0]
    reason = first["reason"]
    assert isinstance(reason, dict)
    raise ImportInvalid(
        f"{count:,} 行的格数与表头不符，首先是第 {first['line']} 行（{reason['zh']}） · "
        f"{count:,} rows do not fit the header, first line {first['line']} ({reason['en']})"
    )


def _unfolds(limits: ImportLimits) -> ImportInvalid:
    most = limits.max_table_bytes >> 20
    return ImportInvalid(
        f"内容展开后超过 {most} MB，按压缩炸弹拒绝 · it unfolds to more than {most} MB and is refused as a bomb"
    )


def _damaged() -> ImportInvalid:
    return ImportInvalid("不是 Parquet 文件，或文件已损坏 · this is not Parquet, or it is damaged")

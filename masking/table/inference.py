"""
Types of text columns, decided by all values and never by a sample.

A type is taken only if every value keeps its meaning: numbers with leading zeros (administrative codes), with more than
15 digits (identity numbers) or with spaces stay text. Text is never taken for true and false.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidValue, UnknownAttribute

_INTEGER = r"^(?:0|-?[1-9][0-9]{0,14})$"
_DECIMAL = r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?$"
_DATE = r"^(?P<y>[0-9]{4})[-/](?P<m>[0-9]{1,2})[-/](?P<d>[0-9]{1,2})"
_TIME = r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
_CANDIDATES = (pa.int64(), pa.float64(), pa.date32())


def infer_types(reader: pa.RecordBatchReader) -> dict[str, pa.DataType]:
    """
    Return a type per column that every value of the stream can be cast to.

    int64 without leading zeros and with at most 15 digits, float64, date32 (2020-01-31, 2020/1/31), otherwise string;
    never bool. Columns that are not text keep their type; a column of nulls is text.
    """
    columns = {field.name: TypeOf(field.type) for field in reader.schema}
    for batch in reader:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            columns[name].add(column)
    return {name: each.type for name, each in columns.items()}


class TypeOf:
    """The type of one column, decided by all its values as they come."""

    def __init__(self, given: pa.DataType) -> None:
        self._open = list(_CANDIDATES) if _is_text(given) else [given]
        self._seen = not _is_text(given)

    def add(self, column: pa.Array) -> None:
        """Look at more values."""
        if not _is_text(column.type) or not self._open or column.null_count == len(column):
            return
        self._seen = True
        self._open = [kind for kind in self._open if not pc.any(_misfits(column, kind)).as_py()]

    @property
    def type(self) -> pa.DataType:
        """What all values so far can be cast to."""
        return self._open[0] if self._open and self._seen else pa.string()


def cast_batch(batch: pa.RecordBatch, schema: pa.Schema | Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """
    Return the batch in the types of ``schema``, in the batch's order; nulls stay null.

    Raises:
        UnknownAttribute: ``schema`` lacks a column of the batch.
        InvalidValue: text does not fit its column's type; says how many and where.

    """
    kinds = _kinds(schema)
    missing = set(batch.schema.names) - set(kinds)
    if missing:
        raise UnknownAttribute.from_unnamed(missing)
    columns = [_cast(column, kinds[name], name) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
    fields = [pa.field(name, kinds[name]) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def cast_reader(reader: pa.RecordBatchReader, schema: pa.Schema | Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    """``cast_batch`` over a stream; records are counted from the start of the stream."""
    kinds = _kinds(schema)
    missing = set(reader.schema.names) - set(kinds)
    if missing:
        raise UnknownAttribute.from_unnamed(missing)
    target = pa.schema([(name, kinds[name]) for name in reader.schema.names])

    def batches() -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in reader:
            try:
                yield cast_batch(batch, target)
            except InvalidValue as error:
                raise error.after(rows) from None
            rows += batch.num_rows

    return pa.RecordBatchReader.from_batches(target, batches())


def text_to_dates(column: pa.Array, *, with_time: bool = False) -> pa.Array:
    """Dates of a text column, null where it holds no real date; ``with_time`` allows a time of day behind it."""
    found = pc.extract_regex(column.cast(pa.string()), _DATE + (_TIME if with_time else "$"))
    parts = [
        pc.fill_null(pc.struct_field(found, name).cast(pa.int64()), 0).to_numpy(zero_copy_only=False) for name in "ymd"
    ]
    year, month, day = parts
    months = (year - 1970) * 12 + month - 1
    dates = months.astype("M8[M]").astype("M8[D]") + (day - 1).astype("m8[D]")
    real = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (dates.astype("M8[M]").astype(np.int64) == months)
    return pa.array(dates.astype("M8[D]"), pa.date32(), mask=~real)


def _kinds(schema: pa.Schema | Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in schema} if isinstance(schema, pa.Schema) else dict(schema)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _misfits(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """True where a text value cannot be of that type; false for nulls."""
    if pa.types.is_date(kind):
        fits = pc.is_valid(text_to_dates(column))
    else:
        fits = pc.match_substring_regex(column, _INTEGER if pa.types.is_integer(kind) else _DECIMAL)
    return pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(fits, False)))


def _cast(column: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    if column.type == kind:
        return column
    try:
        if _is_text(column.type) and (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_date(kind)
        ):
            wrong = np.flatnonzero(_misfits(column, kind).to_numpy(zero_copy_only=False))
            if len(wrong):
                raise InvalidValue(f"not {kind}", attribute=name, count=len(wrong), first_rows=wrong[:5].tolist())
            return text_to_dates(column).cast(kind) if pa.types.is_date(kind) else column.cast(kind)
        return column.cast(kind)
    except pa.ArrowException:  # its message quotes the cell
        raise InvalidValue(f"not {kind}", attribute=name, count=1) from None

"""Types of text columns: decided by all values, and only where every value keeps its meaning."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidValue, UnknownAttribute
from masking.table import cast_batch, cast_reader, infer_types
from masking.table.inference import text_to_dates


def infer(*batches):
    schema = pa.schema([("c", pa.string())])
    arrays = [pa.RecordBatch.from_arrays([pa.array(values, pa.string())], schema=schema) for values in batches]
    return infer_types(pa.RecordBatchReader.from_batches(schema, arrays))["c"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-5", "0"], pa.int64()),
        (["1", None], pa.int64()),
        (["007"], pa.string()),  # an administrative code
        (["-0"], pa.float64()),
        (["123456789012345"], pa.int64()),  # 15 digits
        (["1234567890123456"], pa.string()),  # a card number: neither whole number nor decimal
        (["440307199001010010"], pa.string()),
        (["1.5", "2"], pa.float64()),
        (["1e5", "-2.5E-3"], pa.float64()),
        (["1.", ".5"], pa.string()),
        (["01.5"], pa.string()),
        (["+1"], pa.string()),
        (["1,000"], pa.string()),
        ([" 1"], pa.string()),
        (["NaN"], pa.string()),
        (["2020-01-31", "2020/1/1"], pa.date32()),
        (["2021-02-29"], pa.string()),  # no such day
        (["2020-01/31", "2020-01-01"], pa.date32()),
        (["20200131"], pa.int64()),
        (["2020-01-31 10:00"], pa.string()),  # a time of day would be lost
        (["true", "false"], pa.string()),  # never bool
        ([None, None], pa.string()),
        ([], pa.string()),
        (["1", "x"], pa.string()),
        (["2020-01-01", "1"], pa.string()),
        (["１２"], pa.string()),  # full width
        (["1\n"], pa.string()),
    ],
)
def test_types(values, expected):
    assert infer(values) == expected


def test_all_batches_decide():
    assert infer(["1"] * 10, [None], ["2.5"]) == pa.float64()
    assert infer(["1"] * 10, ["x"]) == pa.string()
    assert infer([None], ["1"]) == pa.int64()


def test_typed_columns_keep_their_type():
    schema = pa.schema([("a", pa.int32()), ("b", pa.bool_())])
    reader = pa.RecordBatchReader.from_batches(schema, [])
    assert infer_types(reader) == {"a": pa.int32(), "b": pa.bool_()}


@given(st.lists(st.one_of(st.none(), st.text("0123456789.-/e", max_size=12)), max_size=12))
@settings(max_examples=100, deadline=None)
def test_every_value_can_be_cast_and_integers_keep_their_text(values):
    kind = infer(values)
    batch = pa.RecordBatch.from_arrays([pa.array(values, pa.string())], names=["c"])
    cast = cast_batch(batch, {"c": kind}).column(0)
    assert cast.type == kind
    assert [v is None for v in cast.to_pylist()] == [v is None for v in values]
    if kind == pa.int64():
        assert [None if v is None else str(v) for v in cast.to_pylist()] == values


@given(st.lists(st.one_of(st.none(), st.dates()), max_size=12))
@settings(max_examples=50, deadline=None)
def test_dates_round_trip(days):
    assert (
        text_to_dates(pa.array([None if d is None else d.isoformat() for d in days], pa.string())).to_pylist() == days
    )


def test_misfits_are_counted_and_placed_not_quoted():
    batch = pa.RecordBatch.from_arrays([pa.array(["1", "Canary", None, "x"])], names=["c"])
    for kind in (pa.int64(), pa.float64(), pa.date32()):
        with pytest.raises(InvalidValue) as refused:
            cast_batch(batch, {"c": kind})
        assert "Canary" not in str(refused.value)
        assert refused.value.attribute == "c"
    assert refused.value.first_rows == (0, 1, 3)


def test_other_types_are_cast_or_refused_without_a_quote():
    batch = pa.RecordBatch.from_arrays([pa.array(["Canary"])], names=["c"])
    with pytest.raises(InvalidValue) as refused:
        cast_batch(batch, {"c": pa.bool_()})
    assert "Canary" not in str(refused.value)
    assert cast_batch(batch, pa.schema([("c", pa.large_string())])).column(0).type == pa.large_string()


def test_streams_count_records_from_their_start():
    schema = pa.schema([("c", pa.string())])
    batches = [pa.RecordBatch.from_arrays([pa.array(v)], schema=schema) for v in (["1", "2"], ["3", "x"])]
    with pytest.raises(InvalidValue) as refused:
        cast_reader(pa.RecordBatchReader.from_batches(schema, batches), {"c": pa.int64()}).read_all()
    assert refused.value.first_rows == (3,)


def test_missing_column_in_schema():
    batch = pa.RecordBatch.from_arrays([pa.array(["1"])], names=["c"])
    with pytest.raises(UnknownAttribute):
        cast_batch(batch, {})
    with pytest.raises(UnknownAttribute):
        cast_reader(pa.RecordBatchReader.from_batches(batch.schema, [batch]), {})


def test_time_of_day_only_when_asked():
    column = pa.array(["2020-01-31 10:00:00", "2020-01-31"])
    assert text_to_dates(column).to_pylist() == [None, dt.date(2020, 1, 31)]
    assert text_to_dates(column, with_time=True).to_pylist() == [dt.date(2020, 1, 31)] * 2

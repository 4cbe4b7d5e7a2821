"""Files and frames: every format there and back, whole or not at all, hostile ones refused."""

import datetime as dt
import io
import os
import traceback
import zipfile

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.errors import BadFile, UnsupportedColumn
from masking.table import FORMATS, as_reader, file_format, open_table, write_table

SECRET = "Canary13800000000"
TABLE = pa.table(
    {
        "text": ["=1+1", "007", None, 'a,"b"\nc', "https://x", "{=1}"],
        "number": [1, None, 3, 4, 5, 6],
        "day": pa.array([18000, None, 1, 2, 3, 4], pa.date32()),
        "share": [1.5, 2.25, None, 0.1, 1e-9, 12345.678],
        "long": ["440307199001010010", "123456789012345678", None, "1", "2", "3"],
    }
)


@pytest.mark.parametrize("kind", FORMATS)
def test_there_and_back(tmp_path, kind):
    path = tmp_path / f"table.{kind}"
    assert write_table(TABLE, path) == 6
    back = open_table(path).read_all()
    expected = TABLE
    if kind == "jsonl":  # JSON has no dates
        expected = TABLE.set_column(2, "day", TABLE["day"].cast(pa.string()))
    assert back.to_pydict() == expected.to_pydict()
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_same_records_same_bytes(tmp_path, kind):
    one, two = tmp_path / f"one.{kind}", tmp_path / f"two.{kind}"
    write_table(TABLE, one)
    write_table(TABLE.to_reader(), two)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path, kind):
    path = tmp_path / f"table.{kind}"
    path.write_bytes(b"old")

    def batches():
        yield TABLE.to_batches()[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_table(pa.RecordBatchReader.from_batches(TABLE.schema, batches()), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_table_has_its_columns(tmp_path, kind):
    path = tmp_path / f"table.{kind}"
    write_table(TABLE.slice(0, 0), path)
    if kind == "jsonl":  # no line, no column
        with pytest.raises(BadFile, match="empty"):
            open_table(path)
    else:
        back = open_table(path).read_all()
        assert (back.num_rows, back.schema.names) == (0, TABLE.schema.names)


def test_spreadsheets_hold_text_as_text(tmp_path):
    path = tmp_path / "t.xlsx"
    write_table(TABLE, path)
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet


def test_spreadsheet_keeps_long_integers_exact(tmp_path):
    path = tmp_path / "t.xlsx"
    write_table(pa.table({"id": [440307199001010010, 5]}), path)
    assert open_table(path).read_all()["id"].to_pylist() == ["440307199001010010", "5"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx"])
def test_what_a_format_cannot_hold(tmp_path, kind):
    for column in (pa.array([[1]]), pa.array([b"x"])):
        with pytest.raises(UnsupportedColumn):
            write_table(pa.table({"a": column}), tmp_path / f"t.{kind}")
    assert os.listdir(tmp_path) == []


def test_types_that_formats_spell(tmp_path):
    table = pa.table(
        {
            "moment": pa.array([dt.datetime(2020, 1, 31, 10, tzinfo=dt.UTC)], pa.timestamp("us", "Asia/Shanghai")),
            "code": pa.array(["a"]).dictionary_encode(),
            "nothing": pa.nulls(1),
            "flag": [True],
        }
    )
    for kind in FORMATS:
        assert write_table(table, tmp_path / f"t.{kind}") == 1
        assert open_table(tmp_path / f"t.{kind}").read_all()["code"].to_pylist() == ["a"]


def test_formats_by_name():
    assert file_format("/a/B.CSV.GZ") == "csv.gz"
    assert file_format("x.parquet") == "parquet"
    with pytest.raises(BadFile, match="known"):
        file_format("x.xls")
    with pytest.raises(BadFile):
        open_table("x.csv", format="exe")


def test_missing_file(tmp_path):
    with pytest.raises(BadFile, match="no such file"):
        open_table(tmp_path / "none.csv")


def test_bad_rows_are_told_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3\n4,5\n")
    bad = []
    table = open_table(path, on_bad_row=bad.append).read_all()
    assert [row.line for row in bad] == [3]
    assert table["a"].to_pylist() == [1, 4]


def test_types_can_be_left_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n")
    assert open_table(path, types=False).schema.types == [pa.string(), pa.string()]


def test_a_reader_that_is_never_read_holds_no_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n")
    before = len(os.listdir("/proc/self/fd"))
    readers = [open_table(path) for _ in range(5)]
    assert len(os.listdir("/proc/self/fd")) == before
    del readers


def bomb(uncompressed):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as member,
    ):
        for _ in range(uncompressed >> 20):
            member.write(b" " * (1 << 20))
    return stream.getvalue()


def shrunk(data):
    """The same archive, its directory claiming 100 bytes."""
    size = (500 << 20).to_bytes(4, "little")
    return data.replace(size, (100).to_bytes(4, "little"))


def parquet_bytes():
    stream = io.BytesIO()
    pq.write_table(pa.table({"a": [SECRET] * 1000, "b": range(1000)}), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.xlsx", b"PK\x03\x04" + SECRET.encode()),
        ("t.xlsx", SECRET.encode()),
        ("t.xlsx", b""),
        ("t.xlsx", bomb(500 << 20)),
        ("t.xlsx", shrunk(bomb(500 << 20))),
        ("t.xlsx", bomb(1 << 20)),  # an archive without a workbook
        ("t.parquet", b""),
        ("t.parquet", b"PAR1" + SECRET.encode() + b"PAR1"),
        ("t.parquet", parquet_bytes()[:-20]),
        ("t.parquet", parquet_bytes()[:4] + bytes(200) + parquet_bytes()[204:]),
        ("t.jsonl", b""),
        ("t.jsonl", b"\n\n"),
        ("t.jsonl", b'{"a": 1}\n' + SECRET.encode() + b"\n"),
        ("t.jsonl", b'{"a": 1}\n"' + SECRET.encode() + b'"\n'),
        ("t.jsonl", b'{"a": ["' + SECRET.encode() + b'"]}\n'),
        ("t.jsonl", b'{"a": {"b": "' + SECRET.encode() + b'"}}\n'),
        ("t.jsonl", b'{"a": "' + SECRET.encode() + b'"\n'),
        ("t.jsonl", b'{"a": "' + SECRET.encode() + b'\0"}\n'),
        ("t.jsonl", b'{"a": "\xff' + SECRET.encode() + b'"}\n'),
        ("t.jsonl", b'{"a": "' + b"x" * (9 << 20) + b'"}\n'),
        ("t.jsonl", b"[" * 100_000 + b"\n"),
    ],
    ids=str,
)
def test_hostile_files_are_one_error_without_their_text(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadFile) as refused:
        open_table(path).read_all()
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert refused.value.__cause__ is None


def test_jsonl_tells_the_line(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\nnot json\n')
    with pytest.raises(BadFile, match="line 3"):
        open_table(path).read_all()


def test_jsonl_types_come_from_all_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": 1}\n' * 2000 + b'{"a": 2.5, "b": "x"}\n')
    table = open_table(path).read_all()
    assert table.schema.types == [pa.float64(), pa.string()]
    assert table["b"].null_count == 2000


def test_spreadsheet_headers(tmp_path):
    import xlsxwriter

    def make(*rows):
        path = tmp_path / "t.xlsx"
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
        return path

    assert open_table(make(["a", "", 5], [1, 2, 3])).schema.names == ["a", "column_2", "5"]
    with pytest.raises(BadFile, match="column 2"):
        open_table(make(["a", "a"], [1, 2]))
    with pytest.raises(BadFile, match="empty"):
        open_table(make())


class TestFrames:
    @pytest.mark.parametrize(
        "table",
        [
            TABLE,
            TABLE.to_batches()[0],
            TABLE.to_reader(),
            pl.DataFrame({"a": ["x", None], "b": [1, 2]}),
            pd.DataFrame({"a": ["x", None], "b": [1, 2]}),
        ],
        ids=lambda table: f"{type(table).__module__}.{type(table).__name__}",
    )
    def test_same_kind_comes_back(self, table):
        reader, restore = as_reader(table)
        assert isinstance(reader, pa.RecordBatchReader)
        assert type(restore(reader)) is type(table)

    def test_frames_survive_the_round(self):
        frame = pl.DataFrame({"a": ["x", None], "b": [1, 2], "c": [dt.date(2020, 1, 1), None]})
        reader, restore = as_reader(frame)
        assert restore(reader).equals(frame)
        reader, restore = as_reader(frame.lazy())
        assert restore(reader).equals(frame)

    def test_a_pandas_index_is_not_carried(self):
        frame = pd.DataFrame({"a": [1, 2]}, index=[SECRET, "y"])
        reader, restore = as_reader(frame)
        assert reader.schema.names == ["a"]
        assert SECRET not in str(restore(reader))
        assert list(frame.index) == [SECRET, "y"]

    def test_empty_frames(self):
        for frame in (pd.DataFrame(), pl.DataFrame(), pa.table({})):
            reader, _ = as_reader(frame)
            assert reader.read_all().num_columns == 0

    def test_mixed_columns_are_refused_without_a_value(self):
        with pytest.raises(UnsupportedColumn) as refused:
            as_reader(pd.DataFrame({"a": [1, SECRET, object()]}))
        assert SECRET not in "".join(traceback.format_exception(refused.value))
        assert "'a'" in str(refused.value)

    def test_two_columns_of_one_name(self):
        with pytest.raises(UnsupportedColumn):
            as_reader(pd.DataFrame([[1, 2]], columns=["a", "a"]))
        with pytest.raises(UnsupportedColumn):
            as_reader(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))

    def test_what_is_no_table(self):
        for thing in (5, [1, 2], {"a": [1]}, pd.Series([1])):
            with pytest.raises(TypeError):
                as_reader(thing)

    def test_path(self, tmp_path):
        write_table(TABLE, tmp_path / "t.parquet")
        reader, restore = as_reader(str(tmp_path / "t.parquet"))
        assert restore(reader).equals(TABLE)

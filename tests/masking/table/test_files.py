"""Files and frames: every format there and back, whole or not at all, hostile ones refused."""

import datetime as dt
import functools
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


@functools.cache
def bomb(uncompressed):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
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


HOSTILE = {
    "only the first bytes of an archive.xlsx": lambda: b"PK\x03\x04" + SECRET.encode(),
    "no archive.xlsx": lambda: SECRET.encode(),
    "empty.xlsx": lambda: b"",
    "half a gigabyte of blanks.xlsx": lambda: bomb(500 << 20),
    "half a gigabyte said to be 100 bytes.xlsx": lambda: shrunk(bomb(500 << 20)),
    "an archive without a workbook.xlsx": lambda: bomb(1 << 20),
    "empty.parquet": lambda: b"",
    "only magic.parquet": lambda: b"PAR1" + SECRET.encode() + b"PAR1",
    "cut short.parquet": lambda: parquet_bytes()[:-20],
    "zeros inside.parquet": lambda: parquet_bytes()[:4] + bytes(200) + parquet_bytes()[204:],
    "empty.jsonl": lambda: b"",
    "blank lines.jsonl": lambda: b"\n\n",
    "no JSON in the second line.jsonl": lambda: b'{"a": 1}\n' + SECRET.encode() + b"\n",
    "a text in the second line.jsonl": lambda: b'{"a": 1}\n"' + SECRET.encode() + b'"\n',
    "a list in a cell.jsonl": lambda: b'{"a": ["' + SECRET.encode() + b'"]}\n',
    "an object in a cell.jsonl": lambda: b'{"a": {"b": "' + SECRET.encode() + b'"}}\n',
    "no end.jsonl": lambda: b'{"a": "' + SECRET.encode() + b'"\n',
    "a NUL.jsonl": lambda: b'{"a": "' + SECRET.encode() + b'\0"}\n',
    "no UTF-8.jsonl": lambda: b'{"a": "\xff' + SECRET.encode() + b'"}\n',
    "a line of nine megabytes.jsonl": lambda: b'{"a": "' + b"x" * (9 << 20) + b'"}\n',
    "deep.jsonl": lambda: b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_error_without_their_text(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name]())
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

    def test_an_index_that_only_counts_is_kept_while_all_records_are(self):
        frame = pd.DataFrame({"a": [1, 2, 3]}, index=pd.RangeIndex(10, 16, 2))
        reader, restore = as_reader(frame)
        assert list(restore(reader).index) == [10, 12, 14]
        reader, restore = as_reader(frame)
        fewer = reader.read_all().slice(1)
        assert list(restore(fewer.to_reader()).index) == [0, 1]

    def test_dtypes_come_back_where_the_type_is_the_same(self):
        frame = pd.DataFrame(
            {
                "code": pd.Categorical(["x", "y"], categories=["x", "y", SECRET]),
                "number": pd.array([1, None], dtype="Int64"),
                "text": pd.array(["x", None], dtype="string"),
                "small": pd.array([1, 2], dtype="int8"),
                "when": pd.to_datetime(["2020-01-01", None]).tz_localize("Asia/Shanghai"),
            }
        )
        reader, restore = as_reader(frame)
        masked = reader.read_all()
        plain = masked.set_column(0, "code", masked["code"].combine_chunks().dictionary_decode())
        back = restore(plain.to_reader())
        assert [str(kind) for kind in back.dtypes[1:]] == [str(kind) for kind in frame.dtypes[1:]]
        assert list(back["code"].cat.categories) == ["x", "y"]  # none that no record has
        nulls = masked.set_column(3, "small", pa.nulls(2, pa.int8()))
        assert restore(nulls.to_reader())["small"].isna().all()
        coded = pl.DataFrame({"a": ["x"]}, schema={"a": pl.Enum(["x", SECRET])})
        reader, restore = as_reader(coded)
        text = pa.table({"a": ["x"]})
        assert restore(text.to_reader()).dtypes == [pl.Categorical]

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
        for thing in (5, [1, 2], {"a": [1]}, pd.Series([1]), pl.Series([1])):
            with pytest.raises(TypeError):
                as_reader(thing)

    def test_path(self, tmp_path):
        write_table(TABLE, tmp_path / "t.parquet")
        reader, restore = as_reader(str(tmp_path / "t.parquet"))
        assert restore(reader).equals(TABLE)


class TestSpreadsheets:
    """What Excel and others write, cell by cell."""

    NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    def make(self, tmp_path, rows, *, strings=(), prefix="", since_1904=False):
        """A workbook whose sheet is in ``other.xml``, with a date (1), a time (2) and a colour (3) among its styles."""
        p = prefix and prefix + ":"
        xmlns = f'xmlns{":" + prefix if prefix else ""}="{self.NAMESPACE}"'
        parts = {
            "xl/workbook.xml": f'<{p}workbook {xmlns} xmlns:r="r"><{p}workbookPr date1904="{int(since_1904)}"/>'
            f'<{p}sheets><{p}sheet name="a" r:id="r7"/><{p}sheet name="b" r:id="r8"/></{p}sheets></{p}workbook>',
            "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="r7" Target="worksheets/other.xml"/>'
            '<Relationship Id="r8" Target="worksheets/none.xml"/></Relationships>',
            "xl/styles.xml": f'<{p}styleSheet {xmlns}><{p}numFmts><{p}numFmt numFmtId="200" '
            f'formatCode="yyyy&quot;年&quot;m"/><{p}numFmt numFmtId="201" formatCode="[Red]0.0&quot;day&quot;"/>'
            f'</{p}numFmts><{p}cellStyleXfs><{p}xf numFmtId="14"/></{p}cellStyleXfs><{p}cellXfs><{p}xf numFmtId="0"/>'
            f'<{p}xf numFmtId="200"/><{p}xf numFmtId="20"/><{p}xf numFmtId="201"/></{p}cellXfs></{p}styleSheet>',
            "xl/worksheets/other.xml": f"<{p}worksheet {xmlns}><{p}sheetData>"
            + rows.replace("</", f"</{p}").replace("<", f"<{p}").replace(f"<{p}/{p}", f"</{p}")
            + f"</{p}sheetData></{p}worksheet>",
            "xl/sharedStrings.xml": f"<{p}sst {xmlns}>"
            + "".join(f"<{p}si>{s}</{p}si>" for s in strings)
            + f"</{p}sst>",
        }
        path = tmp_path / "t.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in parts.items():
                archive.writestr(name, text)
        return path

    HEAD = '<row r="1"><c r="A1" t="str"><v>v</v></c></row>'

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ('<c r="A2" t="inlineStr"><is><t>ab</t></is></c>', "ab"),
            ('<c r="A2" t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r><rPh><t>x</t></rPh></is></c>', "ab"),
            ('<c r="A2" t="str"><f>A1</f><v>a&amp;b</v></c>', "a&b"),  # of a formula the value counts
            ('<c r="A2"><f>1+1</f><v>2</v></c>', "2"),
            ('<c r="A2"><v>5.0</v></c>', "5"),
            ('<c r="A2"><v>1.0000000000000001E-9</v></c>', "1e-09"),
            ('<c r="A2"><v>4.4030719900101E+17</v></c>', "4.4030719900101e+17"),
            ('<c r="A2" t="b"><v>1</v></c>', "true"),
            ('<c r="A2" t="e"><v>#N/A</v></c>', None),
            ('<c r="A2" t="d"><v>2020-01-31</v></c>', "2020-01-31"),
            ('<c r="A2" s="1"><v>43861</v></c>', "2020-01-31"),
            ('<c r="A2" s="1"><v>43861.5</v></c>', "2020-01-31 12:00:00"),
            ('<c r="A2" s="1"><v>1</v></c>', "1900-01-01"),  # before the 29 February 1900 that never was
            ('<c r="A2" s="2"><v>0.75</v></c>', "18:00:00"),
            ('<c r="A2" s="3"><v>43861</v></c>', "43861"),  # "day" in a format is a word
            ('<c r="A2" t="s"><v>0</v></c>', "一二"),
            ('<c r="A2" t="s"><v>1</v></c>', None),
            ('<c r="A2"/>', None),
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "x"])
    def test_cells(self, tmp_path, cell, expected, prefix):
        rows = self.HEAD + f'<row r="2">{cell}</row><row r="3"><c r="A3" t="str"><v>end</v></c></row>'
        strings = ("<r><t>一</t></r><r><t>二</t></r><rPh><t>yi</t></rPh>", "<t/>")
        prefixed = [s.replace("</", "\0").replace("<", "<x:").replace("\0", "</x:") for s in strings]
        path = self.make(tmp_path, rows, strings=prefixed if prefix else strings, prefix=prefix)
        assert open_table(path).read_all()["v"].to_pylist() == [expected, "end"]

    def test_days_since_1904(self, tmp_path):
        rows = self.HEAD + '<row r="2"><c r="A2" s="1"><v>42399</v></c></row>'
        path = self.make(tmp_path, rows, since_1904=True)
        assert open_table(path).read_all()["v"].to_pylist() == [dt.date(2020, 1, 31)]

    def test_places(self, tmp_path):
        """The table begins where the first value stands; gaps are nulls, cells without a place follow each other."""
        rows = (
            '<row r="3"><c r="B3" t="str"><v>x</v></c></row>'
            '<row r="5"><c r="B5"><v>1</v></c><c r="D5"><v>2</v></c></row><row><c/><c><v>3</v></c></row>'
        )
        table = open_table(self.make(tmp_path, rows)).read_all()
        assert table.to_pydict() == {"x": [None, 1, 3], "column_2": [None] * 3, "column_3": [None, 2, None]}

    @pytest.mark.parametrize(
        "rows",
        [
            '<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>',
            '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>',
            '<row r="1"><c r="A2"><v>1</v></c></row>',
            '<row r="1"><c r="XFE1"><v>1</v></c></row>',
            '<row r="1048577"><c r="A1048577"><v>1</v></c></row>',
            '<row r="x"><c r="A1"><v>1</v></c></row>',
            '<row r="1"><c r="A1" t="s"><v>9</v></c></row>',
            '<row r="1"><c r="A1" t="s"><v>-1</v></c></row>',
            f'<row r="1"><c r="A1"><v>{SECRET}</v></c></row>',
            '<row r="1"><c r="A1" s="1"><v>1e300</v></c></row>',
        ],
    )
    def test_sheets_that_contradict_themselves(self, tmp_path, rows):
        with pytest.raises(BadFile) as refused:
            open_table(self.make(tmp_path, rows))
        assert SECRET not in "".join(traceback.format_exception(refused.value))

    def test_records_of_many_batches(self, tmp_path):
        table = pa.table({"a": [f"t{n % 7}" for n in range(40_000)], "b": range(40_000)})
        write_table(table, tmp_path / "t.xlsx")
        assert open_table(tmp_path / "t.xlsx").read_all().combine_chunks().equals(table.combine_chunks())

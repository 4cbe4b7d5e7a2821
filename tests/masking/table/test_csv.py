"""Delimited text: dialects found, bad rows told by line, hostile files one clear error without their text."""

import gzip
import io
import subprocess
import sys
import traceback

import pytest

from masking.errors import BadFile
from masking.table import CsvDialect, open_csv_strings, open_table, sniff

SECRET = "Canary13800000000"
TEXT = "编号,姓名\n001,张三\n002,李四\n"


def read(data, on_bad=None):
    stream = io.BytesIO(data)
    return open_csv_strings(stream, sniff(stream), on_bad).read_all()


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        (TEXT.encode(), CsvDialect("utf-8", ",", False)),
        (TEXT.encode("utf-8-sig"), CsvDialect("utf-8", ",", True)),
        (TEXT.encode("gb18030"), CsvDialect("gb18030", ",", False)),
        (TEXT.encode("gbk"), CsvDialect("gb18030", ",", False)),
        (TEXT.encode("utf-16"), CsvDialect("utf-16-le", ",", True)),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), CsvDialect("utf-16-be", ",", True)),
        (TEXT.encode("utf-16-le"), CsvDialect("utf-16-le", ",", False)),
        (TEXT.encode("utf-16-be"), CsvDialect("utf-16-be", ",", False)),
        (TEXT.replace(",", ";").encode(), CsvDialect("utf-8", ";", False)),
        (TEXT.replace(",", "\t").encode(), CsvDialect("utf-8", "\t", False)),
        (TEXT.replace(",", "|").encode("gb18030"), CsvDialect("gb18030", "|", False)),
        (TEXT.replace("\n", "\r\n").encode(), CsvDialect("utf-8", ",", False)),
        (TEXT.replace("\n", "\r").encode(), CsvDialect("utf-8", ",", False)),
        (TEXT.rstrip().encode(), CsvDialect("utf-8", ",", False)),
    ],
)
def test_dialects(data, dialect):
    stream = io.BytesIO(data)
    assert sniff(stream) == dialect
    assert stream.tell() == 0
    assert open_csv_strings(stream, dialect).read_all().to_pylist() == [
        {"编号": "001", "姓名": "张三"},
        {"编号": "002", "姓名": "李四"},
    ]


def test_delimiter_inside_quotes_does_not_mislead():
    assert sniff(io.BytesIO(b'a;b\n"1,2,3";x\n"4,5,6";y\n')).delimiter == ";"


def test_encoding_is_decided_by_all_bytes():
    """ASCII for two megabytes, then Chinese: a sample would have called it UTF-8."""
    data = b"a,b\n" + b"1,2\n" * 500_000 + "3,张\n".encode("gb18030")
    assert sniff(io.BytesIO(data)).encoding == "gb18030"


def test_a_stream_is_read_from_where_it_stands():
    stream = io.BytesIO(b"skip" + TEXT.encode())
    stream.seek(4)
    sniff(stream)
    assert stream.tell() == 4


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a,b\n1,2\n3\n4,5\n6,7,8\n", [3, 5]),
        (b'a,b\n"x\ny",1\n2\n', [4]),  # a line break inside a cell
        (b'a,b\r\n\r\n1,2\r\n"x\r\n\r\ny",2\r\n\r\n2\r\n', [8]),  # blank lines are no rows, but lines
        (b'a,b\n"say ""hi""\n",1\n2\n', [4]),
        (b'"a\nb",c\n1\n', [3]),  # the header spans two lines
        (b"a\n\n1\n2,3\n", [4]),  # in one column a blank line is an empty cell
        (b"a,b\n" + b"1,2\n" * 3_000_000 + b"3\n", [3_000_002]),
        (b"a,b\n1\n2\n3\n", [2, 3, 4]),  # nothing but bad rows
    ],
)
def test_ragged_rows_are_told_by_line(data, lines):
    bad = []
    read(data, bad.append)
    assert [row.line for row in bad] == lines
    assert all(row.found != row.expected for row in bad)


def test_good_rows_beside_bad_ones_stay_in_order():
    bad = []
    table = read(b"a,b\n1,2\nx\n3,4\n", bad.append)
    assert table.to_pylist() == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert (bad[0].expected, bad[0].found) == (2, 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\n1,2\n", "must name the columns"),
        (f"a,b\n{SECRET}\n".encode(), "line 2: 1 cells where the header has 2"),
        (f"a,a\n{SECRET},2\n".encode(), r"columns \[2\] have a name"),
        (f"{SECRET},{SECRET}\n1,2\n".encode(), r"columns \[2\] have a name"),
        (f"a,b\n1,2\n{SECRET},\0\n".encode(), "line 3: a NUL"),
        (f'a,b\n1,"{SECRET}\n2,3\n'.encode(), "line 2: a quote is opened and never closed"),
        (f'"a,b\n{SECRET},2\n'.encode() + b"x,y\n" * 3_000_000, "quote may not be closed|no header|line 1"),
        (f"a,b\n1,{SECRET}".encode() + b"x" * (9 << 20), "line 2: a line is longer than 8 MiB"),
        (f'a,b\n1,"{SECRET}\n'.encode() + b"x,y\n" * 6_000_000, "quote"),
        (SECRET.encode() + b",b\n1,2\n\xff\xff\xff\n", "line 3: the text is neither"),
    ],
)
def test_hostile_text_is_one_error_without_its_text(data, message):
    with pytest.raises(BadFile, match=message) as refused:
        read(data)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_too_many_columns():
    with pytest.raises(BadFile, match="more than"):
        read(b"," * 20_000 + b"\n")


def test_header_only_and_unnamed_columns():
    assert read(b"a,b\n").num_rows == 0
    assert read(b"a,b").schema.names == ["a", "b"]
    assert read(b'"",x\n1,2\n').schema.names == ["column_1", "x"]
    assert read(b" a , b\n1,2\n").schema.names == ["a", "b"]


def test_empty_cells_are_null_quoted_or_not():
    assert read(b'a,b\n,""\nNA,null\n').to_pylist() == [{"a": None, "b": None}, {"a": "NA", "b": "null"}]


def test_a_stray_quote_inside_a_cell_is_text():
    assert read(b'a,b\n5" pipe,1\n2,3\n').to_pylist()[0] == {"a": '5" pipe', "b": "1"}


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        (lambda: gzip.compress(b"a,b\n1,2\n")[:-6], "cut off"),
        (lambda: gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)[:-50], "cut off|damaged"),
        (lambda: b"\x1f\x8b\x08" + b"\0" * 50, "damaged|cut off|empty"),
        (lambda: b"a,b\n1,2\n", "damaged"),
        (lambda: gzip.compress(b"\0" * 200_000_000), "bomb|NUL"),
        (lambda: gzip.compress(b"a,b\n" + b"1,2\n" * 25_000_000), "bomb"),
        (lambda: gzip.compress(b"a" * 200_000_000), "bomb|longer"),
    ],
    ids=["cut", "cut-late", "header-only", "not-packed", "bomb-of-nul", "bomb-of-rows", "bomb-of-one-line"],
)
def test_hostile_gzip(tmp_path, pack, message):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(pack())
    with pytest.raises(BadFile, match=message):
        open_table(path).read_all()


def test_gzip_of_several_members(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n", mtime=0) + gzip.compress(b"3,4\n"))
    assert open_table(path).read_all().to_pylist() == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


@pytest.mark.integration
def test_memory_stays_flat(tmp_path):
    """80 MB of text, more than 250 MB as a table of text, are read within 400 MB, libraries (about 180) included."""
    path = tmp_path / "big.csv"
    line = b"13800000000,some text of a usual length,2020-01-01,42\n"
    with path.open("wb") as stream:
        stream.write(b"phone,text,day,number\n")
        for _ in range(15):
            stream.write(line * 100_000)
    code = (
        "import pathlib, sys, pyarrow\n"
        "from masking.table import open_table\n"
        "rows = sum(batch.num_rows for batch in open_table(sys.argv[1]))\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"  # ru_maxrss would count the parent before exec
        "print(rows, int(status.split('VmHWM:')[1].split()[0]) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == 1_500_000
    assert peak < 400, f"{peak} MB"

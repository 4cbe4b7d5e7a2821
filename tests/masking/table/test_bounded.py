"""Large and hostile files are read, or refused, in bounded memory: measured in a process of its own."""

import gzip
import io
import subprocess
import sys
import traceback
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.errors import BadFile
from masking.table import jsonl, open_csv_strings, open_table, write_table

SECRET = "Canary13800000000"
READER = """
import os, pathlib, sys, pyarrow, polars, pandas
from masking.errors import BadFile
from masking.table import open_table

def held():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024

def measure(path):
    before = held()
    try:
        said = sum(batch.num_rows for batch in open_table(path))
    except BadFile as error:
        said = str(error)
    print(held() - before, said, sep="\\t", flush=True)

for line in sys.stdin:
    if not (child := os.fork()):
        measure(line.rstrip("\\n"))
        os._exit(0)
    os.waitpid(child, 0)
    print("", flush=True)
"""


@pytest.fixture(scope="module")
def peak():
    """MiB that reading a file takes beyond the libraries, and what came of it: each in a process that has read nothing
    else, forked from one that has only loaded the libraries."""
    reader = subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(path):
        reader.stdin.write(f"{path}\n")
        reader.stdin.flush()
        megabytes, said = reader.stdout.readline().strip().split("\t")
        assert reader.stdout.readline() == "\n"
        assert SECRET not in said
        return int(megabytes), said

    yield ask
    reader.communicate()


class Endless(io.RawIOBase):
    """A gigabyte without a line break, which nobody has to store."""

    def __init__(self, head, size=1 << 30):
        self._head, self._left, self.given = head, size, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        block = self._head or b"x" * min(len(buffer), self._left)
        block, self._head = block[: len(buffer)], block[len(buffer) :] if self._head else b""
        buffer[: len(block)] = block
        self._left -= len(block)
        self.given += len(block)
        return len(block)


@pytest.mark.parametrize("head", [b"", b"a,b\n1,", b'a,b\n1,"'], ids=["header", "cell", "quoted"])
def test_a_line_of_a_gigabyte_is_refused_after_a_few_megabytes(head):
    from masking.table import CsvDialect

    stream = Endless(head)
    with pytest.raises(BadFile, match=r"line [12]"):
        open_csv_strings(io.BufferedReader(stream), CsvDialect("utf-8", ",", bom=False)).read_all()
    assert stream.given < 40 << 20


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.csv.gz"])
def test_a_file_of_one_line_is_refused_in_little_memory(tmp_path, peak, name):
    path = tmp_path / name
    head = b'{"a": "' if name.endswith("jsonl") else b"a,b\n1,"
    with gzip.open(path, "wb", compresslevel=1) if name.endswith("gz") else path.open("wb") as stream:
        stream.write(head)
        for _ in range(300):
            stream.write(SECRET.encode() * (1 << 16))
    megabytes, said = peak(path)
    assert "longer than" in said or "bomb" in said
    assert megabytes < 150


def sheet(parts):
    """An xlsx file with these members instead of the usual ones."""
    stream = io.BytesIO()
    import xlsxwriter

    with xlsxwriter.Workbook(stream) as book:
        book.add_worksheet().write_column(0, 0, ["a", 1, 2])
    with zipfile.ZipFile(stream) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members.update(parts)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def worksheet(body, dimension="A1:A3", doctype=""):
    return (
        f'<?xml version="1.0"?>{doctype}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="{dimension}"/><sheetData>{body}</sheetData></worksheet>'
    ).encode()


LAUGHS = "<!DOCTYPE x [" + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else SECRET}">' for n in range(10)) + "]>"
CELL = '<row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c></row>'
FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
MEMBER = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("parts", "refused"),
    [
        ({MEMBER: worksheet(CELL.format("&l9;"), doctype=LAUGHS)}, True),
        ({MEMBER: worksheet(CELL.format("a"), dimension="A1:XFD1048576")}, None),  # a dimension is only a hint
        ({MEMBER: worksheet(FAR)}, True),  # two cells that claim a sheet of 17 billion
        ({f"xl/worksheets/sheet{n}.xml": b"x" for n in range(2, 3000)}, True),
        ({f"xl/media/{n}.bin": bytes(50 << 20) for n in range(10)}, True),
        ({MEMBER: b"<worksheet>" + SECRET.encode()}, True),
        ({"xl/workbook.xml": b"<workbook/>"}, True),
    ],
    ids=["entities", "dimension", "far-cell", "many-sheets", "many-bytes", "cut", "no-sheets"],
)
def test_hostile_spreadsheets(tmp_path, peak, parts, refused):
    path = tmp_path / "t.xlsx"
    path.write_bytes(sheet(parts))
    megabytes, said = peak(path)
    assert megabytes < 300
    if refused:
        assert not said.isdigit()


def test_a_huge_row_group_is_read_in_slices(tmp_path, peak):
    """Four million records of one row group, 150 MB of columns."""
    path = tmp_path / "t.parquet"
    table = pa.table({"a": pa.array(range(4_000_000)), "b": pa.array(["some text of a usual length"] * 4_000_000)})
    pq.write_table(table, path, row_group_size=4_000_000)
    assert table.nbytes > 140 << 20
    megabytes, said = peak(path)
    assert said == "4000000"
    assert megabytes < 150


def footer(change):
    """A Parquet file whose metadata has been changed."""
    stream = io.BytesIO()
    pq.write_table(pa.table({"a": [SECRET] * 100}), stream)
    return change(stream.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-8] + (2**31 - 1).to_bytes(4, "little") + data[-4:],  # metadata longer than the file
        lambda data: data[:-8] + (0).to_bytes(4, "little") + data[-4:],
        lambda data: data[:-40] + b"\xff" * 32 + data[-8:],  # absurd numbers inside
        lambda data: data[: len(data) // 2],
        lambda data: data[:4] + data[-12:],
    ],
    ids=["long", "none", "absurd", "half", "bare"],
)
def test_parquet_with_absurd_metadata(tmp_path, peak, change):
    path = tmp_path / "t.parquet"
    path.write_bytes(footer(change))
    megabytes, said = peak(path)
    assert not said.isdigit()
    assert megabytes < 100


def test_a_huge_cell_passes_or_is_one_error(tmp_path):
    """Seven megabytes fit a line, nine do not; Parquet holds both."""
    for size, name, passes in ((7, "a.csv", True), (9, "b.csv", False), (9, "c.parquet", True)):
        path = tmp_path / name
        write_table(pa.table({"a": ["x" * (size << 20)]}), path)
        if passes:
            assert open_table(path).read_all().num_rows == 1
        else:
            with pytest.raises(BadFile, match="line 2"):
                open_table(path)


def test_jsonl_is_read_in_flat_memory(tmp_path, peak):
    """150 MB of lines; the type of the last line holds for all."""
    path = tmp_path / "t.jsonl"
    note = b"some text of a usual length" * 12
    block = b'{"phone": "13800000000", "note": "%s", "n": 5}\n' % note * 20_000
    with path.open("wb") as stream:
        for _ in range(20):
            stream.write(block)
        stream.write(b'{"phone": null, "n": 5.5}\n')
    megabytes, said = peak(path)
    assert said == "400001"
    assert megabytes < 200
    assert open_table(path).schema.field("n").type == pa.float64()


LONG_LINE = b'{"a": 1' + b" " * 82 + b"}"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([LONG_LINE] * 40_000 + [SECRET.encode()], "line 40001: the line is not a JSON object"),
        ([LONG_LINE] * 40_000 + [b'{"a": ["' + SECRET.encode() + b'"]}'], "'a' holds lists|line 1"),
        ([b'{"a": true}'] + [LONG_LINE] * 120_000, "mixes"),
        ([b'{"a": 123456789012345678901234567890}'], "line 1"),
    ],
    ids=["late", "nested", "mixed", "long-number"],
)
def test_jsonl_beyond_the_first_block(tmp_path, lines, message):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(BadFile, match=message) as refused:
        open_table(path)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_jsonl_of_too_many_different_keys(tmp_path, monkeypatch):
    """Every key is a column of its block: a thousand of them take as long as a table of a million cells."""
    monkeypatch.setattr(jsonl, "MAX_COLUMNS", 1_000)
    path = tmp_path / "t.jsonl"
    for keys in (1_000, 1_001):
        path.write_bytes(b"".join(b'{"k%d": "%s"}\n' % (n, SECRET.encode()) for n in range(keys)))
        if keys == 1_000:
            assert len(open_table(path).schema) == keys
        else:
            with pytest.raises(BadFile, match="more than 1000 different keys") as refused:
                open_table(path)
            assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_jsonl_types_of_far_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": 1, "b": null}\n' * 600_000 + b'{"a": "x", "b": 2, "c": true}\n')
    table = open_table(path).read_all()
    assert table.schema.types == [pa.string(), pa.int64(), pa.bool_()]
    assert table["a"][0].as_py() == "1"
    assert table["c"].null_count == 600_000


def test_parquet_row_groups_do_not_tell_how_the_stream_was_cut(tmp_path):
    table = pa.table({"a": list(range(150_000)), "b": ["x", "y"] * 75_000})
    for name, size in (("one", 150_000), ("two", 4096), ("three", 65_537)):
        write_table(table.to_reader(max_chunksize=size), tmp_path / f"{name}.parquet")
    one, two, three = ((tmp_path / f"{name}.parquet").read_bytes() for name in ("one", "two", "three"))
    assert one == two == three
    assert pq.ParquetFile(tmp_path / "one.parquet").num_row_groups == 3

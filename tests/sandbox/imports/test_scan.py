"""What the scan lets through, and the one sentence for everything else: a column or a line, never a cell."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.imports.errors import ImportInvalid
from sandbox.imports.keys import check_keys, key_candidates
from sandbox.imports.limits import ImportLimits, default_rules
from sandbox.imports.tables import open_import

LIMITS = default_rules().limits
SECRET = "秘密值7788"
CSV = f"id,name\n1,{SECRET}\n2,b\n".encode()


def read(filename: str, content: bytes, limits: ImportLimits = LIMITS) -> pa.Table:
    with open_import(filename, lambda: io.BytesIO(content), limits) as reader:
        return reader.read_all()


def parquet(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def workbook(*more: tuple[str, bytes], sheet: bool = True) -> bytes:
    import xlsxwriter

    sink = io.BytesIO()
    book = xlsxwriter.Workbook(sink, {"in_memory": True})
    page = book.add_worksheet()
    for row, cells in enumerate((("id", "name"), ("1", SECRET), ("2", "b"))):
        page.write_row(row, 0, cells)
    book.close()
    if more or not sheet:
        with zipfile.ZipFile(sink, "a") as archive:
            for name, content in more:
                archive.writestr(name, content)
    return sink.getvalue()


def archive(**members: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return sink.getvalue()


def bomb() -> bytes:
    """A value of one million characters, a million times: some kilobytes on the disk, a terabyte unfolded."""
    value = pa.array(["x" * 1_000_000])
    indices = pa.array([0] * 200_000, pa.int32())
    return parquet(pa.table({"a": pa.DictionaryArray.from_arrays(indices, value)}), compression="zstd")


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("t.csv", CSV),
        ("t.tsv", CSV.replace(b",", b"\t")),
        ("gbk.csv", CSV.decode().encode("gb18030")),  # encodings are found
        (
            "t.jsonl",
            json.dumps({"id": 1, "name": SECRET}).encode() + b"\n" + json.dumps({"id": 2, "name": "b"}).encode(),
        ),
        ("t.parquet", parquet(pa.table({"id": [1, 2], "name": [SECRET, "b"]}))),
        ("t.xlsx", workbook()),
        ("MZ.csv", b"MZ,name\n1,b\n2,c\n"),  # a header that begins like a program is still a header
    ],
)
def test_tables_are_read(filename: str, content: bytes):
    table = read(filename, content)
    assert (table.num_rows, table.num_columns) == (2, 2)


@pytest.mark.parametrize(
    ("filename", "content", "said"),
    [
        ("t.pkl", pickle.dumps([SECRET]), "only CSV"),
        ("t.csv", pickle.dumps({SECRET: 1}, protocol=4), "pickle"),
        ("t.csv", pickle.dumps(date(2026, 1, 1), protocol=0), "pickle"),
        ("t.csv.gz", gzip.compress(CSV, mtime=0), "only CSV"),
        ("t.csv", gzip.compress(CSV, mtime=0), "archive"),
        ("t.csv", b"\x7fELF\x02\x01\x01\x00" + b"\0" * 64, "a program"),
        ("t.csv", b"MZ\x90\x00\x03\x00" + b"\0" * 64, "a program"),
        ("t.csv", b"#!/bin/sh\necho " + SECRET.encode(), "a script"),
        ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 64, "only CSV"),
        ("t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 64, "old Office"),
        ("t.xlsm", workbook(("xl/vbaProject.bin", b"x")), "only CSV"),
        ("t.xlsx", workbook(("xl/vbaProject.bin", b"x")), "macros"),
        ("t.xlsx", workbook(("xl/externalLinks/externalLink1.xml", b"<a/>")), "macros"),
        ("t.xlsx", archive(**{"a.csv": CSV}), "XLSX"),
        ("t.csv", archive(**{"a.csv": CSV}), "zip"),
        ("t.parquet", CSV, "says .parquet"),
        ("t.csv", parquet(pa.table({"a": [1]})), "says .csv"),
        ("t.parquet", parquet(pa.table({"a": [1]}))[:40], "damaged"),
        ("t.csv", b"", "empty"),
        ("t.csv", b"id,name\n1\n", "first line 2"),
        ("t.csv", b"id,name\n1,a\n2,b,c\n3,d,e\n", "first line 3"),
        ("t.csv", b"id,name\n1,a\n2,\xff\xfe\x81\n", "line"),
        ("t.csv", b"id,name\n1,a\0\n", "NUL"),
        ("t.jsonl", b'{"id": 1}\n{"id": \n', "line 2"),
        ("t.parquet", parquet(pa.table({"a": [[1, 2]]})), "column a is nested"),
        ("t.parquet", parquet(pa.table({"a": [b"x"]})), "column a is nested or binary"),
        ("t.parquet", parquet(pa.table({"a": [1], "A": [2]})), "stands twice"),
        ("t.csv", b"13812345678,a\n13812345679,b\n", "header"),
        ("t.csv", b"id,name\n", "no record"),
        ("t.parquet", bomb(), "bomb"),
    ],
)  # fmt: skip
def test_everything_else_is_one_clear_sentence(filename: str, content: bytes, said: str):
    with pytest.raises(ImportInvalid) as error:
        read(filename, content)
    sentence = str(error.value)
    assert said in sentence, sentence
    assert " · " in sentence
    assert SECRET not in sentence


def test_rows_columns_and_bytes_are_bounded():
    from dataclasses import replace

    small = replace(LIMITS, max_rows=10, max_columns=2)
    assert read("t.csv", CSV, small).num_rows == 2
    with pytest.raises(ImportInvalid, match="more than 10 records"):
        read("t.csv", b"id,name\n" + b"1,a\n" * 11, small)
    with pytest.raises(ImportInvalid, match="at most 10"):
        read("t.parquet", parquet(pa.table({"a": range(11)})), small)
    with pytest.raises(ImportInvalid, match="at most 2"):
        read("t.csv", b"a,b,c\n1,2,3\n", small)
    with pytest.raises(ImportInvalid, match="unfolds"):
        read("t.csv", CSV, replace(LIMITS, max_table_bytes=10))


def profile(name: str, type_: str, distinct: int, *, count: int = 1000, role: str = "quasi_identifier"):
    column = {"name": name, "type": type_, "count": count, "nulls": 0, "distinct": distinct}
    return column, {"column": name, "role": role, "reason": {"zh": "理由", "en": "reason"}}


def test_identifiers_and_nearly_unique_columns_are_proposed_as_person_keys():
    columns = [
        profile("phone", "integer", 990, role="direct_identifier"),  # by its values
        profile("digest", "string", 1000),  # a hash joins as well as the number
        profile("patient", "string", 20),  # by its name
        profile("town", "string", 40),
        profile("score", "number", 1000),  # a measured quantity is no key
    ]
    found = key_candidates(
        [column for column, _ in columns], [finding for _, finding in columns], identifiers=["Patient"], limits=LIMITS
    )
    assert [(each.column, each.certain) for each in found] == [("phone", True), ("digest", False), ("patient", False)]
    candidates = [each.to_json() for each in found]
    names = [column["name"] for column, _ in columns]
    check_keys(["phone", "digest", "patient"], {}, candidates=candidates, columns=names)
    check_keys(["phone", "patient"], {"digest": "随机生成的流水号"}, candidates=candidates, columns=names)
    for keys, reasons in (
        (["digest", "patient"], {"phone": "这不是手机号码"}),  # no reason undoes what the values are
        (["phone", "patient"], {}),  # a candidate without a word
        (["phone", "digest", "patient", "nobody"], {}),
    ):
        with pytest.raises(ImportInvalid):
            check_keys(keys, reasons, candidates=candidates, columns=names)

"""The output parser over hostile packages and files. Runs without a jail: it must also hold on its own."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.contracts import BadContract, ParsedFile, ParsedOutput
from sandbox.inside import parse


def package(*members: tuple[str, bytes]) -> io.BytesIO:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    sink.seek(0)
    return sink


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def read(name: str, content: bytes) -> ParsedFile:
    [file] = parse.parse(package((f"out/{name}", content))).files
    return file


@pytest.mark.parametrize(
    ("name", "content", "types", "rows"),
    [
        ("a.csv", b"g,n\na,1\nb,2\n", "string integer", (("a", 1), ("b", 2))),
        ("a.csv", b"\xef\xbb\xbfg,n\n\xe7\x94\xb7,1.50\n", "string number", (("男", 1.5),)),
        ("a.csv", "性别,人数\n男,3\n".encode("gb18030"), "string integer", (("男", 3),)),
        ("a.csv", b"code\n007\n008\n", "string", (("007",), ("008",))),  # leading zeros are names, not numbers
        ("a.csv", b"d\n2024-02-29\n\n2023-01-01\n", "date", (("2024-02-29",), ("2023-01-01",))),
        ("a.csv", b"d\n2023-02-29\n", "string", (("2023-02-29",),)),  # no such day
        ("a.csv", b"n,m\n,1\n2,\n", "integer integer", ((None, 1), (2, None))),  # an empty text is null
        ("a.csv", b"id\n1234567890123456789\n", "number", ((1.2345678901234568e18,),)),
        ("a.csv", b"g,n\n", "string string", ()),
        ("a.tsv", b"g\tn\na\t1\n", "string integer", (("a", 1),)),
        ("a.json", b'[{"g": "a", "n": 1, "b": true}]', "string integer boolean", (("a", 1, True),)),
        ("a.json", b'{"mean": 1.5, "n": 3}', "number integer", ((1.5, 3),)),
        ("a.txt", "第一行\n\n第二行".encode(), "string", (("第一行",), ("第二行",))),
        ("a.parquet", parquet(pa.table({"g": ["a", None], "n": [1, 2]})), "string integer", (("a", 1), (None, 2))),
        ("a.parquet", parquet(pa.table({"n": [1.5, float("nan")]})), "number", ((1.5,), (None,))),
    ],
)
def test_tables_are_typed(name: str, content: bytes, types: str, rows: tuple[tuple[object, ...], ...]) -> None:
    file = read(name, content)
    assert file.kind == "table"
    assert " ".join(column.type for column in file.columns) == types
    assert file.rows == rows
    assert file.bytes == len(content)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pkl", b"x", "pickle"),
        ("a.csv", pickle.dumps([1, 2]), "pickle"),  # by its first bytes, whatever its name
        ("a.svg", b"<svg/>", "svg"),
        ("a.txt", b"  <svg xmlns='x'/>", "svg"),
        ("a.html", b"<html>", "html"),
        ("a.csv", b"<!DOCTYPE html><script>", "html"),
        ("a.png", b"\x89PNG", "image"),
        ("a.csv", b"\x89PNG", "image"),
        ("a.zip", b"PK\x03\x04", "archive"),
        ("a.csv", gzip.compress(b"0" * 10_000_000, mtime=0), "archive"),
        ("a.xlsx", b"PK\x03\x04", "archive"),
        ("a.ipynb", b"{}", "program"),
        ("a.so", b"\x7fELF", "program"),
        ("a.bin", b"x", "unknown-type"),
        ("noending", b"x", "unknown-type"),
        ("a.csv", b"a\0b", "not-readable"),
        ("a.csv", b"\xff\xff\xff", "not-readable"),
        ("a.csv", b"", "not-a-table"),
        ("a.csv", b"a,b\n1\n", "not-a-table"),  # ragged
        ("a.csv", b"a,a\n1,2\n", "not-a-table"),  # one name twice
        ("a.csv", b'a\n"unclosed\n', "not-readable"),
        ("a.csv", b"a\n" + b"x" * 2_001, "long-text"),
        ("a.csv", b"a\n" + b"x" * 100_000, "long-text"),
        ("a.csv", b"a\n" + b"1\n" * 20_001, "too-many-rows"),
        ("a.csv", b",".join(b"c%d" % n for n in range(201)), "too-many-columns"),
        ("a.csv", "a\n\u202etxt.exe\n".encode(), "odd-characters"),
        ("a.csv", "a\nx\u200by\n".encode(), "odd-characters"),
        ("a.txt", b"\x1b[31mred", "odd-characters"),
        ("a.json", b"[" * 100_000, "not-readable"),
        ("a.json", b'[{"a": {"b": 1}}]', "not-a-table"),
        ("a.json", b'[{"a": 1}, {"b": 1}]', "not-a-table"),
        ("a.json", b'"text"', "not-a-table"),
        ("a.json", b"9" * 5_000, "not-readable"),
        ("a.figure.json", b"[]", "not-a-figure"),
        ("a.figure.json", b'{"table": "a.csv", "kind": "bar", "x": "g", "y": "n", "data": [1, 2]}', "not-a-figure"),
        ("a.figure.json", b"\x89PNG", "not-a-figure"),
        ("a.parquet", b"PAR1nonsense", "not-readable"),
        ("a.parquet", parquet(pa.table({"a": [[1], [2]]})), "not-a-table"),
        ("a.parquet", parquet(pa.table({"a": [b"x"]})), "not-a-table"),
        ("a.parquet", parquet(pa.table({"a": pa.array([0] * 1_000_000)})), "too-many-rows"),  # small file, many rows
        ("a.parquet", parquet(pa.table({f"c{n}": [1] for n in range(300)})), "too-many-columns"),
    ],
)
def test_what_is_not_one_flat_table_is_refused(name: str, content: bytes, code: str) -> None:
    file = read(name, content)
    assert (file.kind, file.rows) == ("rejected", ())
    assert [finding.code for finding in file.findings] == [code]


@pytest.mark.parametrize(
    ("name", "content", "code", "number"),
    [
        ("a.csv", b"a\n" + b"1\n\n" * 30_000, "too-many-rows", 30_000),
        ("a.txt", b"x\n" * 21_000, "too-many-rows", 21_000),
        ("a.json", json.dumps([{"a": 1}] * 20_500).encode(), "too-many-rows", 20_500),
        ("a.parquet", parquet(pa.table({"a": pa.array([0] * 1_000_000)})), "too-many-rows", 1_000_000),
        ("a.csv", b",".join(b"c%d" % n for n in range(5_000)), "too-many-columns", 5_000),
        (
            "a.csv",
            b",".join([b"c"] * 150) + b"\n" + (b",".join([b"1"] * 150) + b"\n") * 3_000,
            "too-many-cells",
            450_000,
        ),
        ("a.csv", b"a\n" + b"x" * 2_001 + b"\n" + b"y" * 3_000, "long-text", 2),
    ],
)
def test_what_is_too_large_is_told_with_its_true_number(name: str, content: bytes, code: str, number: int) -> None:
    assert [(finding.code, finding.count) for finding in read(name, content).findings] == [(code, number)]


def test_findings_never_quote_the_file() -> None:
    secret = b"CANARY-7c1f"
    for name in ("a.csv", "a.json", "a.txt", "a.parquet", "a.svg"):
        for content in (secret + b"\0", secret + b",\n1,2,3\n", b"[" + secret):
            file = read(name, content)
            if file.kind == "rejected":
                assert "CANARY" not in json.dumps([finding.zh + finding.en for finding in file.findings])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "hard-link"),
        (tarfile.FIFOTYPE, "not-a-file"),
        (tarfile.CHRTYPE, "not-a-file"),
        (tarfile.BLKTYPE, "not-a-file"),
        (tarfile.DIRTYPE, "not-a-file"),
    ],
)
def test_members_that_are_no_files_are_refused(kind: bytes, code: str) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        info = tarfile.TarInfo("out/a.csv")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    sink.seek(0)
    [file] = parse.parse(sink).files
    assert [finding.code for finding in file.findings] == [code]


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "/etc/passwd", "out/../a.csv", "out/d/a.csv", "out/.a.csv", "out/a\u202e.csv", "out/a\n.csv", "a.csv"],
)
def test_odd_member_names_are_refused(name: str) -> None:
    [file] = parse.parse(package((name, b"a\n1\n"))).files
    assert [finding.code for finding in file.findings] == ["odd-name"]


@pytest.mark.parametrize(
    "content", [b"", b"x" * 512, b"\xff" * 10_240, package(("out/a.csv", b"a\n1\n")).getvalue()[:700]]
)
def test_damaged_packages_are_answered(content: bytes) -> None:
    assert isinstance(parse.parse(io.BytesIO(content)), ParsedOutput)


def test_too_many_members_are_cut() -> None:
    parsed = parse.parse(package(*((f"out/{n}.csv", b"a\n1\n") for n in range(200))))
    assert len(parsed.files) <= 65
    assert parsed.files[-1].findings[0].code == "too-many"
    assert parsed.files[-1].findings[0].count == 200


def test_a_member_that_lies_about_its_size_is_not_read() -> None:
    info = tarfile.TarInfo("out/a.csv")
    info.size = 1 << 40
    parsed = parse.parse(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + b"a\n"))
    assert all(file.kind == "rejected" for file in parsed.files)


def test_executed_notebook_is_shown_to_checkers_as_text() -> None:
    notebook = {
        "cells": [
            {"source": ["a\n", "b"], "outputs": [{"output_type": "stream", "text": "7\n"}]},
            {"source": "1/0", "outputs": [{"output_type": "error", "traceback": ["ZeroDivisionError"]}]},
            {
                "source": "x",
                "outputs": [{"output_type": "display_data", "data": {"image/png": "AAAA", "text/html": "<b>"}}],
            },
        ]
    }
    [file] = parse.parse(package(("executed.ipynb", json.dumps(notebook).encode()))).files
    assert file.kind == "notebook"
    assert file.rows[:4] == (
        (0, "source", "a\nb"),
        (0, "output", "7\n"),
        (1, "source", "1/0"),
        (1, "error", "ZeroDivisionError"),
    )
    assert not any("AAAA" in str(row) or "<b>" in str(row) for row in file.rows)


def test_the_runners_own_refusals_become_findings() -> None:
    [file] = parse.parse(
        package(("refused.json", b'[{"code": "link", "count": 3}, {"code": "made-up", "count": 1}]'))
    ).files
    assert [(finding.code, finding.count) for finding in file.findings] == [("link", 3)]


def test_parsed_output_survives_the_wire() -> None:
    parsed = parse.parse(package(("out/a.csv", b"g,n\na,1\n"), ("out/b.pkl", b"x")))
    assert ParsedOutput.from_json(json.dumps(parsed.to_json())) == parsed


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(version=2),
        lambda d: d.update(files={}),
        lambda d: d["files"][0].update(kind="released"),
        lambda d: d["files"][0].update(extra=1),
        lambda d: d["files"][0].pop("sha256"),
        lambda d: d["files"][0].update(sha256="x"),
        lambda d: d["files"][0].update(bytes=-1),
        lambda d: d["files"][0].update(bytes=True),
        lambda d: d["files"][0]["rows"][0].append(1),
        lambda d: d["files"][0]["rows"][0].__setitem__(1, "one"),
        lambda d: d["files"][0]["rows"][0].__setitem__(1, True),
        lambda d: d["files"][0]["rows"][0].__setitem__(0, {"a": 1}),
        lambda d: d["files"][0]["columns"][0].update(type="code"),
        lambda d: d["files"][0].update(name="x" * 500),
    ],
)
def test_a_parser_that_was_taken_over_cannot_send_other_forms(change: object) -> None:
    document = json.loads(json.dumps(parse.parse(package(("out/a.csv", b"g,n\na,1\n"))).to_json()))
    change(document)
    with pytest.raises(BadContract):
        ParsedOutput.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"version": 1, "files": [NaN]}', "[" * 100_000, "9" * 10_000])
def test_answers_that_are_not_the_form_are_refused(text: str) -> None:
    with pytest.raises(BadContract):
        ParsedOutput.from_json(text)

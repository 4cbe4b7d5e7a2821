"""Turns a tar of outputs into typed tables, in a jail of its own: the files are hostile (PRIVACY.md 16).

    python -m sandbox.inside.parse /job/outputs.tar MAX_FILES MAX_BYTES  ->  JSON of ``ParsedOutput``

What cannot become a table is named and refused, never passed on: links, devices, odd names, pickles, SVG, HTML,
images, archives, nested or oversized data. A figure is a few words about a table (``visits.figure.json``); the service
draws it. Findings count; they never quote.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import hashlib
import io
import json
import math
import re
import sys
import tarfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO, Final

from sandbox.contracts import Cell, ColumnType, Finding, ParsedColumn, ParsedFile, ParsedOutput
from sandbox.inside.output import no_screen, open_output

MAX_MEMBERS: Final = 64
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 200
MAX_CELLS: Final = 400_000
MAX_TEXT: Final = 2_000
MAX_NAME: Final = 200
UNPACKED_BYTES: Final = 128 * 1024 * 1024
MAX_WORDS: Final = 200
MAX_Y: Final = 5
FIGURE: Final = ".figure.json"
FIGURE_MEMBERS: Final = ("table", "kind", "x", "y", "series", "title")
"""What a figure may say, in this order; ``y`` may name several columns, the others are one text each."""
NAME: Final = re.compile(r"out/([^\W_][\w.\- ]{0,99})")
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

REFUSED_KINDS: Final = {
    "pickle": (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".rds"),
    "svg": (".svg", ".svgz"),
    "html": (".html", ".htm", ".xhtml", ".xml"),
    "image": (".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".pdf", ".ps", ".eps"),
    "archive": (".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".tar", ".rar", ".xlsx", ".docx"),
    "program": (".py", ".ipynb", ".sh", ".so", ".exe", ".js", ".wasm"),
}
MAGIC: Final = {
    "pickle": (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x93NUMPY"),
    "archive": (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"),
    "image": (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF"),
    "program": (b"\x7fELF", b"#!"),
}
WORDS: Final = {
    "pickle": ("可执行的序列化文件不能出域。", "Serialized objects may not leave."),
    "svg": ("SVG 图形不能出域，请提交作图用的表。", "SVG may not leave; submit the table behind the figure."),
    "not-a-figure": (
        "图的说明只含 table、kind、x、y、series、title，都是短文字。",
        "A figure is described by table, kind, x, y, series and title, all short texts.",
    ),
    "html": ("HTML 或 XML 不能出域。", "HTML or XML may not leave."),
    "image": ("图片不能出域，请提交作图用的表。", "Images may not leave; submit the table behind the figure."),
    "archive": ("压缩包和工作簿不能出域，请用 CSV。", "Archives and workbooks may not leave; use CSV."),
    "program": ("程序和笔记本不能作为产出。", "Programs and notebooks are not outputs."),
    "unknown-type": ("只接受 csv、tsv、parquet、json、txt。", "Only csv, tsv, parquet, json and txt are accepted."),
    "not-readable": ("文件不能按其类型读取。", "The file cannot be read as its type."),
    "not-a-table": ("内容不是一张平的表。", "The content is not one flat table."),
    "too-many-rows": ("行数、列数或单元格过多。", "There are too many rows, columns or cells."),
    "long-text": ("有过长的文字。", "Some text is too long."),
    "odd-characters": ("有控制字符或不可见字符。", "There are control or invisible characters."),
    "not-finite": ("无穷大或非数值已视为空。", "Infinite or undefined numbers became empty."),
    "link": ("链接被拒绝。", "Links were refused."),
    "hard-link": ("硬链接被拒绝。", "Hard links were refused."),
    "folder": ("子文件夹被拒绝，产出直接放在 /out 下。", "Folders were refused; put outputs directly into /out."),
    "not-a-file": ("管道、套接字或设备被拒绝。", "Pipes, sockets or devices were refused."),
    "odd-name": ("文件名含不允许的字符。", "A file name has characters that are not allowed."),
    "unreadable": ("有文件不能读取。", "Some files could not be read."),
    "too-many": ("文件过多，全部未取出。", "There were too many files; none were taken."),
    "too-large": ("产出过大，全部未取出。", "The outputs were too large; none were taken."),
    "twice": ("同名文件出现两次。", "A name occurs twice."),
    "bad-tar": ("产出包损坏。", "The package of outputs is damaged."),
}
INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
)


class Rejected(Exception):
    """The file cannot become a table; carries the code of the reason."""

    def __init__(self, code: str, count: int = 0) -> None:
        super().__init__(code)
        self.finding = finding(code, count)


def main(arguments: list[str]) -> int:
    """Parse and answer. Exit code 0 whenever there is an answer."""
    with open_output() as output:
        no_screen()
        with open(arguments[0], "rb") as tar:
            parsed = parse(tar)
        output.write(json.dumps(parsed.to_json(), ensure_ascii=False, allow_nan=False).encode())
    return 0


def parse(tar: BinaryIO) -> ParsedOutput:
    """Every member as a table, a notebook or a refusal. Never raises for what the tar holds."""
    files: dict[str, ParsedFile] = {}
    package: list[Finding] = []
    unpacked = 0
    try:
        with tarfile.open(fileobj=tar, mode="r:") as archive:
            for number, member in enumerate(archive):
                unpacked += member.size
                if number >= MAX_MEMBERS or unpacked > UNPACKED_BYTES:
                    package.append(finding("too-many" if number >= MAX_MEMBERS else "too-large", 1))
                    break
                if member.issym() or member.islnk():
                    package.append(finding("link" if member.issym() else "hard-link", 1))
                elif not member.isreg() or member.sparse is not None:
                    package.append(finding("not-a-file", 1))
                else:
                    read = archive.extractfile(member)
                    _take(member.name, read.read() if read is not None else b"", files, package)
    except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError, MemoryError, UnicodeError):
        package.append(finding("bad-tar"))
    whole = (
        [ParsedFile("/out", "rejected", 0, hashlib.sha256().hexdigest(), findings=tuple(package))] if package else []
    )
    return ParsedOutput((*files.values(), *whole))


def _take(name: str, content: bytes, files: dict[str, ParsedFile], package: list[Finding]) -> None:
    if name == "refused.json":
        package += _refusals(content)
    elif name == "executed.ipynb":
        files[name] = _notebook(content)
    else:
        match = NAME.fullmatch(name)
        if match is None:
            package.append(finding("odd-name", 1))
        elif match[1] in files:
            package.append(finding("twice", 1))
        else:
            files[match[1]] = parse_file(match[1], content)


def parse_file(name: str, content: bytes) -> ParsedFile:
    """One output. A parser that fails in any way means a refusal."""
    digest = hashlib.sha256(content).hexdigest()
    try:
        if name.lower().endswith(FIGURE):
            words = _figure(content)
            return ParsedFile(name, "figure", len(content), digest, _FIGURE_COLUMNS, words)
        columns, rows, findings = _reader(name, content)(content)
        checked = _checked(columns, rows)
    except Rejected as rejected:
        return ParsedFile(name, "rejected", len(content), digest, findings=(rejected.finding,))
    except Exception:  # noqa: BLE001 - third-party parsers on hostile bytes: whatever happens, the file stays here
        return ParsedFile(name, "rejected", len(content), digest, findings=(finding("not-readable"),))
    return ParsedFile(name, "table", len(content), digest, tuple(columns), checked, tuple(findings))


def finding(code: str, count: int = 0) -> Finding:
    """The finding of that code in both languages."""
    zh, en = WORDS[code]
    return Finding(code, zh, en, count)


_FIGURE_COLUMNS: Final = (ParsedColumn("member", "string"), ParsedColumn("value", "string"))
Table = tuple[list[ParsedColumn], list[tuple[Cell, ...]], list[Finding]]


def _reader(name: str, content: bytes) -> Callable[[bytes], Table]:
    suffix = "." + name.rpartition(".")[2].lower() if "." in name else ""
    for code, suffixes in REFUSED_KINDS.items():
        if suffix in suffixes:
            raise Rejected(code)
    for code, starts in MAGIC.items():
        if content.startswith(starts):
            raise Rejected(code)
    readers: dict[str, Callable[[bytes], Table]] = {
        ".csv": _csv,
        ".tsv": _tsv,
        ".parquet": _parquet,
        ".json": _json,
        ".txt": _txt,
    }
    if suffix not in readers:
        raise Rejected("unknown-type")
    if suffix != ".parquet":
        head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if head.startswith((b"<svg", b"<!doctype", b"<html", b"<?xml", b"<script")):
            raise Rejected("svg" if b"<svg" in head else "html")
    return readers[suffix]


def _checked(columns: Sequence[ParsedColumn], rows: Sequence[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    if len(rows) > MAX_ROWS or len(columns) > MAX_COLUMNS or len(rows) * len(columns) > MAX_CELLS or not columns:
        raise Rejected("too-many-rows" if columns else "not-a-table")
    names = [column.name for column in columns]
    if len(set(names)) != len(names) or any(not name or len(name) > MAX_NAME for name in names):
        raise Rejected("not-a-table")
    texts = [cell for row in rows for cell in row if isinstance(cell, str)]
    long = sum(len(text) > MAX_TEXT for text in texts)
    if long:
        raise Rejected("long-text", long)
    odd = sum(INVISIBLE.search(text) is not None for text in (*texts, *names))
    if odd:
        raise Rejected("odd-characters", odd)
    return tuple(rows)


def _text(content: bytes) -> str:
    if b"\0" in content:
        raise Rejected("not-readable")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Rejected("not-readable")


def _csv(content: bytes, delimiter: str = ",") -> Table:
    csv.field_size_limit(MAX_TEXT * 4)
    reader = csv.reader(io.StringIO(_text(content), newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        rows: list[list[str]] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise Rejected("not-a-table")
            rows.append(row)
            if len(rows) > MAX_ROWS or len(rows) * len(header) > MAX_CELLS:
                raise Rejected("too-many-rows")
    except csv.Error as error:
        raise Rejected("long-text" if "limit" in str(error) else "not-readable", 1) from error
    return _typed(header, rows)


def _tsv(content: bytes) -> Table:
    return _csv(content, "\t")


def _typed(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Columns of text become integers, numbers or dates when every value is one; an empty text is null."""
    columns, cells, infinite = [], [], 0
    for position, name in enumerate(header):
        values = [row[position] for row in rows]
        kind, converted = _typed_column(values)
        if kind == "number":
            infinite += sum(value != "" and cell is None for value, cell in zip(values, converted, strict=True))
        columns.append(ParsedColumn(name, kind))
        cells.append(converted)
    found = [finding("not-finite", infinite)] if infinite else []
    return columns, list(zip(*cells, strict=True)) if rows else [], found


def _typed_column(values: Sequence[str]) -> tuple[ColumnType, list[Cell]]:
    full = [value for value in values if value != ""]
    undefined = {"nan", "inf", "-inf", "NaN", "Infinity", "-Infinity"}
    if full and all(INTEGER.fullmatch(value) for value in full):
        return "integer", [int(value) if value else None for value in values]
    if full and all(NUMBER.fullmatch(value) or value in undefined for value in full) and not set(full) <= undefined:
        return "number", [_finite(float(value)) if value else None for value in values]
    if full and all(DATE.fullmatch(value) and _is_date(value) for value in full):
        return "date", [value or None for value in values]
    return "string", [value or None for value in values]


def _parquet(content: bytes) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(content), thrift_string_size_limit=1 << 24, thrift_container_size_limit=1 << 20)
    about = file.metadata
    unpacked = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    if about.num_rows > MAX_ROWS or about.num_columns > MAX_COLUMNS or unpacked > UNPACKED_BYTES:
        raise Rejected("too-many-rows")
    if about.num_rows * about.num_columns > MAX_CELLS:
        raise Rejected("too-many-rows")
    table = file.read()
    columns, cells, infinite = [], [], 0
    for field, column in zip(table.schema, table.columns, strict=True):
        kind = _arrow_kind(pa, field.type)
        converted, lost = _plain(kind, column.to_pylist())
        infinite += lost
        columns.append(ParsedColumn(field.name, kind))
        cells.append(converted)
    found = [finding("not-finite", infinite)] if infinite else []
    return columns, list(zip(*cells, strict=True)) if table.num_rows else [], found


def _arrow_kind(pa: Any, given: Any) -> ColumnType:
    kinds = pa.types
    if kinds.is_dictionary(given):
        given = given.value_type
    if kinds.is_boolean(given):
        return "boolean"
    if kinds.is_integer(given):
        return "integer"
    if kinds.is_floating(given) or kinds.is_decimal(given):
        return "number"
    if kinds.is_date(given):
        return "date"
    if (
        kinds.is_string(given)
        or kinds.is_large_string(given)
        or kinds.is_timestamp(given)
        or kinds.is_string_view(given)
    ):
        return "string"
    raise Rejected("not-a-table")


def _json(content: bytes) -> Table:
    try:
        document = json.loads(_text(content))
    except (ValueError, RecursionError) as error:
        raise Rejected("not-readable") from error
    if isinstance(document, dict) and all(not isinstance(value, dict | list) for value in document.values()):
        document = [{"name": name, "value": value} for name, value in document.items()]
    if not isinstance(document, list) or not document or not all(isinstance(row, dict) for row in document):
        raise Rejected("not-a-table")
    header = list(document[0])
    if len(document) > MAX_ROWS or len(header) > MAX_COLUMNS or len(document) * len(header) > MAX_CELLS:
        raise Rejected("too-many-rows")
    if any(set(row) != set(header) for row in document):
        raise Rejected("not-a-table")
    columns, cells, infinite = [], [], 0
    for name in header:
        values = [row[name] for row in document]
        kind = _json_kind(values)
        if kind == "string":
            values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
        converted, lost = _plain(kind, values)
        infinite += lost
        columns.append(ParsedColumn(name, kind))
        cells.append(converted)
    found = [finding("not-finite", infinite)] if infinite else []
    return columns, list(zip(*cells, strict=True)), found


def _json_kind(values: Iterable[object]) -> ColumnType:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {dict, list}:
        raise Rejected("not-a-table")
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "integer"
    if kinds and kinds <= {int, float}:
        return "number"
    return "string"


def _figure(content: bytes) -> tuple[tuple[Cell, ...], ...]:
    """Members and texts of a figure, in one order; whether it can be drawn is for the checks to say."""
    try:
        document = json.loads(_text(content))
    except (ValueError, RecursionError) as error:
        raise Rejected("not-a-figure") from error
    if not isinstance(document, dict) or not {"table", "kind", "x", "y"} <= set(document) <= set(FIGURE_MEMBERS):
        raise Rejected("not-a-figure")
    words: list[tuple[Cell, ...]] = []
    for member in FIGURE_MEMBERS:
        given = document.get(member)
        texts = given if member == "y" and isinstance(given, list) else [given] if given not in (None, "") else []
        if any(not isinstance(text, str) or not 0 < len(text) <= MAX_WORDS for text in texts) or len(texts) > MAX_Y:
            raise Rejected("not-a-figure")
        words += [(member, text) for text in texts]
    odd = sum(INVISIBLE.search(str(text)) is not None for _, text in words)
    if odd:
        raise Rejected("odd-characters", odd)
    if not {"table", "kind", "x", "y"} <= {member for member, _ in words}:
        raise Rejected("not-a-figure")
    return tuple(words)


def _txt(content: bytes) -> Table:
    lines = [line for line in _text(content).splitlines() if line.strip()]
    if len(lines) > MAX_ROWS:
        raise Rejected("too-many-rows")
    return [ParsedColumn("text", "string")], [(line,) for line in lines], []


def _plain(kind: ColumnType, values: Sequence[Any]) -> tuple[list[Cell], int]:
    """Python values that JSON knows, and how many numbers were not finite."""
    cells: list[Cell] = []
    lost = 0
    for value in values:
        if value is None:
            cells.append(None)
        elif kind == "number":
            number = _finite(float(value))
            lost += number is None
            cells.append(number)
        elif kind == "date" or isinstance(value, dt.date | decimal.Decimal):
            cells.append(value.isoformat() if isinstance(value, dt.date) else str(value))
        elif kind == "string":
            cells.append(str(value))
        else:
            cells.append(value)
    return cells, lost


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _is_date(value: str) -> bool:
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _refusals(content: bytes) -> list[Finding]:
    """What the runner left out. Its list is as hostile as the rest: only known codes count."""
    try:
        told = json.loads(content)
        counts = {entry["code"]: int(entry["count"]) for entry in told}
    except (ValueError, TypeError, KeyError, RecursionError):
        return [finding("bad-tar")]
    return [finding(code, min(max(count, 0), 10**6)) for code, count in sorted(counts.items()) if code in WORDS]


def _notebook(content: bytes) -> ParsedFile:
    """Sources and printed text, cell by cell, for checkers; pictures and markup are left out."""
    digest = hashlib.sha256(content).hexdigest()
    columns = (ParsedColumn("cell", "integer"), ParsedColumn("part", "string"), ParsedColumn("text", "string"))
    rows: list[tuple[Cell, ...]] = []
    try:
        for number, cell in enumerate(json.loads(content)["cells"][:1000]):
            rows += [(number, "source", text) for text in _pieces(cell.get("source", ""))]
            for shown in cell.get("outputs", [])[:50]:
                text = shown.get("text") or shown.get("data", {}).get("text/plain") or shown.get("traceback") or ""
                part = "error" if shown.get("output_type") == "error" else "output"
                rows += [(number, part, piece) for piece in _pieces(text)]
    except Exception:  # noqa: BLE001 - as in parse_file
        return ParsedFile("executed.ipynb", "rejected", len(content), digest, findings=(finding("not-readable"),))
    return ParsedFile("executed.ipynb", "notebook", len(content), digest, columns, tuple(rows))


def _pieces(text: object) -> list[str]:
    joined = "".join(str(line) for line in text) if isinstance(text, list) else str(text)
    clean = INVISIBLE.sub("\ufffd", joined)[: 20 * MAX_TEXT]
    return [clean[start : start + MAX_TEXT] for start in range(0, len(clean), MAX_TEXT)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

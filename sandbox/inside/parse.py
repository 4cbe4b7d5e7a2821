"""Turns a tar of outputs into typed tables, in a jail of its own: the files are hostile (PRIVACY.md 16).

    python -m sandbox.inside.parse /job/outputs.tar MAX_FILES MAX_BYTES  ->  JSON of ``ParsedOutput``

What cannot become a table is named and refused, never passed on: links, devices, odd names, pickles, SVG, HTML,
images, archives, nested or oversized data. A figure is a few words about a table (``visits.figure.json``); the service
draws it. Findings count; they never quote.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tarfile
from collections.abc import Sequence
from typing import BinaryIO, Final

from sandbox.contracts import Cell, Finding, ParsedColumn, ParsedFile, ParsedOutput
from sandbox.inside.figure_words import FIGURE, FIGURE_COLUMNS, figure_words
from sandbox.inside.output import ERROR_FILE, no_screen, open_output
from sandbox.inside.readers import (
    INVISIBLE,
    MAX_TEXT,
    UNPACKED_BYTES,
    check_size,
    reader_of,
)
from sandbox.inside.refusals import WORDS, Rejected, finding

MAX_MEMBERS: Final = 64
MAX_NAME: Final = 200
NAME: Final = re.compile(r"out/([^\W_][\w.\- ]{0,99})")


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
    unpacked = members = 0
    try:
        with tarfile.open(fileobj=tar, mode="r:") as archive:
            for member in archive:
                members += 1
                if members > MAX_MEMBERS:
                    continue
                unpacked += member.size
                if unpacked > UNPACKED_BYTES:
                    package.append(finding("too-large", 1))
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
    if members > MAX_MEMBERS:
        package.append(finding("too-many", members))
    whole = (
        [ParsedFile("/out", "rejected", 0, hashlib.sha256().hexdigest(), findings=tuple(package))] if package else []
    )
    return ParsedOutput((*files.values(), *whole))


def _take(name: str, content: bytes, files: dict[str, ParsedFile], package: list[Finding]) -> None:
    if name == "refused.json":
        package += _refusals(content)
    elif name == ERROR_FILE:
        return  # of a dry run, for its author (`sandbox.workspaces.runs.error_of`); it is no output
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
            words = figure_words(content)
            return ParsedFile(name, "figure", len(content), digest, FIGURE_COLUMNS, words)
        columns, rows, findings = reader_of(name, content)(content)
        checked = _checked(columns, rows)
    except Rejected as rejected:
        return ParsedFile(name, "rejected", len(content), digest, findings=(rejected.finding,))
    except Exception:  # noqa: BLE001 - third-party parsers on hostile bytes: whatever happens, the file stays here
        return ParsedFile(name, "rejected", len(content), digest, findings=(finding("not-readable"),))
    return ParsedFile(name, "table", len(content), digest, tuple(columns), checked, tuple(findings))


def _checked(columns: Sequence[ParsedColumn], rows: Sequence[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    if not columns:
        raise Rejected("not-a-table")
    check_size(len(rows), len(columns))
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

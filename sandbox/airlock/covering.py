"""Which files of a sealed output checkers see covered, and what is left of them to see.

Source: PRIVACY.md 21: of raw rows a checker sees at most 20, covered until clicked. Every rule that blocks covers the
files it is about, unless it is listed here as one that says nothing of single records: a new rule covers until somebody
decides otherwise. What can be approved is thus never covered, and a checker can read all of it.

Pure: a package in, JSON values out. Nothing that leaves here uncovered was found to come from single records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sandbox.airlock.checks import RULES
from sandbox.airlock.package import Package, PackageFile
from sandbox.airlock.typed import Shape, canonical_rows

ROWS: Final = 20
COLUMNS: Final = 20
CHARACTERS: Final = 80
"""At most so many of each are shown of a covered file: a table on its side, or packed into cells, has few rows."""
COVER: Final = "●●●●●●"
SHOWN_WHOLE: Final = frozenset(
    {
        "no_output",
        "too_many_files",
        "no_counts",
        "small_count",
        "bad_count",
        "unrounded_count",
        "suppressed_by_total",
        "small_share",
        "share_without_count",
        "saturated_model",
        "differencing_values",
        "join_small_group",
        "figure_kind",
        "figure_table",
        "figure_column",
        "figure_marks",
        "run_not_ok",
    }
)
"""Blocking rules about aggregates: sizes of groups, forms, sums. Their tables were compared with the raw records."""

Findings = Iterable[Mapping[str, Any]]


def covers(finding: Mapping[str, Any]) -> bool:
    """Whether the file of a finding may hold single records' values. A rule nobody knows covers."""
    rule = str(finding["rule"])
    if rule not in RULES:
        return True
    return bool(finding["blocking"] or RULES[rule].blocking) and rule not in SHOWN_WHOLE


def covered_files(package: Package) -> frozenset[str]:
    """Names of the files that are covered: those of covering findings, all of them where such a finding names none,
    and drawings of covered tables.
    """
    names = frozenset(file.name for file in package.files)
    found: set[str] = set()
    for finding in filter(covers, package.findings):
        file = str(finding["file"] or "")
        if file in names:
            found.add(file)
        elif not file or finding["rule"] not in RULES:
            found |= names  # about the whole output, or nobody knows about what
    drawn = {file.name for file in package.files if file.figure is not None and file.figure.get("table") in found}
    return frozenset(found | drawn)


def shown_files(package: Package, shape: Shape) -> list[dict[str, Any]]:
    """Every file as a checker sees it: whole, or covered. ``shape``: names of the dry run, which no data can make."""
    covered = covered_files(package)
    return [_covered(file, shape) if file.name in covered else _whole(file) for file in package.files]


def shown_findings(package: Package, shape: Shape) -> list[dict[str, Any]]:
    """The findings, without names of files and columns that may come from data."""
    covered = covered_files(package)
    files = {file.name for file in package.files} | set(shape.files) | set(shape.figures)
    strange = {
        name
        for file in package.tables
        if file.name in covered
        for name in canonical_rows(file.content)[0]
        if name and name not in shape.column_names
    }
    return [_words(finding, files, strange) for finding in package.findings]


def uncovered(file: PackageFile) -> dict[str, Any]:
    """The first rows of a covered table as they are: always the same ones, so that asking again shows nothing new."""
    header, rows = canonical_rows(file.content)
    return {
        "name": file.name,
        "columns": [_cut(name) for name in header[:COLUMNS]],
        "rows": [[_cut(cell) for cell in row[:COLUMNS]] for row in rows[:ROWS]],
        "row_count": len(rows),
        "column_count": len(header),
    }


def _whole(file: PackageFile) -> dict[str, Any]:
    shown: dict[str, Any] = {**file.entry(), "covered": False}
    if file.figure is not None:
        return shown | {"svg": file.content.decode()}
    header, rows = canonical_rows(file.content)
    return shown | {"columns": header, "rows": rows, "row_count": len(rows), "column_count": len(header)}


def _covered(file: PackageFile, shape: Shape) -> dict[str, Any]:
    shown: dict[str, Any] = {**file.entry(), "covered": True}
    if file.figure is not None:  # its words may be data too
        return shown | {"figure": {name: file.figure[name] for name in ("kind", "table") if name in file.figure}}
    header, rows = canonical_rows(file.content)
    names = [name if name in shape.column_names else COVER for name in header[:COLUMNS]]
    return shown | {
        "columns": names,
        "rows": [[COVER] * len(names) for _ in rows[:ROWS]],
        "row_count": len(rows),
        "column_count": len(header),
    }


def _words(finding: Mapping[str, Any], files: set[str], strange: set[str]) -> dict[str, Any]:
    said = dict(finding)
    if said["file"] and said["file"] not in files:
        said["file"] = COVER
    column = str(said["column"] or "")
    if any(name in column for name in strange):
        said["column"] = COVER
        for key in ("zh", "en"):
            said[key] = str(said[key]).replace(column, COVER)
        for key in ("message", "advice"):
            said[key] = {language: str(text).replace(column, COVER) for language, text in said[key].items()}
    return said


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}…"


def table_named(files: Sequence[PackageFile], name: str) -> PackageFile | None:
    """The table of that name; a drawing is not one."""
    return next((file for file in files if file.name == name and file.figure is None), None)

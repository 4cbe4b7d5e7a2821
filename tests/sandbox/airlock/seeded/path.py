"""The way of a sealed output in one process: the jail's parser, typed tables, the shape of the dry run, the checks."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from sandbox.airlock.checks import CheckInput, Finding, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.figures.files import figure_files
from sandbox.airlock.figures.spec import Figure, figures_of
from sandbox.airlock.limits import default_limits
from sandbox.airlock.package import PackageFile
from sandbox.airlock.typed import TypedTable, canonical_csv, shape_of, typed_tables
from sandbox.contracts import ParsedOutput
from sandbox.inside.parse import parse
from tests.sandbox.airlock.seeded.tables import CODE_LISTS, DIRECT, Tables

Files = Mapping[str, bytes]
Program = Callable[[Tables], Files]
NOTICES = frozenset(
    {"low_order_digits", "zero_count", "missing_count", "undefined_number", "quantile", "dominance_unchecked"}
)
"""Findings that say how a table is written, or what was not checked, and accuse nobody: they neither find a defect nor
are a false alarm."""


@dataclass(frozen=True)
class Outcome:
    """What the checks said: blocking rules, other findings that name a defect, and the bytes that would leave."""

    blocking: frozenset[str]
    found: frozenset[str]
    released: bytes
    names: tuple[str, ...]

    @property
    def silent(self) -> bool:
        return not self.blocking and not self.found


def package(files: Files) -> bytes:
    """The tar of a job's outputs."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name if name.startswith("out/") else f"out/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def raw_tables(tables: Tables) -> list[RawTable]:
    """The tables as the checks stream them, with the numbers of distinct values from their profile."""
    return [
        RawTable(name, lambda frame=frame: _Reader(frame), {c: frame[c].n_unique() for c in frame.columns})
        for name, frame in tables.items().items()
    ]


def examine(
    program: Program,
    raw: Tables,
    practice: Tables,
    *,
    strict: bool,
    constants: frozenset[str],
    direct: frozenset[str] = DIRECT,
    codes: frozenset[str] = CODE_LISTS,
) -> Outcome:
    """Run the program on practice and raw data and check what it wrote on raw data.

    ``constants``: strings that stand in the program's code; the airlock takes them from its text. ``direct`` and
    ``codes``: names of direct identifiers and labels of code lists, of the policy.
    """
    limits = default_limits().tightened([], registered_only=strict)
    attributes = frozenset(c for frame in raw.items().values() for c in frame.columns)
    dry = parsed(program(practice))
    shape = shape_of(
        typed_tables(dry, attributes=attributes, shape=None),
        max_labels=limits.max_labels,
        figures={figure.original_name: figure.words for figure in figures_of(dry, shape=None)},
    )
    output = parsed(program(raw))
    tables = typed_tables(output, attributes=attributes, shape=shape)
    figures = figures_of(output, shape=shape)
    given = CheckInput(
        output,
        tables,
        limits,
        shape=shape,
        direct=direct,
        known=codes | constants,
        raws=raw_tables(raw),
        figures=figures,
    )
    findings = run_checks(given)
    return Outcome(
        _rules(findings, blocking=True),
        _rules(findings, blocking=False) - NOTICES,
        _released(tables, figures),
        tuple(each.name for each in (*tables, *figures)),
    )


def csv(frame: pl.DataFrame) -> bytes:
    """As ``DataFrame.to_csv`` writes it."""
    return frame.write_csv().encode()


def parsed(files: Files) -> ParsedOutput:
    """What the jail's parser makes of the files, through JSON as its answer travels."""
    return ParsedOutput.from_json(json.dumps(parse(io.BytesIO(package(files))).to_json(), ensure_ascii=False))


def _rules(findings: list[Finding], *, blocking: bool) -> frozenset[str]:
    return frozenset(f.rule for f in findings if f.blocking == blocking)


def _released(tables: list[TypedTable], figures: list[Figure]) -> bytes:
    limits = default_limits()
    files = [
        PackageFile(table.name, str(table.kind), canonical_csv(table, digits=limits.significant_digits))
        for table in tables
    ]
    return b"\n".join(file.content for file in [*files, *figure_files(figures, tables, files, limits)])


class _Reader:
    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __enter__(self):
        return self.frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_reader(max_chunksize=5_000)

    def __exit__(self, *_: object) -> None:
        return None

"""All checks over one job's output, in one order. Pure but for the raw tables it is given to stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.airlock.checks.beside import check_absent, check_beside
from sandbox.airlock.checks.counts import check_counts, check_model, check_shares, check_statistics
from sandbox.airlock.checks.figures import check_figures
from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.joins import check_joins
from sandbox.airlock.checks.labels import check_identifiers, check_labels, check_numbering
from sandbox.airlock.checks.raw import RawTable, match_raw
from sandbox.airlock.checks.shape import (
    check_digits,
    check_files,
    check_groups,
    check_kind,
    check_names,
    check_size,
)
from sandbox.airlock.checks.totals import check_nested_counts, check_totals
from sandbox.airlock.figures.spec import Figure
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.typed import Shape, TypedTable
from sandbox.contracts import ParsedOutput
from sandbox.inside.readers import MAX_TEXT
from sandbox.workspaces.imports import JoinCounts


@dataclass(frozen=True, slots=True)
class CheckInput:
    """One output and what its checks may know.

    ``shape`` is the dry run's shape (None while checking practice output). ``direct`` are names of direct
    identifiers in lower case, ``known`` the labels of code lists and code. ``raws`` is empty for practice output.
    """

    output: ParsedOutput
    tables: Sequence[TypedTable]
    limits: AirlockLimits
    shape: Shape | None = None
    direct: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    raws: Sequence[RawTable] = field(default=())
    figures: Sequence[Figure] = field(default=())
    joins: Sequence[JoinCounts] = field(default=())


def run_checks(given: CheckInput) -> list[Finding]:
    """Every finding, blocking ones first, then by file and column."""
    limits = given.limits
    findings = list(check_files(given.output, given.tables, limits))
    readable = []
    for table in given.tables:
        sized = list(check_size(table, limits))
        findings += sized
        if not any(f.rule in {"too_many_rows", "too_many_columns"} for f in sized):
            readable.append(table)
    explained = given.known.union(
        *([labels for columns in given.shape.files.values() for labels in columns.values()] if given.shape else [])
    )
    matched = match_raw(readable, given.raws, limits, known=explained, direct=given.direct)
    findings += matched.findings
    findings += check_joins(readable, given.joins, limits)
    findings += check_figures(given.figures, given.tables, limits, shape=given.shape)
    findings += check_nested_counts(readable, limits)
    findings += check_absent(given.tables, given.figures, given.shape)
    for table in readable:
        findings += check_kind(table, limits)
        findings += check_names(table, given.shape, direct=given.direct)
        findings += check_counts(table, limits)
        findings += check_totals(table, limits)
        findings += check_shares(table, limits)
        findings += check_statistics(table, limits)
        findings += check_model(table, limits)
        findings += check_digits(table, limits)
        findings += check_groups(table)
        of_raw = matched.placed.get(table.name, frozenset()) if given.raws else table.named
        findings += check_beside(table, limits, shape=given.shape, of_raw=of_raw)
        findings += check_identifiers(table)
        findings += check_numbering(table, frequent=matched.frequent)
        findings += check_labels(table, limits, shape=given.shape, known=given.known, frequent=matched.frequent)
    return sorted(dict.fromkeys(findings), key=lambda f: (not f.blocking, f.file, f.column, f.rule))


def explain(findings: Sequence[Finding], limits: AirlockLimits) -> list[dict[str, Any]]:
    """Findings in words, with the limits they refer to."""
    values = {
        "threshold": limits.threshold,
        "rounding": limits.rounding,
        "digits": limits.significant_digits,
        "max_files": limits.max_files,
        "max_bytes": limits.max_bytes,
        "max_rows": limits.max_rows,
        "max_columns": limits.max_columns,
        "max_cells": limits.max_cells,
        "quantile_tail": limits.quantile_tail,
        "max_figure_marks": limits.max_figure_marks,
        "max_compressed": limits.max_compressed,
        "max_strange_text": limits.max_strange_text,
        "dominance_percent": limits.dominance_percent,
        "max_text": limits.max_text,
        "max_read_text": MAX_TEXT,
        "max_model_terms": limits.max_model_terms,
        "max_labels": limits.max_labels,
        "degrees_of_freedom": limits.degrees_of_freedom,
    }
    return [finding.to_json(values) for finding in findings]

"""Thresholds on matched and unmatched persons, for outputs of runs that met the members' own imports.

Source: PRIVACY.md 22. Who brings a table with persons learns from a table of the join who is in the data: nine
strangers and one neighbour with "n = 10" say it of the neighbour, and so does "everybody but a few". For the checkers'
eyes only, like every finding on sealed output. Pure: counts and tables in, findings out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.typed import TypedTable
from sandbox.workspaces.imports import JoinCounts


def check_joins(tables: Sequence[TypedTable], joins: Sequence[JoinCounts], limits: AirlockLimits) -> list[Finding]:
    """Findings about the run as a whole, and about each output column that holds an import's groups."""
    if not tables:
        return []
    return [*_whole(joins, limits.threshold), *_groups(tables, joins, limits.threshold)]


def _whole(joins: Sequence[JoinCounts], threshold: int) -> Iterator[Finding]:
    for join in joins:
        place = f"{join.name} × {join.dataset}"
        if join.matched and _few((join.matched, join.import_only, join.dataset_only), threshold):
            yield Finding("join_few_persons", column=place)
        elif not join.matched or not join.import_only:
            yield Finding("join_all_or_nobody", column=place)


def _groups(tables: Sequence[TypedTable], joins: Sequence[JoinCounts], threshold: int) -> Iterator[Finding]:
    """A column is one of the import when it has its name, or when all its labels are labels of one of its columns."""
    for table in tables:
        for place, column in enumerate(table.columns):
            labels = {str(row[place]) for row in table.rows if row[place] is not None}
            small = set()
            for join in joins:
                for name, groups in join.groups.items():
                    if name.casefold() == column.name.casefold() or (len(labels) > 1 and labels <= groups.keys()):
                        small |= {label for label in labels & groups.keys() if _few(groups[label], threshold)}
            if small:
                yield Finding("join_small_group", table.original_name, column.name, len(small))


def _few(counts: tuple[int, ...], threshold: int) -> bool:
    return any(0 < count < threshold for count in counts)

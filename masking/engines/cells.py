"""What the report says of a protected table with margins: its cells as classes of persons, and the audit in figures.

Rules: a class is a cell at the finest level that is published, for margins hold the same persons again; ``k`` is the
smallest of all cells that are shown. Where rounding or noise shows small cells inexactly, k is 1: a cell may stand for
one person, however uncertain its figure is.
Pure: figures of cells in, figures out, never a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from masking.disclosure import DisclosureReport
from masking.disclosure.margins import Bools, dimension
from masking.disclosure.protection import COMPLEMENTARY, PRIMARY
from masking.policy.model import Aggregate
from masking.report import AuditReport, RiskFigures

HIDDEN: Final = (PRIMARY, COMPLEMENTARY)


def cell_figures(
    rules: Aggregate, dimensions: Mapping[str, Mapping[str, Any] | None], found: DisclosureReport
) -> RiskFigures:
    """The shown cells as classes. Where no finest cell is shown, the margins are the classes."""
    cells = _frame(found)
    shown = ~cells["status"].is_in(HIDDEN).to_numpy() & (cells["persons"] > 0).to_numpy()
    finest = shown & _finest(rules, dimensions, cells)
    persons = cells["persons"].to_numpy()
    sizes = persons[finest] if finest.any() else persons[shown]
    smallest = int(persons[shown].min(initial=np.iinfo(np.int64).max)) if shown.any() else 0
    k = smallest if rules.hides_small else min(smallest, 1)
    average = len(sizes) / int(sizes.sum()) if len(sizes) else 0.0
    return RiskFigures(
        persons=min(int(sizes.sum()), found.persons),
        classes=len(sizes),
        k=k,
        unique_persons=int((sizes == 1).sum()),
        prosecutor_max=1 / k if k else 0.0,
        prosecutor_average=min(average, 1 / k) if k else 0.0,
    )


def audit_report(rules: Aggregate, found: DisclosureReport) -> AuditReport:
    """The internal figures of the audit."""
    parameters = {name: _plain(value) for name, value in rules.rules.items() if name != "record"}
    return AuditReport(
        parameters=parameters,
        cells=found.cells,
        empty=found.empty,
        primary=found.primary,
        complementary=found.complementary,
        persons=found.persons,
        optimal=found.optimal,
        furthest=found.furthest,
        asked=found.audit.asked,
        by_witness=found.audit.by_witness,
        by_program=found.audit.by_program,
        narrowest=dict(_narrowest(rules, found)),
    )


def _narrowest(rules: Aggregate, found: DisclosureReport) -> Iterable[tuple[str, float]]:
    """Over the primary cells. A bound that is missing was not computed; an interval without an end has no share."""
    cells = _frame(found).filter(pl.col("status") == PRIMARY)
    for name in rules.measures:
        if f"low:{name}" not in cells.columns or not cells.height:
            continue
        low, high = (cells[f"{side}:{name}"].to_numpy().astype(np.float64) for side in ("low", "high"))
        end = np.maximum(np.abs(low), np.abs(high))
        closed = np.isfinite(end) & (end > 0)
        if closed.any():
            yield name, float(f"{((high - low)[closed] / end[closed]).min():.2g}")


def _finest(rules: Aggregate, dimensions: Mapping[str, Mapping[str, Any] | None], cells: pl.DataFrame) -> Bools:
    """Cells below which nothing is published: categories themselves in the dimensions of a published table."""
    assert rules.protect is not None
    total = rules.protect.total
    inner, outer = {}, {}
    for name in rules.by:
        column = cells[name]
        groups = _groups(name, dimensions[name], total)
        outer[name] = column.eq_missing(total).to_numpy()
        inner[name] = ~outer[name] & ~column.is_in(groups).fill_null(value=False).to_numpy()
    made = np.zeros(cells.height, dtype=bool)
    for table in rules.protect.tables or (rules.by,):
        made |= np.logical_and.reduce([inner[name] if name in table else outer[name] for name in rules.by])
    return made


def _groups(name: str, spec: Mapping[str, Any] | None, total: str) -> list[str]:
    """Labels of the groups between categories and the total."""
    if spec is None or "hierarchy" not in spec:
        return []
    tree, _ = dimension(name, pl.Series(name, [], dtype=pl.String), spec, total=total)
    return [label for label in tree.labels[tree.leaves : -1] if label is not None]


def _frame(found: DisclosureReport) -> pl.DataFrame:
    made = pl.from_arrow(found.statuses)
    assert isinstance(made, pl.DataFrame)
    return made


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value

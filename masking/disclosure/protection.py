"""Disclosure control for a table of counts and sums with margins: from records to what may leave, or a refusal.

Rule: tabulate, find the cells that may not be shown, protect them by one method, then let the audit try to recompute
them; nothing is returned that the audit did not pass. In the released table a hidden figure is null, whether it was
primary or complementary; which it was, how many persons stand behind it and what an attacker can find out about it is
in the internal report only.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4 and 5; GB/T 37964-2019 (统计: 聚合).
Pure: the table, keys and randomness come in, a table and a report go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from masking.disclosure.audit import Audit, audit, intervals, narrow
from masking.disclosure.cell_key import cell_uniforms, record_keys
from masking.disclosure.complementary import Pattern, Problem, hide
from masking.disclosure.contributions import Contributions, Figure, Floats, contributions
from masking.disclosure.margins import Bools, Ints, Margins
from masking.disclosure.optimum import cheapest
from masking.disclosure.perturbation import perturbation_table
from masking.disclosure.rounding import controlled_rounding, random_rounding
from masking.disclosure.rules import Rules, read_rules
from masking.disclosure.sensitivity import Need, need, primary
from masking.errors import InvalidParameter, LimitsNotMet
from masking.keys import Keys, as_keys
from masking.measures.classes import as_frame

EXACT: Final = 200
"""Hidden cells of a figure up to which the report holds the exact interval of each."""
SHOWN, PRIMARY, COMPLEMENTARY, CHANGED = "shown", "primary", "complementary", "changed"


@dataclass(frozen=True, slots=True)
class DisclosureReport:
    """Internal: for the data officer and the checkers, never public.

    ``statuses``: one row a published cell: the dimensions, ``persons``, ``status`` and, for suppression, the bounds an
    attacker finds for each figure (``low:name``, ``high:name``; null where not computed). ``optimal``: no cheaper
    pattern protects. ``furthest``: how far a count moved. ``additive``: the released counts add up to their margins.
    """

    rules: Rules
    cells: int
    empty: int
    primary: int
    complementary: int
    persons: int
    optimal: bool
    furthest: int
    additive: bool
    audit: Audit
    statuses: pa.Table


@dataclass(frozen=True, slots=True)
class Protected:
    """The released table (dimensions as text, then figures; null: hidden) and the internal report."""

    table: pa.Table
    report: DisclosureReport


def protect(
    table: Any,
    dimensions: Mapping[str, Mapping[str, Any] | None] | Sequence[str],
    measures: Mapping[str, Mapping[str, str]],
    unit: Any = None,
    rules: Mapping[str, Any] | None = None,
    *,
    keys: Keys | Mapping[str, bytes] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Protected:
    """Tabulate ``measures`` by ``dimensions`` with all margins, and let out what protects everyone.

    ``table``: pandas, polars, pyarrow. ``dimensions``: attributes, each with nothing, ``{categories: […]}`` or
    ``{hierarchy: rows, frame or mapping}``. ``measures``: ``{name: {count | records | sum | mean: attribute or "*"}}``.
    ``unit``: person column, None: each record. ``rules``: see ``Rules``. ``stop``: True ends the search for a cheaper
    pattern with the best so far, which is audited like any other. Null is a category of its own; null, NaN and
    infinity add nothing. Rows: every combination, also empty ones, in the order of categories, totals last.

    Raises:
        InvalidParameter: a parameter, dimension or measure is wrong, or the method cannot protect a sum.
        UnknownAttribute, UnsupportedColumn, DataError: the table is not what the dimensions and measures expect.
        KeyMissing: a key is needed and was not given.
        LimitsNotMet: the audit can recompute a cell, or there is nothing left to show.
    """
    asked = read_rules(rules)
    given = dict(dimensions) if isinstance(dimensions, Mapping) else dict.fromkeys(dimensions)
    if len(given) != len(dimensions):
        raise InvalidParameter("dimensions must name each attribute once", parameter="dimensions")
    _check(asked, given, measures)
    provider = as_keys(keys)
    cells = contributions(
        table,
        dimensions=given,
        measures=measures,
        unit=unit,
        tables=asked.tables,
        total=asked.total,
        decimals=asked.decimals,
        top=asked.sensitivity.top,
        record_keys=_keyed(table, unit, asked, provider),
    )
    if asked.method == "suppression":
        return _suppressed(cells, asked, stop)
    return _changed(cells, asked, provider)


def _check(asked: Rules, dimensions: Mapping[str, Any], measures: Mapping[str, Mapping[str, str]]) -> None:
    strange = sorted({name for each in asked.tables for name in each} - set(dimensions))
    if strange:
        raise InvalidParameter(f"tables name {strange}, which are no dimensions", parameter="tables")
    if asked.method != "suppression":
        summed = [name for name, measure in measures.items() if "count" not in measure]
        if summed:
            raise InvalidParameter(
                f"measure {summed[0]!r}: the method {asked.method!r} protects counts of persons only; "
                "protect other figures by suppression",
                parameter=summed[0],
            )


def _keyed(table: Any, unit: Any, asked: Rules, keys: Keys) -> Callable[[pl.Series], Any] | None:
    """How persons, or records told apart by their columns, get their keys; None where no key is used."""
    if asked.key is None:
        return None
    drawn = record_keys(keys, asked.key)
    if unit is not None:
        return lambda persons: drawn([persons.to_arrow()])
    if not asked.record:
        raise InvalidParameter(
            "a key needs a person column or `record`: columns that tell records apart", parameter="key"
        )
    frame = as_frame(table, list(asked.record), None)
    return lambda _: drawn([frame[name].to_arrow() for name in asked.record])


def _suppressed(cells: Contributions, asked: Rules, stop: Callable[[], bool]) -> Protected:
    first = primary(cells, asked.sensitivity)
    needs = [need(figure, cells, first, asked.sensitivity) for figure in cells.figures]
    weights = (
        np.maximum(cells.persons, 1).astype(np.float64) if asked.cost == "persons" else np.ones(cells.margins.size)
    )
    problem = Problem(cells, needs, first, weights)
    pattern = hide(problem, stop=stop)
    best = cheapest(problem, pattern, stop=stop)
    chosen = best or pattern
    found = audit(cells, chosen.hidden, needs, chosen.witnesses)
    published = cells.margins.published
    if found.broken:
        raise LimitsNotMet(
            f"{len({each.cell for each in found.broken})} of {int(first.sum())} cells that may not be shown could be "
            "recomputed from the rest; use fewer or coarser dimensions",
            limits={"recomputable_cells": 0},
            measured={"recomputable_cells": len({each.cell for each in found.broken})},
        )
    shown = published & ~chosen.hidden
    if not (shown & (cells.persons > 0)).any() and cells.everyone:
        raise LimitsNotMet("no cell can be shown; use fewer or coarser dimensions, or more persons")
    status = np.where(first, PRIMARY, np.where(chosen.hidden, COMPLEMENTARY, SHOWN))
    bounds = {
        f"{side}:{figure.name}": values
        for figure, level in zip(cells.figures, needs, strict=True)
        for side, values in zip(("low", "high"), _bounds(cells.margins, figure, level, chosen), strict=True)
    }
    figures = {figure.name: _released(figure, figure.value, ~chosen.hidden) for figure in cells.figures}
    return Protected(
        _table(cells, figures),
        DisclosureReport(
            rules=asked,
            cells=int(published.sum()),
            empty=int((published & (cells.persons == 0)).sum()),
            primary=int(first.sum()),
            complementary=int((chosen.hidden & ~first).sum()),
            persons=cells.everyone,
            optimal=best is not None,
            furthest=0,
            additive=True,
            audit=found,
            statuses=_table(cells, {"persons": cells.persons, "status": status, **bounds}),
        ),
    )


def _changed(cells: Contributions, asked: Rules, keys: Keys) -> Protected:
    """Counts rounded or with noise; each small one must stay as uncertain as the method promises."""
    chances = cell_uniforms(cells, keys, asked.key) if asked.key is not None else None
    published = cells.margins.published
    released: list[Ints] = []
    asked_for = by_program = 0
    for figure in cells.figures:
        if asked.method == "cell_key":
            assert chances is not None
            noise = perturbation_table(asked.deviation, asked.variance, asked.smallest)
            made = figure.value + noise.noise(figure.value, chances, zeros=asked.zeros)
            reach, width = asked.deviation, asked.deviation
        elif asked.method == "random_rounding":
            assert chances is not None
            made = random_rounding(figure.value, asked.base, chances)
            reach, width = asked.base - 1, asked.base - 1
        else:
            rounded = controlled_rounding(cells.margins, figure.value, asked.base, chances)
            made, reach, width = rounded.values, max(rounded.furthest, asked.base - 1), asked.base - 1
        released.append(made)
        low = np.where(published, np.maximum(made - reach, 0), 0).astype(np.float64)
        high = np.where(published, (made + reach).astype(np.float64), np.inf)
        if not asked.zeros:  # an empty cell that stays empty looks like one, and so it is one for the attacker
            high = np.where(published & (cells.persons == 0) & (asked.method == "cell_key"), 0.0, high)
        small = np.flatnonzero(published & (figure.value > 0) & (figure.value < asked.threshold))
        asked_for += len(small)
        close, programs = narrow(cells.margins, figure.value, low, high, small, float(width))
        by_program += programs
        if len(close):
            raise LimitsNotMet(
                f"{len(close)} of {len(small)} small cells could be recomputed from the others more closely than "
                f"{width}; use a larger base or deviation, or coarser dimensions",
                limits={"width": width},
                measured={"cells_below_width": len(close)},
            )
    moved = np.abs(np.stack(released) - np.stack([figure.value for figure in cells.figures])).max(axis=0)
    figures = {
        figure.name: _released(figure, made, np.ones(len(made), dtype=bool))
        for figure, made in zip(cells.figures, released, strict=True)
    }
    return Protected(
        _table(cells, figures),
        DisclosureReport(
            rules=asked,
            cells=int(published.sum()),
            empty=int((published & (cells.persons == 0)).sum()),
            primary=int(primary(cells, asked.sensitivity).sum()),
            complementary=0,
            persons=cells.everyone,
            optimal=False,
            furthest=int(moved[published].max(initial=0)),
            additive=asked.method == "rounding",
            audit=Audit(asked_for, asked_for - by_program, by_program, ()),
            statuses=_table(cells, {"persons": cells.persons, "status": np.where(moved > 0, CHANGED, SHOWN)}),
        ),
    )


def _bounds(margins: Margins, figure: Figure, level: Need, pattern: Pattern) -> tuple[Floats, Floats]:
    """What an attacker finds for each hidden cell, in the figure's own unit; NaN where there are too many to say."""
    value = figure.value.astype(np.float64)
    low, high = np.where(pattern.hidden, np.nan, value), np.where(pattern.hidden, np.nan, value)
    hidden = np.flatnonzero(pattern.hidden)
    if len(hidden) <= EXACT:
        closed = margins.published & ~pattern.hidden
        seen = np.where(closed, value, level.floor), np.where(closed, value, np.inf)
        low[hidden], high[hidden] = intervals(margins, *seen, hidden)
        low, high = np.ceil(low - 1e-6) + 0.0, np.floor(high + 1e-6) + 0.0  # figures are whole steps
    return low / 10.0**figure.decimals, high / 10.0**figure.decimals


def _released(figure: Figure, values: Ints, shown: Bools) -> pl.Series:
    if figure.function == "mean":
        people = np.maximum(figure.contributors, 1)
        column = pl.Series(figure.name, np.round(values / people / 10.0**figure.decimals, max(figure.decimals, 0)))
        shown = shown & (figure.contributors > 0)
    elif figure.decimals > 0:
        column = pl.Series(figure.name, np.round(values / 10.0**figure.decimals, figure.decimals))
    else:
        column = pl.Series(figure.name, values * 10**-figure.decimals)
    return column.to_frame().select(pl.when(pl.Series(shown)).then(pl.col(figure.name))).to_series()


def _table(cells: Contributions, columns: Mapping[str, Any]) -> pa.Table:
    """One row a published cell: the labels of its categories, then the columns."""
    kept = np.flatnonzero(cells.margins.published)
    nodes = np.unravel_index(kept, cells.margins.shape)
    labels = {
        each.name: pl.Series(each.labels, dtype=pl.String).gather(node)
        for each, node in zip(cells.margins.dimensions, nodes, strict=True)
    }
    frame = pl.DataFrame({**labels, **{name: pl.Series(column).gather(kept) for name, column in columns.items()}})
    made = frame.fill_nan(None).to_arrow()
    text = [pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in made.schema]
    return made.cast(pa.schema(text))

"""Differencing knows no border: a new table is compared with every table of its population that was shown before.

Source: PRIVACY.md 17. Two tables that agree except for a person or two give those persons away, whoever holds which.
Compared are tables with the same grouping variables, and tables of which one has some of the other's (a parent and
its children). Variables are the same when their names are, or when they share most of their labels. Numbers are
compared as coarsely as both were shown, so that rounding is no difference.

Pure: tables in, differences out. What it cannot see: variables that were both renamed and relabelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole, TypedColumn
from sandbox.airlock.shown import ShownTable
from sandbox.airlock.typed import TypedTable, is_total
from sandbox.contracts import Cell

LABELS_SHARED: Final = 0.5
"""Share of labels that two variables of different names must have in common to be one."""
MOVED: Final = 0.1
"""A figure over as many persons that differs by at most this share is the same figure, of a few other persons."""
MOVED_WITH_COUNT: Final = 0.5
"""The same where the counts tell already that a few persons are different."""
_FIGURES: Final = frozenset({ColumnRole.MEASURE, ColumnRole.SHARE})
Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a new table and an earlier one tell together. ``values``: figures of the few persons follow too."""

    file: str
    source: str
    variables: tuple[str, ...]
    cells: int
    values: bool
    nested: bool


def differences(new: TypedTable, earlier: Iterable[ShownTable], limits: AirlockLimits) -> list[Difference]:
    """Everything that ``new`` tells about few persons beside each earlier table."""
    mine = _Cells.of(new, {}, limits, released=True)
    found: list[Difference] = []
    for shown in earlier:
        theirs = _Cells.of(shown.table, _names(new, shown.table), limits, released=shown.released)
        found += _same(new.name, shown.source, mine, theirs, limits)
        found += _nested(new.name, shown.source, mine, theirs, limits)
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    counts: Mapping[str, int | None]
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of a table by the variables they group by: a row of totals groups by fewer than the others."""

    by: Mapping[Group, Mapping[Group, _Row]] = field(repr=False)
    released: bool
    exact: Mapping[str, bool]
    """Whether the counts of a column are finer than the airlock's rounding."""

    @classmethod
    def of(cls, table: TypedTable, names: Mapping[str, str], limits: AirlockLimits, *, released: bool) -> _Cells:
        dimensions = [(i, names.get(c.name, c.name.casefold())) for i, c in _columns(table, {ColumnRole.DIMENSION})]
        counts = _columns(table, {ColumnRole.COUNT})
        figures = _columns(table, _FIGURES)
        by: dict[Group, dict[Group, _Row]] = {}
        for row in table.rows:
            labels = sorted(
                (name, str(row[i])) for i, name in dimensions if row[i] is not None and not is_total(row[i])
            )
            by.setdefault(tuple(name for name, _ in labels), {})[tuple(label for _, label in labels)] = _Row(
                {c.name.casefold(): _whole(row[i]) for i, c in counts},
                {
                    c.name.casefold(): float(v)
                    for i, c in figures
                    if (v := row[i]) is not None and not isinstance(v, str)
                },
            )
        exact = {
            c.name.casefold(): not released
            and any(value % limits.rounding for row in table.rows if (value := _whole(row[i])) is not None)
            for i, c in counts
        }
        return cls(by, released, exact)

    @property
    def columns(self) -> list[str]:
        return list(self.exact)

    def step(self, column: str, value: int, limits: AirlockLimits) -> int:
        """How finely this count was shown."""
        if not self.released:
            return 1 if self.exact[column] else limits.rounding
        return max(limits.rounding, 10 ** max(0, len(str(abs(value))) - limits.significant_digits))


def _same(file: str, source: str, new: _Cells, old: _Cells, limits: AirlockLimits) -> Iterator[Difference]:
    """Cells of one group in both tables whose counts, or whose figures over as many persons, differ by little."""
    pairs = _pairs(new, old)
    for group in new.by.keys() & old.by.keys():
        cells = values = 0
        for labels in new.by[group].keys() & old.by[group].keys():
            one, other = new.by[group][labels], old.by[group][labels]
            small = any(_small(new, old, mine, theirs, one, other, limits) for mine, theirs in pairs)
            alike = bool(pairs) and all(one.counts[mine] is not None for mine, _ in pairs) and not small
            alike = alike and all(_equal(new, old, mine, theirs, one, other, limits) for mine, theirs in pairs)
            moved = (small or alike) and _moved(one.figures, other.figures, MOVED_WITH_COUNT if small else MOVED)
            cells += small or moved
            values += moved
        if cells:
            yield Difference(file, source, group, cells, values=values > 0, nested=False)


def _nested(file: str, source: str, new: _Cells, old: _Cells, limits: AirlockLimits) -> Iterator[Difference]:
    """A cell of one table less its children in the other: few persons are left over, or belong to a hidden child."""
    for parents, children, flip in ((new, old, False), (old, new, True)):
        pairs = [(b, a) if flip else (a, b) for a, b in _pairs(new, old)]
        for above, below in ((a, b) for a in parents.by for b in children.by if set(a) < set(b)):
            places = [below.index(name) for name in above]
            families: dict[Group, list[_Row]] = {}
            kinds: set[Group] = set()
            for labels, row in children.by[below].items():
                families.setdefault(tuple(labels[i] for i in places), []).append(row)
                kinds.add(tuple(label for i, label in enumerate(labels) if i not in places))
            cells = sum(
                any(
                    _left_over(parents, children, mine, theirs, row, families.get(labels, []), len(kinds), limits)
                    for mine, theirs in pairs
                )
                for labels, row in parents.by[above].items()
            )
            if cells:
                yield Difference(file, source, below, cells, values=False, nested=True)


def _left_over(
    parents: _Cells,
    children: _Cells,
    mine: str,
    theirs: str,
    parent: _Row,
    family: Sequence[_Row],
    kinds: int,
    limits: AirlockLimits,
) -> bool:
    total = parent.counts[mine]
    known = [value for row in family if (value := row.counts[theirs]) is not None]
    if total is None or not known:
        return False
    noise = parents.step(mine, total, limits) // 2 + sum(children.step(theirs, v, limits) // 2 for v in known)
    left = total - sum(known)
    if len(known) < kinds:  # a child is hidden: what is left over is its count
        return 0 < left < limits.threshold and noise <= limits.threshold
    return noise < abs(left) < limits.threshold + noise


def _small(new: _Cells, old: _Cells, mine: str, theirs: str, one: _Row, other: _Row, limits: AirlockLimits) -> bool:
    """Whether two counts of one group differ visibly and by fewer persons than the threshold."""
    a, b = one.counts[mine], other.counts[theirs]
    if a is None or b is None:
        return False
    step = max(new.step(mine, a, limits), old.step(theirs, b, limits))
    apart = abs(_rounded(a, step) - _rounded(b, step))
    return 0 < apart <= max(limits.threshold - 1, step)


def _equal(new: _Cells, old: _Cells, mine: str, theirs: str, one: _Row, other: _Row, limits: AirlockLimits) -> bool:
    a, b = one.counts[mine], other.counts[theirs]
    if a is None or b is None:
        return False
    step = max(new.step(mine, a, limits), old.step(theirs, b, limits))
    return _rounded(a, step) == _rounded(b, step)


def _moved(one: Mapping[str, float], other: Mapping[str, float], share: float) -> bool:
    """Whether a figure of the same name is another one, and not another figure altogether."""
    return any(
        one[name] != other[name] and abs(one[name] - other[name]) <= share * max(abs(one[name]), abs(other[name]))
        for name in one.keys() & other.keys()
    )


def _pairs(new: _Cells, old: _Cells) -> list[tuple[str, str]]:
    """Which count columns are about the same: of one name, or the only one on each side."""
    same = [(name, name) for name in new.columns if name in old.columns]
    if not same and len(new.columns) == len(old.columns) == 1:
        return [(new.columns[0], old.columns[0])]
    return same


def _names(new: TypedTable, old: TypedTable) -> dict[str, str]:
    """What the old table's variables are called in the new one: by name, otherwise by labels."""
    mine = {c.name.casefold(): _labels(new, i) for i, c in _columns(new, {ColumnRole.DIMENSION})}
    theirs = {c.name: _labels(old, i) for i, c in _columns(old, {ColumnRole.DIMENSION})}
    found = {name: name.casefold() for name in theirs if name.casefold() in mine}
    free = [name for name in mine if name not in found.values()]
    for name in (each for each in theirs if each not in found):
        best = max(free, key=lambda own: _shared(mine[own], theirs[name]), default=None)
        if best is not None and _shared(mine[best], theirs[name]) >= LABELS_SHARED:
            found[name] = best
            free.remove(best)
        else:
            found[name] = f"={name.casefold()}"  # a name that no variable of the new table has
    return found


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    both = one & other
    return len(both) / len(one | other) if len(both) > 1 else 0.0


def _labels(table: TypedTable, index: int) -> frozenset[str]:
    return frozenset(str(cell) for cell in table.column(index) if cell is not None and not is_total(cell))


def _columns(table: TypedTable, roles: Iterable[ColumnRole]) -> list[tuple[int, TypedColumn]]:
    wanted = set(roles)
    return [(i, column) for i, column in enumerate(table.columns) if column.role in wanted]


def _is_margin(cell: Cell) -> bool:
    return cell is None or is_total(cell)


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else None


def _rounded(value: int, step: int) -> int:
    return round(value / step) * step


def _whole(cell: Cell) -> int | None:
    return int(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else None

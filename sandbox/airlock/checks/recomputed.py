"""Figures of an output recomputed from the raw records of its groups; what cannot be is put to the checkers.

Asked are tables whose group columns are raw columns, or groupings that their labels or registrations explain. Every
count must be the size of its group, of a part of it that one raw column cuts (a category, a range of numbers or days),
or of its different persons; a share such a part, or a ratio of the counts beside it; any other figure a usual statistic
of a raw column over the group or that part, by records or by persons: mean, sum, spread, ratio, correlation. So an
honest figure explains itself, and a figure that is made up does not, whatever its column is called. Figures that are
made of a group's largest or smallest record (a range, a concentration, a norm that tends to the maximum) are stopped as
extremes.

A match of few rows proves little: then only simple parts are tried. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from sandbox.airlock.checks import statistics
from sandbox.airlock.checks.columns import Columns, View
from sandbox.airlock.checks.counts import scale_of
from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.follows import follows, grows
from sandbox.airlock.checks.groups import Groups
from sandbox.airlock.checks.persons import RECORDS, PerPerson
from sandbox.airlock.checks.rounding import steps_of
from sandbox.airlock.checks.spelling import Ints
from sandbox.airlock.checks.statistics import unit_of
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole, is_change
from sandbox.airlock.typed import TableKind, TypedTable
from sandbox.contracts import Cell

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
MOST_CELLS: Final = 4_000_000
"""Groups times codes of a table of parts."""
MOST_KEPT: Final = 200_000
CHANCE: Final = 0.01
"""Most matches by chance that a search may expect."""
_FEW_ROWS: Final = 5
_SCALES: Final = (1.0, 100.0)
"""Shares as fractions and per cent."""
_RANGES: Final = 1e6
_SIMPLE: Final = 2e4
_MOST_GAPS: Final = 4
_MOST_OUTLIERS: Final = 3
_OUTLIER: Final = 5.0
"""So many times the next largest number is one that people leave out."""
_OUTLIERS_OF: Final = 1000
_FEW_GROUPS: Final = 3
_MOST_IDENTITIES: Final = 2
_LEAST: Final = (2, 3, 4, 5)
_FEW_CLASSES: Final = 12


@dataclass(slots=True)
class Explained:
    """Findings, and the columns that need no other explanation."""

    findings: list[Finding] = field(default_factory=list)
    columns: set[tuple[str, str]] = field(default_factory=set)
    """File and column of each."""
    about: bool = False
    """Whether the table is about these records at all; else there is nothing to say."""


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """The records that figures are about: the group of each (-1: none), and how many each row's group has."""

    group: Ints
    sizes: Floats


def recompute(groups: Groups, columns: Columns, limits: AirlockLimits) -> Explained:
    """What is found of one table, whose groups' records were kept."""
    table, found = groups.query.table, Explained()
    if table.kind is TableKind.MODEL or not len(groups.records) or not groups.of_records:
        return found
    named = groups.of_row[groups.of_row >= 0]
    if len(np.unique(named)) < len(named):
        return found  # stopped for repeating groups
    base = Base(np.concatenate(groups.of_records), groups.of_rows)
    # Columns of another name may be taken for a raw column's by mistake; the counts tell.
    others = groups.query.kind == "groups" and groups.query.differs_in_name
    work = _Work(table, base, groups.of_row, len(groups.records), columns, limits, may_be_others=others)
    bases = work.counts(found)
    if bases:
        work.shares(bases, found)
        work.measures(bases, found)
        work.beside(bases, found)
    return found


@dataclass(slots=True, eq=False)
class _Work:
    """One table's search. A search over few groups comes before that over all: hardly ever is more needed."""

    table: TypedTable
    base: Base
    of_row: Ints
    number: int
    columns: Columns
    limits: AirlockLimits
    may_be_others: bool = False
    rows: Mask | None = None
    """The rows that are asked about, in a search over few; None: all."""
    records: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    places: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Of a search over few: the records, and the new number of each group (-1: not asked)."""
    identities: list[str] = field(default_factory=list)
    """Columns of whose different values some count column states the number."""
    _cross: dict[tuple[int, int], tuple[Base, Floats]] = field(default_factory=dict)
    _wholes: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)
    _persons: dict[str, PerPerson] = field(default_factory=dict)
    _few: _Work | None = None

    def few(self) -> _Work | None:
        """The search over the smallest groups; None where that would be no quicker."""
        if self.rows is not None:
            return None
        if self._few is None:
            there = np.flatnonzero(self.base.sizes > 0)
            chosen = there[np.argsort(self.base.sizes[there], kind="stable")[:_FEW_GROUPS]]
            if self.base.sizes[chosen].sum() * 2 > len(self.base.group):
                return None
            rows = np.zeros(len(self.of_row), dtype=bool)
            rows[chosen] = True
            groups = np.unique(self.of_row[chosen])
            places = np.full(self.number + 1, -1, dtype=np.int64)
            places[groups] = np.arange(len(groups))
            records = np.flatnonzero(places[self.base.group] >= 0)
            self._few = _Work(
                self.table,
                Base(places[self.base.group[records]], self.base.sizes),
                places[self.of_row],
                len(groups),
                self.columns.take(records),
                self.limits,
                rows=rows,
                records=records,
                places=places,
            )
        return self._few

    def _taken(self, base: Base) -> Base:
        """What a search over few asks of a base."""
        return Base(self.places[base.group[self.records]], base.sizes)

    def _there(self, base: Base, stated: Floats) -> Mask:
        there = (base.sizes > 0) & ~np.isnan(stated)
        return there if self.rows is None else there & self.rows

    def counts(self, found: Explained) -> list[Base]:
        """What the count columns are about; each that nothing explains is a finding."""
        bases: list[Base] = []
        if self.may_be_others and not any(map(self._states_all, self.table.indexes(ColumnRole.COUNT))):
            return bases
        found.about = True
        for index in self.table.indexes(ColumnRole.COUNT):
            stated = _numbers(self.table.column(index))
            there = self._there(self.base, stated)
            if not there.any():
                continue
            if (stated[there] < self.limits.threshold).any():
                continue  # stopped as a small count, or nought: there is nothing more to ask
            if self._states_nobody(stated):
                found.findings.append(self._finding("group_not_in_raw", index, self._states_nobody(stated)))
            base = self._counted(stated, there) or self._named(self.table.columns[index].name, stated, there)
            persons = self._persons_of(stated, there) if base is None else []
            self.identities += [name for name in persons if name not in self.identities]
            if base is None and not (persons or self._is_sum(index, stated) or self._come_again(stated, there)):
                found.findings.append(self._finding("count_not_recomputed", index, int(there.sum())))
                continue
            found.columns.add((self.table.name, self.table.columns[index].name))
            self._gaps(index, stated, found)
            both = self._rounded_both_ways(stated, there, base)
            if both and not self._is_sum(index, stated):
                found.findings.append(self._finding("rounded_both_ways", index, both))
            base = self.base if persons else base  # figures beside numbers of persons are about all their records
            bases += [base] if base is not None and not any(base is each for each in bases) else []
        # Figures are most often about all that is counted first.
        return bases[:3] if any(base is self.base for base in bases) or not bases else [self.base, *bases[:2]]

    def shares(self, bases: list[Base], found: Explained) -> None:
        """Shares are ratios of counts beside them, parts of the groups, or statistics."""
        for index in self.table.indexes(ColumnRole.SHARE):
            cells = _numbers(self.table.column(index))
            scale = scale_of(self.table.columns[index].name, cells[~np.isnan(cells)])
            if (
                self._is_ratio(cells / scale, unit_of(cells) / scale)
                or self._is_part(cells, bases, scales=(scale,) if scale > max(_SCALES) else _SCALES) is not None
            ):
                found.columns.add((self.table.name, self.table.columns[index].name))
            else:
                self._measure(index, bases, found, rule="share_not_recomputed")

    def measures(self, bases: list[Base], found: Explained) -> None:
        """Other figures are statistics of raw columns."""
        for index in self.table.indexes(ColumnRole.MEASURE):
            part = self._is_part(_numbers(self.table.column(index)), bases, simple=True)
            if part is not None:
                found.columns.add((self.table.name, self.table.columns[index].name))
                self._few_of(index, part, found)
            else:
                self._measure(index, bases, found, rule="measure_not_recomputed")

    def beside(self, bases: list[Base], found: Explained) -> None:
        """What follows from counts, and from columns that are explained, is explained too."""
        names = {column for _, column in found.columns}
        figures = [
            _numbers(self.table.column(index))
            for index in self.table.indexes(ColumnRole.COUNT, ColumnRole.SHARE, ColumnRole.MEASURE)
            if self.table.columns[index].name in names
        ]
        sources = [*figures, *(base.sizes for base in bases)]
        for finding in list(found.findings):
            if finding.rule in {"share_not_recomputed", "measure_not_recomputed"}:
                index = next(i for i, c in enumerate(self.table.columns) if c.name == finding.column)
                stated = _numbers(self.table.column(index))
                growth = is_change(finding.column) and grows(self.table, stated, unit_of(stated), sources)
                if growth or follows(self.table, stated, unit_of(stated), sources):
                    found.findings.remove(finding)
                    found.columns.add((self.table.name, finding.column))

    def _few_of(self, index: int, part: tuple[Floats, Floats], found: Explained) -> None:
        """A measure that is a share says how many the part has."""
        of, whole = part
        few = sum(((each >= 0.5) & (each < self.limits.threshold - 0.5)).astype(int) for each in (of, whole - of))
        if np.any(few) and len(of) > _FEW_ROWS:
            found.findings.append(self._finding("small_share", index, int(np.count_nonzero(few))))

    def _measure(self, index: int, bases: list[Base], found: Explained, *, rule: str) -> None:
        stated = _numbers(self.table.column(index))
        name = self.table.columns[index].name
        there = self._there(self.base, stated)
        if not there.any() or np.ptp(stated[there]) == 0:
            return
        kinds = (self._told(base, stated, name) for base in [*bases, *self._without_outliers(bases)])
        kind = next(filter(None, kinds), "") or self._told_of_persons(stated, there, name)
        if kind == "usual":
            found.columns.add((self.table.name, name))
        else:
            rule = "extreme_value" if kind == "extreme" else rule
            found.findings.append(self._finding(rule, index, int(there.sum())))

    def _told_of_persons(self, stated: Floats, there: Mask, name: str) -> str:
        """What statistic over persons the figures are, the records of each taken together."""
        for identity in self.identities[:_MOST_IDENTITIES]:
            people = self._people(identity)

            def whole(column: str, people: PerPerson = people) -> tuple[float, float]:
                return float(people.numbers(column).sum()), float(len(people.group))

            asked = statistics.Asked(
                stated[there], self.of_row[there], unit_of(stated), people.group, self.number, whole
            )
            if told := statistics.told_by(asked, people, name):
                return told
        return ""

    def _without_outliers(self, bases: list[Base]) -> Iterator[Base]:
        """All records but the one to three that lie far beyond the rest in some column: people leave those out."""
        for name in self.columns.number_names("") if any(base is self.base for base in bases) else ():
            values = np.nan_to_num(np.abs(self.columns.numbers(name)))
            largest = _largest(values) if len(values) > _OUTLIERS_OF else np.zeros(0, dtype=np.int64)
            for last, (one, after) in enumerate(pairwise(largest)):
                if values[one] > _OUTLIER * values[after]:
                    chosen = np.ones(len(values), dtype=bool)
                    chosen[largest[: last + 1]] = False
                    yield self._within(chosen, self.base)

    def _told(self, base: Base, stated: Floats, name: str) -> str:
        """What statistic over the base the figures are."""
        few, unit = self.few(), unit_of(stated)

        def whole(column: str) -> tuple[float, float]:
            if (id(base), column) not in self._wholes:
                values = self.columns.numbers(column)[base.group >= 0]
                self._wholes[id(base), column] = float(np.nansum(values)), float(np.isfinite(values).sum())
            return self._wholes[id(base), column]

        if few is not None:
            part, rows = few._taken(base), few._there(base, stated)
            some = statistics.Asked(stated[rows], few.of_row[rows], unit, part.group, few.number, whole)
            if rows.any() and not statistics.told_by(some, few.columns, name):
                return ""
        asked = self._there(base, stated)
        every = statistics.Asked(stated[asked], self.of_row[asked], unit, base.group, self.number, whole)
        return statistics.told_by(every, self.columns, name)

    def _states_all(self, index: int) -> bool:
        """Whether a count column states the sizes of the groups."""
        stated = _numbers(self.table.column(index))
        there = self._there(self.base, stated)
        return bool(there.any()) and self._counted_all(stated, there)

    def _counted_all(self, stated: Floats, there: Mask) -> bool:
        steps = steps_of(stated[there], self.limits.rounding)
        return any((np.abs(stated - self.base.sizes)[there] < step).all() for step in steps)

    def _states_nobody(self, stated: Floats) -> int:
        """Rows that name a group without a record and state a count."""
        nobody = (self.of_row >= 0) & (self.base.sizes == 0)
        return int((nobody & (np.nan_to_num(stated) >= self.limits.rounding)).sum())

    def _counted(self, stated: Floats, there: Mask) -> Base | None:
        """The records that a count column counts."""
        rounding = self.limits.rounding
        if self._counted_all(stated, there):
            return self.base
        if (stated[there] > self.base.sizes[there] + rounding).any():
            return None
        return self._cut(stated, there, self.base) or self._cut_twice(stated, there)

    def _named(self, name: str, stated: Floats, there: Mask) -> Base | None:
        """The records of the category after which a column is called, if the counts are of those: no search."""
        for view in self.columns.views():
            part = self._within(view.codes == view.labels[name], self.base) if name in view.labels else None
            if part is not None and (np.abs(stated - part.sizes)[there] < self.limits.rounding).all():
                return part
        return None

    def _cut(self, stated: Floats, there: Mask, base: Base) -> Base | None:
        """The part of some records that one column cuts and the counts are of."""
        few = self.few()
        if few is not None and few._cut(stated, few._there(few.base, stated), few._taken(base)) is None:
            return None
        # Categories before ranges: of so many ranges one may fit by chance, and figures would be about other records.
        for place, view in sorted(enumerate(self.columns.views()), key=lambda each: (each[1].ordered, each[1].size)):
            near = np.full(len(stated), float(self.limits.rounding) - 1e-9)
            part = self._part(stated, near, there, place, view, base)
            if part is not None:
                inside = (view.codes >= part[0]) & (view.codes < part[1])
                return self._within((view.codes >= 0) & (inside != part[2]), base)
        return None

    def _cut_twice(self, stated: Floats, there: Mask) -> Base | None:
        """The same of one class of a column of few (men, a year). Few rows would meet one of so many by chance."""
        if there.sum() <= _FEW_ROWS:
            return None
        for place, view in enumerate(self.columns.views()):
            if view.size > _FEW_CLASSES or self.number * view.size > MOST_CELLS:
                continue
            sizes = np.vstack([self._crossed(place, view, self.base), np.zeros(view.size)])[self.of_row[there]]
            for code in range(view.size):
                if (stated[there] <= sizes[:, code] + self.limits.rounding).all():
                    part = self._cut(stated, there, self._within(view.codes == code, self.base))
                    if part is not None:
                        return part
        return None

    def _within(self, chosen: Mask, base: Base) -> Base:
        group = np.where(chosen, base.group, -1)
        sizes = np.bincount(group[group >= 0], minlength=self.number).astype(np.float64)
        return Base(group, np.append(sizes, 0.0)[self.of_row])

    def _rounded_both_ways(self, stated: Floats, there: Mask, base: Base | None) -> int:
        """Counts that are not rounded as the others are: to the nearest, all up or all down. Else each is a bit.

        One may be: of a table that leaves out a record, or has one too many, some group is near the edge.
        """
        if base is not self.base:
            return 0
        sizes, counts = base.sizes[there], stated[there]
        least = len(counts)
        for step in steps_of(counts, self.limits.rounding):
            off = counts - sizes
            for wrong in (np.abs(off) > step / 2, (off > 0) | (off <= -step), (off < 0) | (off >= step)):
                least = min(least, int(wrong.sum()))
        return least if least > 1 else 0

    def _is_sum(self, index: int, stated: Floats) -> bool:
        """Whether a count is the sum of the counts beside it that are shown, each rounded by itself."""
        others = [other for other in self.table.indexes(ColumnRole.COUNT) if other != index]
        total = np.nansum([_numbers(self.table.column(other)) for other in others], axis=0) if len(others) > 1 else None
        return total is not None and bool((np.isnan(stated) | (stated == total)).all())

    def _persons_of(self, stated: Floats, there: Mask) -> list[str]:
        """Columns of whose different values in each group a column states the number: persons of several records."""
        few = self.few()
        names = self.columns.identity_names()
        if few is not None:
            names = few._persons_of(stated, few._there(few.base, stated))
        return [name for name in names if self._counts_persons(name, stated, there)]

    def _come_again(self, stated: Floats, there: Mask) -> bool:
        """Whether a count is of the persons with two records or more, three or more …, or with one alone."""
        for identity in self.identities[:_MOST_IDENTITIES]:
            people = self._people(identity)
            records = people.numbers(RECORDS)
            for chosen in (records == 1, *(records >= least for least in _LEAST)):
                of_rows = np.append(np.bincount(people.group[chosen], minlength=self.number), 0)[self.of_row]
                if (np.abs(stated[there] - of_rows[there]) < self.limits.rounding).all():
                    return True
        return False

    def _people(self, identity: str) -> PerPerson:
        if identity not in self._persons:
            self._persons[identity] = PerPerson.of(self.columns, identity, self.base.group)
        return self._persons[identity]

    def _counts_persons(self, name: str, stated: Floats, there: Mask) -> bool:
        codes = self.columns.codes_of(name).astype(np.int64)
        inside = (self.base.group >= 0) & (codes >= 0)
        width = int(codes.max(initial=0)) + 1
        pairs = np.sort(self.base.group[inside].astype(np.int64) * width + codes[inside])
        first = pairs[np.flatnonzero(np.diff(pairs, prepend=-1))]
        of_rows = np.append(np.bincount(first // width, minlength=self.number), 0)[self.of_row]
        return bool((np.abs(stated[there] - of_rows[there]) < self.limits.rounding).all())

    def _is_ratio(self, shares: Floats, unit: float) -> bool:
        """Whether a share is a count by another, or by the sum of all."""
        counts = [_numbers(self.table.column(index)) for index in self.table.indexes(ColumnRole.COUNT)]
        asked = ~np.isnan(shares)
        for part in counts:
            for whole in (*counts, np.full(len(part), np.nansum(part)), np.full(len(part), np.nansum(part) / 2)):
                with np.errstate(all="ignore"):
                    ratio = part / whole
                    slack = statistics.slack(shares, unit) + self.limits.rounding / whole
                if asked.any() and bool((np.abs(ratio - shares) <= slack)[asked].all()):
                    return True
        return False

    def _is_part(
        self, cells: Floats, bases: list[Base], *, simple: bool = False, scales: tuple[float, ...] = _SCALES
    ) -> tuple[Floats, Floats] | None:
        """Of which part of the groups' records a column is the share, and of how many; None: of none."""
        most = float(np.nanmax(np.abs(cells), initial=0.0))
        if most > max(scales) or np.nanmin(cells, initial=0.0) < 0:
            return None
        few = self.few()
        if few is not None:
            taken = [few._taken(base) for base in bases]
            if few._is_part(cells, taken, simple=simple, scales=scales) is None:
                return None
        for scale in scales:
            if most > scale:
                continue
            for base in bases:
                there = self._there(base, cells)
                slack = statistics.slack(cells, unit_of(cells)) / scale
                for place, view in enumerate(self.columns.views()):
                    if self.number * view.size > MOST_CELLS:
                        continue
                    # Of all records, or of those that have a value.
                    filled = np.append(self._crossed(place, view, base).sum(axis=1), 0.0)[self.of_row]
                    for whole in (base.sizes,) if (filled == base.sizes).all() else (base.sizes, filled):
                        near, wanted = slack * whole + 1e-6, cells / scale * whole
                        if self._part(wanted, near, there, place, view, base, simple=simple) is not None:
                            return wanted, whole
        return None

    def _part(
        self, wanted: Floats, slack: Floats, there: Mask, place: int, view: View, base: Base, *, simple: bool = False
    ) -> tuple[int, int, bool] | None:
        """Codes from … to below … of a view of which the rows have as many records; True: all but those."""
        rows = int(there.sum())
        if not rows or self.number * view.size > MOST_CELLS:
            return None
        cross = self._crossed(place, view, base)
        spread = float(np.ptp(wanted[there])) + 2 * float(slack[there].max())
        chance = (2 * float(np.median(slack[there])) / spread) ** rows if spread else 1.0
        few = self.rows is not None
        ranges = view.ordered and not simple and (few or _RANGES * chance < CHANCE)
        if not few and not ranges and rows > _FEW_ROWS and _SIMPLE * chance > CHANCE:
            return None
        whole = np.append(cross.sum(axis=1), 0.0)[self.of_row]
        order = np.flatnonzero(there)[np.argsort(-wanted[there], kind="stable")]
        below = np.concatenate([np.zeros((len(cross), 1)), np.cumsum(cross, axis=1)], axis=1)
        low, high = _bounds(view, ranges=ranges)
        for but in (False, True):
            left = np.arange(len(low))
            for row in order:
                of = below[self.of_row[row]]
                inside = of[high[left]] - of[low[left]]
                counts = whole[row] - inside if but else inside
                left = left[np.abs(counts - wanted[row]) <= slack[row]]
                if not len(left):
                    break
            else:
                return int(low[left[0]]), int(high[left[0]]), but
        return None

    def _crossed(self, place: int, view: View, base: Base) -> Floats:
        key = (place, id(base))
        if key not in self._cross or self._cross[key][0] is not base:
            inside = (base.group >= 0) & (view.codes >= 0)
            flat = base.group[inside].astype(np.int64) * view.size + view.codes[inside]
            cross = np.bincount(flat, minlength=self.number * view.size)
            crossed = cross.reshape(self.number, view.size).astype(np.float64)
            if crossed.size > MOST_KEPT:
                return crossed
            self._cross[key] = base, crossed
        return self._cross[key][1]

    def _gaps(self, index: int, stated: Floats, found: Explained) -> None:
        """Counts that are left empty though their groups are large: more than small ones need to be hidden."""
        empty = np.isnan(stated) & (self.base.sizes > 0)
        small = int((empty & (self.base.sizes < self.limits.threshold)).sum())
        large = int(empty.sum()) - small
        if large > _MOST_GAPS + 3 * small:
            found.findings.append(self._finding("unexplained_gaps", index, large))

    def _finding(self, rule: str, index: int, count: int) -> Finding:
        return Finding(rule, self.table.name, self.table.columns[index].name, count)


def _bounds(view: View, *, ranges: bool) -> tuple[Ints, Ints]:
    """All ranges of codes, or single codes and those from or up to one."""
    codes = np.arange(view.size)
    if ranges:
        low, high = np.triu_indices(view.size + 1, 1)
        return low.astype(np.int64), high.astype(np.int64)
    if not view.ordered:
        return codes, codes + 1
    return np.concatenate([codes, codes * 0, codes]), np.concatenate([codes + 1, codes + 1, codes * 0 + view.size])


def _numbers(cells: tuple[Cell, ...]) -> Floats:
    return np.array(
        [float(c) if isinstance(c, int | float) and not isinstance(c, bool) else math.nan for c in cells],
        dtype=np.float64,
    )


def _largest(values: Floats) -> npt.NDArray[np.int64]:
    """Places of the largest few, the largest first."""
    few = np.argpartition(values, -_MOST_OUTLIERS - 1)[-_MOST_OUTLIERS - 1 :]
    return np.asarray(few[np.argsort(-values[few])], dtype=np.int64)

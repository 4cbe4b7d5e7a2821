"""The audit: try to recompute every hidden cell, as an attacker would, before anything leaves.

Rule: from the shown figures, the sums of the table and what is known of every cell (not negative; a rounded figure lies
in its interval; a person alone in a cell knows it), the least and the largest value of a hidden cell are two linear
programs. A primary cell is protected if they lie as far off as its protection levels say. Movements that the search
claims (witnesses) are checked by plain arithmetic; where they prove too little, the program is solved. Whole numbers
are not asked for inside the programs, so an interval may be wider than the truth: it is rounded to whole numbers.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4.4.2 (auditing); Fischetti and Salazar, 2001
(attacker's problems).
Pure, and apart from the search: it derives the sums from the tree of categories by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from masking.disclosure.circuits import Circuits
from masking.disclosure.complementary import Witness
from masking.disclosure.contributions import Contributions, Figure, Floats
from masking.disclosure.margins import Bools, Equations, Ints, Margins
from masking.disclosure.sensitivity import Need
from masking.disclosure.solver import Program
from masking.errors import DataError

SCALE = 1e4
"""Largest number of an attacker's program after scaling; the solver's tolerance is absolute."""
NEGLIGIBLE = 1e-6
"""Of a protection level: what rounding in floating point may take away."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell that somebody can recompute too closely. ``by_contributor``: a person who is alone in another cell."""

    figure: str
    cell: int
    by_contributor: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """What was asked and how it was answered. Internal: never part of a public report.

    ``asked``: pairs of attacker and cell; ``by_witness`` and ``by_program`` say how they were answered.
    """

    asked: int
    by_witness: int
    by_program: int
    broken: tuple[Broken, ...]


def audit(cells: Contributions, hidden: Bools, needs: Sequence[Need], witnesses: Iterable[Witness] = ()) -> Audit:
    """Check every protection level of a pattern. Without witnesses every answer is a program's."""
    proofs = _valid(cells, hidden, needs, tuple(witnesses))
    asked = by_witness = by_program = 0
    broken: list[Broken] = []
    for number, (figure, need) in enumerate(zip(cells.figures, needs, strict=True)):
        attack = _Attack(cells.margins, figure, hidden, need)
        for cell in np.flatnonzero((need.up > 0) | (need.down > 0)):
            ups, downs = proofs[number, int(cell), 1], proofs[number, int(cell), -1]
            outsiders = [side for side, level in ((1, need.up[cell]), (-1, need.down[cell])) if level > 0]
            open_questions: list[tuple[int, int]] = []  # (person or -1 for an outsider, side)
            for side in outsiders:
                asked += 1
                if not (ups if side > 0 else downs):
                    open_questions.append((-1, side))
            persons = _knowing(figure, int(cell), ups, attack)
            asked += len(persons) if not figure.counts else 0
            open_questions += [(person, 1) for person in persons] if not figure.counts else []
            for person, side in open_questions:
                by_program += 1
                if not attack.leaves_open(int(cell), side, person):
                    broken.append(Broken(figure.name, int(cell), by_contributor=person >= 0))
            by_witness += len(outsiders) - sum(person < 0 for person, _ in open_questions)
    return Audit(asked, by_witness, by_program, tuple(dict.fromkeys(broken)))


def intervals(
    margins: Margins, low: Floats, high: Floats, cells: Sequence[int] | Ints, known: Mapping[int, float] | None = None
) -> tuple[Floats, Floats]:
    """The least and largest value of each of ``cells`` for somebody who knows that every cell lies in [low, high].

    ``low``, ``high``: flat, one entry a cell of the table; a shown figure has both equal, infinities say nothing is
    known. ``known``: cells whose value the attacker has from elsewhere.

    Raises:
        DataError: the figures contradict each other.
    """
    low, high = low.astype(np.float64), high.astype(np.float64)
    for cell, value in (known or {}).items():
        low[cell] = high[cell] = value
    wanted = np.asarray(cells, dtype=np.int64)
    found_low, found_high = low[wanted].copy(), high[wanted].copy()
    program, place, scale = _attacker(margins, low, high)
    for number, column in enumerate(place[wanted]):
        if column < 0:
            continue
        for sign, target in ((1.0, found_low), (-1.0, found_high)):
            program.cost(np.array([column]), np.array([sign]))
            solved = program.solve()
            if solved is None:
                raise DataError("the shown figures contradict each other: no table has these margins")
            target[number] = sign * solved.objective / scale
        program.cost(np.array([column]), np.zeros(1))
    return found_low, found_high


def narrow(margins: Margins, truth: Ints, low: Floats, high: Floats, cells: Ints, width: float) -> tuple[Ints, int]:
    """Those of ``cells`` that somebody who knows [low, high] of every cell can pin down to less than ``width``.

    ``truth``: the true figures, from which circuits say how far a cell can move; where that is too little its programs
    are solved, and every solution also says how far the other cells can be. Also returns how many cells needed that.
    """
    cells = _not_by_circuits(margins, truth, low, high, cells, width)
    if not len(cells):
        return cells, 0
    least, most = np.full(margins.size, np.inf), np.full(margins.size, -np.inf)
    program, place, scale = _attacker(margins, low.astype(np.float64), high.astype(np.float64))
    open_cells = np.flatnonzero(place >= 0)
    found = []

    def solve(columns: Ints, sign: float) -> None:
        program.cost(columns, np.full(len(columns), sign))
        solved = program.solve()
        program.cost(columns, np.zeros(len(columns)))
        if solved is None:
            raise DataError("the shown figures contradict each other: no table has these margins")
        values = solved.values / scale
        least[open_cells] = np.minimum(least[open_cells], values)
        most[open_cells] = np.maximum(most[open_cells], values)

    columns = place[cells]
    if (columns >= 0).any():
        for sign in (1.0, -1.0):
            solve(columns[columns >= 0], sign)
    enough = width * (1 - NEGLIGIBLE)
    for cell in cells:
        for sign in (1.0, -1.0):
            if place[cell] >= 0 and most[cell] - least[cell] < enough:
                solve(place[[cell]], sign)
        if not most[cell] - least[cell] >= enough:
            found.append(cell)
    return np.array(found, dtype=np.int64), len(cells)


def _not_by_circuits(margins: Margins, truth: Ints, low: Floats, high: Floats, cells: Ints, width: float) -> Ints:
    """Cells that no two circuits move by ``width`` in all, one upwards and one downwards."""
    circuits, nothing = Circuits(margins, truth), np.zeros(margins.size)
    above, below = high - truth, truth - low
    left = []
    for cell in cells:
        for up in (np.ceil(width / 2), width, 0.0, np.floor(width / 2)):
            moves = [(up, above, below), (width - up, below, above)]
            found = [
                circuits.best(int(cell), nothing, plus < step, minus < step) for step, plus, minus in moves if step
            ]
            if all(each is not None and _adds_up(margins, *each) for each in found):
                break
        else:
            left.append(cell)
    return np.array(left, dtype=np.int64)


def _adds_up(margins: Margins, cells: Ints, amounts: Floats) -> bool:
    entry, row, sign = _sums(margins, cells)
    _, number = np.unique(row, return_inverse=True)
    return not np.bincount(number, sign * amounts[entry]).any()


class _Attack:
    """What is seen of one figure: shown cells exactly, hidden ones from their floor upwards."""

    def __init__(self, margins: Margins, figure: Figure, hidden: Bools, need: Need) -> None:
        self.margins, self.figure, self.need = margins, figure, need
        value = figure.value.astype(np.float64)
        closed = margins.published & ~hidden
        self.low, self.high = np.where(closed, value, need.floor), np.where(closed, value, np.inf)
        self.open = ~closed
        self.own: dict[int, list[int]] = defaultdict(list)
        for cell in np.flatnonzero(figure.sole >= 0):
            self.own[int(figure.sole[cell])].append(int(cell))

    def leaves_open(self, cell: int, side: int, person: int) -> bool:
        """Whether an attacker must reckon with the protection level on one side (+1 up, -1 down)."""
        known = {each: float(self.figure.value[each]) for each in self.own[person]} if person >= 0 else {}
        low, high = intervals(self.margins, self.low, self.high, [cell], known)
        value = float(self.figure.value[cell])
        level = float(self.need.up[cell] if side > 0 else self.need.down[cell])
        reached = float(high[0]) - value if side > 0 else value - float(low[0])
        return reached >= level * (1 - NEGLIGIBLE)


def _valid(
    cells: Contributions, hidden: Bools, needs: Sequence[Need], witnesses: tuple[Witness, ...]
) -> dict[tuple[int, int, int], list[Ints]]:
    """By figure, cell and side, the cells of each witness that is one."""
    found: dict[tuple[int, int, int], list[Ints]] = defaultdict(list)
    if not witnesses:
        return found
    number = np.repeat(np.arange(len(witnesses)), [len(each.cells) for each in witnesses])
    moved = np.concatenate([each.cells for each in witnesses])
    amounts = np.concatenate([each.amounts for each in witnesses])
    level = np.array([np.abs(each.amounts[each.cells == each.cell]).sum() for each in witnesses])
    figures = np.array([each.figure for each in witnesses])[number]
    shown = cells.margins.published & ~hidden
    value = np.stack([figure.value.astype(np.float64) for figure in cells.figures])
    floor = np.stack([need.floor for need in needs])
    least = floor[figures, moved] - value[figures, moved]
    wrong = shown[moved] | (amounts < least - NEGLIGIBLE * level[number])
    bad = np.bincount(number, wrong, minlength=len(witnesses)) > 0
    entry, row, sign = _sums(cells.margins, moved)
    sums, inverse = np.unique(
        number[entry] * (len(cells.margins.shape) * cells.margins.size) + row, return_inverse=True
    )
    rest = np.bincount(inverse, sign * amounts[entry], minlength=len(sums))
    owner = sums // (len(cells.margins.shape) * cells.margins.size)
    bad[owner[np.abs(rest) > NEGLIGIBLE * level[owner]]] = True
    for witness, is_bad in zip(witnesses, bad, strict=True):
        own = witness.amounts[witness.cells == witness.cell]
        if is_bad or len(own) != 1 or len(np.unique(witness.cells)) != len(witness.cells):
            continue
        need, side = needs[witness.figure], int(np.sign(own[0]))
        asked = need.up[witness.cell] if side > 0 else need.down[witness.cell]
        if abs(own[0]) >= asked * (1 - NEGLIGIBLE):
            found[witness.figure, witness.cell, side].append(witness.cells)
    return found


def _knowing(figure: Figure, cell: int, proofs: list[Ints], attack: _Attack) -> list[int]:
    """Persons who may recompute a cell by what they know: those whom no witness upwards leaves out."""
    if figure.counts:
        return []
    sets = [{int(person) for person in figure.sole[cells]} for cells in proofs]
    suspects = set.intersection(*sets) if sets else set(attack.own)
    return sorted(suspects - {-1, int(figure.sole[cell])})


def _sums(margins: Margins, cells: Ints) -> tuple[Ints, Ints, Floats]:
    """Each cell's part in the sums of the table: number of the entry in ``cells``, number of the sum, sign.

    The sum of axis a and the group at flat place p has the number ``a * size + p``.
    """
    nodes = np.unravel_index(cells, margins.shape)
    every = np.arange(len(cells))
    entries, rows, signs = [], [], []
    stride = margins.size
    for axis, dimension in enumerate(margins.dimensions):
        stride //= margins.shape[axis]
        parents = np.array(dimension.parents, dtype=np.int64)[nodes[axis]]
        has_children = np.isin(nodes[axis], np.array(dimension.parents))
        for inside, group, sign in ((parents >= 0, parents, 1.0), (has_children, nodes[axis], -1.0)):
            entries.append(every[inside])
            rows.append((axis * margins.size + cells + (group - nodes[axis]) * stride)[inside])
            signs.append(np.full(int(inside.sum()), sign))
    return np.concatenate(entries), np.concatenate(rows), np.concatenate(signs)


def _attacker(margins: Margins, low: Floats, high: Floats) -> tuple[Program, Ints, float]:
    """The attacker's program over the cells that are not known, the column of each cell (-1: known), and its scale."""
    open_cells = np.flatnonzero(low < high)
    place = np.full(margins.size, -1, dtype=np.int64)
    place[open_cells] = np.arange(len(open_cells))
    rows, rest = _program_rows(margins, open_cells, np.where(low < high, 0.0, low))
    finite = np.concatenate([np.abs(rest), np.abs(low[open_cells]), np.abs(high[open_cells])])
    scale = SCALE / max(float(finite[np.isfinite(finite)].max(initial=0.0)), 1.0)
    program = Program(
        rows,
        cost=np.zeros(len(open_cells)),
        lower=low[open_cells] * scale,
        upper=high[open_cells] * scale,
        row_lower=rest * scale,
        row_upper=rest * scale,
    )
    return program, place, scale


def _program_rows(margins: Margins, open_cells: Ints, closed: Floats) -> tuple[Equations, Floats]:
    """The sums that open cells are part of, and what the closed ones leave for them."""
    entry, row, sign = _sums(margins, open_cells)
    wanted, number = np.unique(row, return_inverse=True)
    order = np.argsort(number, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=len(wanted)))])
    others = np.flatnonzero(closed)
    entry_closed, row_closed, sign_closed = _sums(margins, others)
    place = np.searchsorted(wanted, row_closed)
    kept = place < len(wanted)
    kept[kept] = wanted[place[kept]] == row_closed[kept]
    rest = np.bincount(place[kept], sign_closed[kept] * closed[others[entry_closed[kept]]], minlength=len(wanted))
    return Equations(starts, entry[order], sign[order]), -rest.astype(np.float64)

"""Complementary suppression: hide few further cells, so that no primary cell can be worked out from the margins.

Rule: each primary cell must be able to move up and down by its protection levels while every shown cell, every sum and
every lower bound holds; the movement, a *witness*, may only touch hidden cells. And it must not touch cells that one
person knows, being the only one in them, unless another witness leaves those alone (singletons, own-value attack).
Steps: 1. the largest need first, a circuit within what is hidden serves, or else the cheapest movement, by a linear
program, in large tables over the few categories that cost least beside the cell, and failing that by circuits, added
up (hypercube method); 2. cells that turned out superfluous are shown again.
Source: Kelly, Golden and Assad, 1990 (linear programming heuristic); Giessing and Repsilber, 2002; Castro, 2012.
Pure. Deterministic: ties go to the first cell; no clock: the caller's ``stop`` ends the search with the best so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from masking.disclosure.circuits import Circuits
from masking.disclosure.contributions import Contributions, Figure, Floats
from masking.disclosure.margins import Bools, Equations, Ints, Margins
from masking.disclosure.sensitivity import Need
from masking.disclosure.solver import Program

TRIES = 4_000
"""Cells protected anew while superfluous ones are shown again."""
USERS = 32
"""A complementary cell that protects more than this many is not superfluous."""
PROGRAMS = 700
"""Cells, margins included, up to which each movement is a linear program: fewer cells hidden, more time."""
NEAR = 8
"""Leaves of each dimension, on either side of a cell, that a program in a larger table looks at."""
STEPS = 12
"""Circuits that a movement is composed of."""
PARTS = 64
"""Parts of a cell that are moved one by one."""
LOOSE = 1e-3
"""Cost of a cell that only one person is in, beside what it costs anyhow, relative to the cheapest cell."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A movement that an attacker cannot exclude: ``cells`` change by ``amounts``, ``cell`` by its protection level."""

    figure: int
    cell: int
    cells: Ints
    amounts: Floats


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which cells are hidden, flat; the witnesses that protect the primary ones; those that nothing protects."""

    hidden: Bools
    witnesses: tuple[Witness, ...]
    unprotected: tuple[tuple[int, int], ...]

    def cost(self, weights: Floats) -> float:
        """Sum of the weights of hidden cells."""
        return float(weights[self.hidden].sum())


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be protected: figures with their needs, the primary cells, the cost of hiding each cell."""

    cells: Contributions
    needs: Sequence[Need]
    primary: Bools
    weights: Floats

    @property
    def margins(self) -> Margins:
        """The table's structure."""
        return self.cells.margins

    @property
    def fixed(self) -> Bools:
        """Empty cells that are published: everyone sees that they are empty."""
        return (self.cells.persons == 0) & self.margins.published

    @property
    def tasks(self) -> list[tuple[int, int]]:
        """Pairs of figure and primary cell that need protection, the largest share of the figure's need first."""
        found = []
        for number, need in enumerate(self.needs):
            largest = need.up.max(initial=0.0) or 1.0
            found += [(-need.up[cell] / largest, int(cell), number) for cell in np.flatnonzero(need.up > 0)]
        return [(number, cell) for _, cell, number in sorted(found)]


def hide(problem: Problem, *, stop: Callable[[], bool] = lambda: False) -> Pattern:
    """A pattern that protects every primary cell, or names those that it cannot."""
    work = _Work(problem, problem.primary)
    for figure, cell in problem.tasks:
        work.serve(figure, cell)
    work.reduce(stop)
    return work.pattern()


def certify(problem: Problem, hidden: Bools) -> Pattern:
    """The witnesses within a pattern that something else found; it is not changed."""
    work = _Work(problem, hidden, closed=True)
    for figure, cell in problem.tasks:
        work.serve(figure, cell)
    return work.pattern()


class _Work:
    """The state of a search. ``closed``: nothing may be hidden beside what is."""

    def __init__(self, problem: Problem, hidden: Bools, *, closed: bool = False) -> None:
        self.problem = problem
        self.hidden = hidden.copy()
        self.closed = closed
        self.circuits = Circuits(problem.margins, problem.cells.persons)
        self.slack = [
            figure.value - need.floor for figure, need in zip(problem.cells.figures, problem.needs, strict=True)
        ]
        self.free = self.hidden | ~problem.margins.published
        open_cells = ~self.free & ~problem.fixed
        self.cheapest = float(problem.weights[open_cells].min(initial=1.0)) or 1.0
        self.alone = LOOSE * self.cheapest * np.logical_or.reduce([f.sole >= 0 for f in problem.cells.figures])
        self.programs: dict[int, _Movements] = {}
        self.witnesses: dict[tuple[int, int], list[Witness]] = {}
        self.failed: list[tuple[int, int]] = []
        self.known = [_known_cells(figure) for figure in problem.cells.figures]

    def pattern(self) -> Pattern:
        found = [witness for task in sorted(self.witnesses) for witness in self.witnesses[task]]
        return Pattern(self.hidden, tuple(found), tuple(sorted(self.failed)))

    def serve(self, figure: int, cell: int) -> None:
        """Protect one cell in one figure, from outsiders and from every person who knows a cell."""
        found = self._protected(figure, cell, closed=self.closed, use_program=True)
        if found is None:
            self.failed.append((figure, cell))
            return
        self.witnesses[figure, cell] = found
        for witness in found:
            self._hide(witness.cells)

    def reduce(self, stop: Callable[[], bool]) -> None:
        """Show complementary cells again whose witnesses can do without, the most costly first."""
        tries = 0
        extra = np.flatnonzero(self.hidden & ~self.problem.primary)
        for cell in extra[np.argsort(-self.problem.weights[extra], kind="stable")]:
            users = [task for task, found in self.witnesses.items() if any(cell in each.cells for each in found)]
            if stop() or tries + len(users) > TRIES:
                return
            if len(users) > USERS:
                continue
            tries += len(users)
            self.hidden[cell] = self.free[cell] = False
            changed = {}
            for task in users:
                found = self._protected(*task, closed=True, use_program=False)
                if found is None:
                    self.hidden[cell] = self.free[cell] = True
                    break
                changed[task] = found
            else:
                self.witnesses.update(changed)

    def _hide(self, cells: Ints) -> None:
        published = cells[self.problem.margins.published[cells]]
        self.hidden[published] = self.free[published] = True

    def _protected(self, figure: int, cell: int, *, closed: bool, use_program: bool) -> list[Witness] | None:
        """Witnesses up and down, such that nobody's own cells are part of all upward ones.

        Downwards a person who is in the cell knows their own part anyhow, so that side is held against outsiders only.
        """
        task = (figure, cell)
        forbidden = np.zeros(0, dtype=np.int64)
        found: list[Witness] = []
        own = int(self.problem.cells.figures[figure].sole[cell])
        while True:
            new = self._witnesses(task, forbidden, outsiders=not found, closed=closed, use_program=use_program)
            if new is None:
                return None
            found += new
            knowing = self._knowing(figure, cell, found) - {own, -1}
            if not knowing:
                return found
            forbidden = self.known[figure][min(knowing)]

    def _witnesses(
        self, task: tuple[int, int], forbidden: Ints, *, outsiders: bool, closed: bool, use_program: bool
    ) -> list[Witness] | None:
        """Movements in both directions: within what is hidden, if one circuit does it, else the cheapest known way."""
        figure, cell = task
        up = float(self.problem.needs[figure].up[cell])
        down = float(self.problem.needs[figure].down[cell]) if outsiders else 0.0
        cost = np.where(self.free, 0.0, self.problem.weights) + self.alone
        barred = self.problem.fixed | ~self.free
        barred[forbidden] = True
        slack = self.slack[figure]
        circuit = self.circuits.best(cell, self.alone, barred | (slack < down), barred | (slack < up))
        if circuit is not None:
            cells, signs = circuit
            sides = [signs * up, -signs * down] if down > 0 else [signs * up]
            return [Witness(figure, cell, cells, amounts) for amounts in sides]
        if not closed:
            barred = self.problem.fixed.copy()
            barred[forbidden] = True
        small = self.problem.margins.size <= PROGRAMS
        made = []
        for amount in (up, -down) if down > 0 else (up,):
            moved = None
            if use_program and small:
                moved = self._movements(figure).cheapest(cell, amount, cost, np.flatnonzero(barred))
            if use_program and not small:
                moved = self._near(figure, cell, amount, cost, barred)
            if moved is None:
                moved = self._steps(figure, cell, amount, cost, barred)
            if moved is None:
                moved = self._parts(figure, cell, amount, cost, barred)
            if moved is None and use_program and not small:
                moved = self._movements(figure).cheapest(cell, amount, cost, np.flatnonzero(barred))
            if moved is None:
                return None
            made.append(Witness(figure, cell, *moved))
            cost = cost.copy()
            cost[moved[0]] = 0.0
        return made

    def _movements(self, figure: int) -> _Movements:
        if figure not in self.programs:
            self.programs[figure] = _Movements(self.problem, self.slack[figure], self.problem.needs[figure])
        return self.programs[figure]

    def _near(self, figure: int, cell: int, amount: float, cost: Floats, barred: Bools) -> tuple[Ints, Floats] | None:
        """The cheapest movement among a few categories of each dimension: those that cost least beside the cell."""
        margins, nodes = self.problem.margins, np.unravel_index(cell, self.problem.margins.shape)
        slack = self.slack[figure].reshape(margins.shape)
        price = np.where(barred, np.inf, cost).reshape(margins.shape)
        chosen = []
        for axis, dimension in enumerate(margins.dimensions):
            beside = tuple(slice(None) if each == axis else int(node) for each, node in enumerate(nodes))
            order = np.lexsort((-slack[beside][: dimension.leaves], price[beside][: dimension.leaves]))
            below = [leaf for leaf in order if nodes[axis] in dimension.path(int(leaf))][:NEAR]
            others = [leaf for leaf in order if nodes[axis] not in dimension.path(int(leaf))][:NEAR]
            chosen.append(sorted({node for leaf in (*below, *others) for node in dimension.path(int(leaf))}))
        cells = np.ravel_multi_index(np.ix_(*chosen), margins.shape).reshape(-1)
        cells = cells[~self.problem.fixed[cells]]
        if cell not in cells:
            return None
        near = _Movements(self.problem, self.slack[figure], self.problem.needs[figure], np.sort(cells))
        return near.cheapest(cell, amount, cost, np.flatnonzero(barred))

    def _steps(self, figure: int, cell: int, amount: float, cost: Floats, barred: Bools) -> tuple[Ints, Floats] | None:
        """A movement in steps, each the circuit that costs least for how far it goes."""
        moved, sign = np.zeros(len(cost)), float(np.sign(amount))
        left = abs(amount)
        for _ in range(STEPS):
            slack = self.slack[figure] + moved
            best: tuple[float, float, Ints, Floats] | None = None
            for step in dict.fromkeys((left, np.ceil(left / 2), np.ceil(left / 4))):
                tight = barred | (slack < step)
                found = self.circuits.best(cell, cost, *((barred, tight) if sign > 0 else (tight, barred)))
                if found is not None:
                    price = float(cost[found[0]].sum()) / step
                    if best is None or price < best[0]:
                        best = (price, float(step), *found)
            if best is None:
                return None
            moved[best[2]] += sign * best[1] * best[3]
            cost = cost.copy()
            cost[best[2]] = 0.0
            left = abs(amount) - abs(moved[cell])
            if left <= 0:
                used = np.flatnonzero(moved)
                return used, moved[used]
        return None

    def _parts(self, figure: int, cell: int, amount: float, cost: Floats, barred: Bools) -> tuple[Ints, Floats] | None:
        """A movement of a cell that is the sum of others, by moving each part as far as it can go."""
        moved = np.zeros(len(cost))
        parts = self.circuits.parts(cell)
        parts = parts[~barred[parts]]
        order = np.argsort(-self.slack[figure][parts], kind="stable")[:PARTS]
        for part in parts[order]:
            slack, left = self.slack[figure] + moved, abs(amount) - abs(moved[cell])
            step = left if amount > 0 else min(left, float(slack[part]))
            if step <= 0:
                break
            no_plus, no_minus = (barred, barred | (slack < step)) if amount > 0 else (barred | (slack < step), barred)
            found = self.circuits.best(cell, cost, no_plus, no_minus, part=int(part))
            if found is not None:
                moved[found[0]] += np.sign(amount) * step * found[1]
                cost = np.where(moved != 0, 0.0, cost)
                if moved[cell] == amount:
                    used = np.flatnonzero(moved)
                    return used, moved[used]
        return None

    def _knowing(self, figure: int, cell: int, found: list[Witness]) -> set[int]:
        """Persons who know some cell of every witness upwards; who counts one knows no cell by that."""
        if self.problem.cells.figures[figure].counts:
            return set()
        sole = self.problem.cells.figures[figure].sole
        return set.intersection(
            *(set(sole[each.cells].tolist()) for each in found if each.amounts[each.cells == cell][0] > 0)
        )


class _Movements:
    """The cheapest movement of a cell by a given amount, as a linear program over all cells that may change."""

    def __init__(self, problem: Problem, slack: Floats, need: Need, columns: Ints | None = None) -> None:
        self.columns = np.flatnonzero(~problem.fixed) if columns is None else columns
        self.place = np.full(problem.margins.size, -1, dtype=np.int64)
        self.place[self.columns] = np.arange(len(self.columns))
        self.slack = slack[self.columns]
        rows = _both_signs(problem.margins.equations, self.place, len(self.columns))
        count, width = len(rows.starts) - 1, len(self.columns)
        self.unit = float(np.median(need.up[need.up > 0]))
        self.rise, self.fall = np.full(width, np.inf), self.slack / self.unit
        self.upper = np.concatenate([self.rise, self.fall])
        self.lower, self.price = np.zeros(2 * width), np.zeros(2 * width)
        self.program = Program(
            rows,
            cost=self.price,
            lower=self.lower,
            upper=self.upper,
            row_lower=np.zeros(count),
            row_upper=np.zeros(count),
        )

    def cheapest(self, cell: int, amount: float, cost: Floats, barred: Ints) -> tuple[Ints, Floats] | None:
        """Cells and amounts; ``barred`` cells do not move."""
        own, width = int(self.place[cell]), len(self.columns)
        upper = np.concatenate([self.rise, self.fall])
        still = self.place[barred]
        still = still[(still >= 0) & (still != own)]
        upper[still] = upper[still + width] = 0.0
        lower = np.zeros(2 * width)
        side, other = (own, width + own) if amount > 0 else (width + own, own)
        lower[side] = upper[side] = abs(amount) / self.unit
        upper[other] = 0.0
        self._change(lower, upper, np.tile(cost[self.columns] / max(float(cost.max()), 1e-300), 2))
        found = self.program.solve()
        if found is None:
            return None
        moved = found.values[:width] - found.values[width:]
        moved[np.abs(moved) < 1e-9 * moved[own]] = 0.0
        used = np.flatnonzero(moved)
        return self.columns[used], moved[used] * self.unit

    def _change(self, lower: Floats, upper: Floats, price: Floats) -> None:
        """Tell the solver only what is new: it goes on from its last solution."""
        new = np.flatnonzero((lower != self.lower) | (upper != self.upper))
        self.program.bounds(new, lower[new], upper[new])
        dear = np.flatnonzero(price != self.price)
        self.program.cost(dear, price[dear])
        self.lower, self.upper, self.price = lower, upper, price


def _both_signs(equations: Equations, place: Ints, width: int) -> Equations:
    """The equations over rises and falls of the cells that have a place."""
    rows = np.repeat(np.arange(len(equations.starts) - 1), np.diff(equations.starts))
    kept = place[equations.cells] >= 0
    rows, cells, signs = rows[kept], place[equations.cells[kept]], equations.signs[kept]
    order = np.argsort(np.concatenate([rows, rows]), kind="stable")
    cells, signs = np.concatenate([cells, cells + width])[order], np.concatenate([signs, -signs])[order]
    starts = np.concatenate([[0], np.cumsum(2 * np.bincount(rows, minlength=len(equations.starts) - 1))])
    return Equations(starts, cells, signs)


def _known_cells(figure: Figure) -> dict[int, Ints]:
    """For each person the cells that only they are in."""
    alone = np.flatnonzero(figure.sole >= 0)
    order = alone[np.argsort(figure.sole[alone], kind="stable")]
    persons, starts = np.unique(figure.sole[order], return_index=True)
    return {int(person): part for person, part in zip(persons, np.split(order, starts[1:]), strict=False)}

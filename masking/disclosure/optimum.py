"""The least costly pattern of hidden cells, for tables small enough to prove it.

Rule: choose hidden cells (whole numbers 0 or 1) of least cost; for each choice solve the attackers' programs; where an
attacker comes too close, the prices of its program say which cells at least would have had to be hidden (a cut). When
no attacker succeeds the choice is optimal, because every cut holds for every pattern that protects.
Source: Fischetti and Salazar, 2001, Management Science 47(7).
Pure. Deterministic: no clock; the caller's ``stop`` and the limits on rounds and nodes end the search without a result.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from masking.disclosure.complementary import Pattern, Problem, certify
from masking.disclosure.contributions import Floats
from masking.disclosure.margins import Bools, Equations, Ints
from masking.disclosure.solver import Program

LARGEST = 300
"""Cells that may be hidden or not; above this the search of ``complementary`` stands alone."""
ROUNDS = 60
NODES = 2_000
FAR = 1e3
"""How far, in protection levels, an attacker's cell may move."""


def cheapest(problem: Problem, start: Pattern, *, stop: Callable[[], bool] = lambda: False) -> Pattern | None:
    """The least costly protecting pattern, or None if it was not proven within the limits. ``start`` protects."""
    choice = np.flatnonzero(problem.margins.published & ~problem.fixed)
    if len(choice) > LARGEST or start.unprotected:
        return None
    search = _Search(problem, choice, start.hidden)
    for _ in range(ROUNDS):
        hidden = search.choose()
        if hidden is None or stop():
            return None
        if not search.cut(hidden):
            found = certify(problem, hidden)
            return found if not found.unprotected else None
    return None


class _Search:
    def __init__(self, problem: Problem, choice: Ints, start: Bools) -> None:
        self.problem, self.choice = problem, choice
        self.column = np.full(problem.margins.size, -1, dtype=np.int64)
        self.column[choice] = np.arange(len(choice))
        rows, lower = self._no_bridges()
        self.master = Program(
            rows,
            cost=problem.weights[choice],
            lower=problem.primary[choice].astype(np.float64),
            upper=np.ones(len(choice)),
            row_lower=lower,
            row_upper=np.full(len(lower), np.inf),
            whole=np.ones(len(choice), dtype=bool),
            nodes=NODES,
        )
        self.start = start[choice].astype(np.float64)
        self.movable = np.flatnonzero(~problem.fixed)
        place = np.full(problem.margins.size, -1, dtype=np.int64)
        place[self.movable] = np.arange(len(self.movable))
        self.place = place
        zeros = np.zeros(len(self.movable))
        equations = _restricted(problem.margins.equations, place)
        count = len(equations.starts) - 1
        self.attacker = Program(
            equations, cost=zeros, lower=zeros, upper=zeros, row_lower=np.zeros(count), row_upper=np.zeros(count)
        )

    def choose(self) -> Bools | None:
        """The least costly choice that all cuts so far allow."""
        self.master.start_from(self.start)
        found = self.master.solve()
        if found is None or not found.proven:
            return None
        hidden = np.zeros(self.problem.margins.size, dtype=bool)
        hidden[self.choice] = found.values > 0.5
        return hidden

    def cut(self, hidden: Bools) -> int:
        """Add a cut for every attacker who succeeds against a choice; returns how many did."""
        cuts = 0
        for figure, cell in self.problem.tasks:
            need = self.problem.needs[figure]
            if need.down[cell] > 0:
                cuts += self._attack(hidden, figure, cell, -float(need.down[cell]), -1)
            made = self._attack(hidden, figure, cell, float(need.up[cell]), -1)
            cuts += made
            if not made and not self.problem.cells.figures[figure].counts:
                sole = self.problem.cells.figures[figure].sole
                for person in sorted(set(sole.tolist()) - {-1, int(sole[cell])}):
                    cuts += self._attack(hidden, figure, cell, float(need.up[cell]), person)
        return cuts

    def _attack(self, hidden: Bools, figure: int, cell: int, amount: float, person: int) -> int:
        """Push a cell as far as it goes; 1 if that is too little and a cut says so."""
        unit, sign = abs(amount), float(np.sign(amount))
        slack = self.problem.cells.figures[figure].value - self.problem.needs[figure].floor
        fall = np.minimum(slack[self.movable] / unit, FAR)
        rise = np.full(len(fall), FAR)
        if person >= 0:
            own = self.problem.cells.figures[figure].sole[self.movable] == person
            fall[own] = rise[own] = 0.0
        free = (hidden | ~self.problem.margins.published)[self.movable]
        every = np.arange(len(fall))
        self.attacker.bounds(every, np.where(free, -fall, 0.0), np.where(free, rise, 0.0))
        cost = np.zeros(len(fall))
        cost[self.place[cell]] = -sign
        self.attacker.cost(every, cost)
        found = self.attacker.solve()
        if found is None or -found.objective >= 1 - 1e-7:
            return 0
        reach = np.minimum(np.where(found.reduced < 0, -found.reduced * rise, found.reduced * fall), 1.0)
        published = self.problem.margins.published[self.movable]
        given = float(reach[~published].sum())
        columns = self.column[self.movable[published & (reach > 1e-9)]]
        self.master.add_row(columns, reach[published & (reach > 1e-9)], 1.0 - given - 1e-9)
        return 1

    def _no_bridges(self) -> tuple[Equations, Floats]:
        """No sum has exactly one hidden cell: it would be what the others leave."""
        equations, starts, cells, signs = self.problem.margins.equations, [0], [], []
        for first, last in zip(equations.starts[:-1], equations.starts[1:], strict=True):
            inside = equations.cells[first:last]
            if self.problem.margins.published[inside].all():
                columns = self.column[inside][self.column[inside] >= 0]
                for one in columns:
                    cells.append(np.concatenate([[one], columns[columns != one]]))
                    signs.append(np.concatenate([[-1.0], np.ones(len(columns) - 1)]))
                    starts.append(starts[-1] + len(columns))
        if not cells:
            return Equations(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0)), np.zeros(0)
        return Equations(np.array(starts), np.concatenate(cells), np.concatenate(signs)), np.zeros(len(starts) - 1)


def _restricted(equations: Equations, place: Ints) -> Equations:
    """The equations over the cells that have a place."""
    rows = np.repeat(np.arange(len(equations.starts) - 1), np.diff(equations.starts))
    kept = place[equations.cells] >= 0
    counts = np.bincount(rows[kept], minlength=len(equations.starts) - 1)
    return Equations(np.concatenate([[0], np.cumsum(counts)]), place[equations.cells[kept]], equations.signs[kept])

"""Rounding of counts to a base: controlled, so that margins stay sums, or at random by key.

Rules: *zero-restricted controlled rounding*: each count goes to one of the two multiples of the base next to it (one
that is a multiple stays) and every sum holds among the rounded counts; of all such tables the one nearest to the
counts, or to their random rounding by draws, is taken. Two dimensions always have one. In more there may be none: then
counts may go one base further; at last, and in large tables at once, the leaves are rounded in turn, so that running
totals stay near, and summed: margins may then move further.
*Random rounding*: up with the probability
that keeps the expectation; the draws come from keys, so that the same persons are rounded the same way everywhere.
Source: Cox, 1987 (controlled rounding); Salazar, 2005; Hundepool et al., 2012, 5.4.
Pure: takes whole numbers and draws, returns whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from masking.disclosure.contributions import Floats
from masking.disclosure.margins import Bools, Equations, Ints, Margins
from masking.disclosure.solver import Program

NODES: Final = 5_000
PROGRAM: Final = 1_500
"""Cells of a table of three or more dimensions up to which the program is solved; in two it is a flow, and easy."""
BEYOND: Final = 16.0
"""Cost of going one base beyond the neighbours, in bases; every unit of distance costs one over the base."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """Rounded counts, flat; the furthest any moved; whether no additive table is nearer."""

    values: Ints
    furthest: int
    proven: bool


def random_rounding(values: Ints, base: int, uniforms: Floats) -> Ints:
    """To a multiple of ``base`` next to each value, up with probability remainder / base. Not additive.

    ``uniforms``: a draw in (0, 1) for each value.
    """
    remainder = values % base
    return values - remainder + base * (uniforms * base < remainder)


def controlled_rounding(margins: Margins, values: Ints, base: int, uniforms: Floats | None = None) -> Rounded:
    """Round counts (at least 0, flat, one a cell) so that every published sum holds.

    ``uniforms``: draws that decide which way each would go by itself; None: the nearer way, ties up.
    """
    remainder = values % base
    down = values - remainder
    target = (remainder * 2 >= base) if uniforms is None else (uniforms * base < remainder)
    hard = len(margins.dimensions) > 2 and margins.size > PROGRAM
    for beyond in () if hard else (False, True):
        found = _solved(margins, down // base, remainder / base, target, beyond=beyond)
        if found is not None:
            rounded = found[0] * base
            return Rounded(rounded, int(np.abs(rounded - values).max(initial=0)), found[1])
    rounded = _in_turn(margins, values, base, 0.5 if uniforms is None else float(uniforms[-1]))
    return Rounded(rounded, int(np.abs(rounded - values).max(initial=0)), proven=False)


def _solved(margins: Margins, floor: Ints, rest: Floats, target: Bools, *, beyond: bool) -> tuple[Ints, bool] | None:
    """Multiples of the base for each cell, and whether they are proven to be the nearest."""
    size = margins.size
    equations = _published_equations(margins)
    if not len(equations.starts) - 1:
        return floor + target, True
    upper = (rest > 0).astype(np.float64)
    cost = np.where(rest > 0, np.where(target, -1.0, 1.0) + (0.5 - rest) / 4, 0.0)
    sums = np.repeat(np.arange(len(equations.starts) - 1), np.diff(equations.starts))
    missing = -np.bincount(sums, equations.signs * floor[equations.cells], len(equations.starts) - 1).astype(np.float64)
    blocks = [(equations.cells, equations.signs)]
    if beyond:  # one more base up, one more down; a count never goes below 0
        blocks += [(equations.cells + size, equations.signs), (equations.cells + 2 * size, -equations.signs)]
        upper = np.concatenate([upper, np.ones(size), (floor > 0).astype(np.float64)])
        cost = np.concatenate([cost, np.full(2 * size, BEYOND)])
    order = np.argsort(np.tile(sums, len(blocks)), kind="stable")
    rows = Equations(
        equations.starts * len(blocks),
        np.concatenate([cells for cells, _ in blocks])[order],
        np.concatenate([signs for _, signs in blocks])[order],
    )
    found = Program(
        rows,
        cost=cost,
        lower=np.zeros(len(cost)),
        upper=upper,
        row_lower=missing,
        row_upper=missing,
        whole=np.ones(len(cost), dtype=bool),
        nodes=NODES,
    ).solve()
    if found is None:
        return None
    steps = np.rint(found.values).astype(np.int64)
    rounded = floor + steps[:size]
    if beyond:
        rounded = rounded + steps[size : 2 * size] - steps[2 * size :]
    return rounded, found.proven


def _published_equations(margins: Margins) -> Equations:
    """The sums that are published as a whole."""
    equations = margins.equations
    sums = np.repeat(np.arange(len(equations.starts) - 1), np.diff(equations.starts))
    hidden = np.bincount(sums, ~margins.published[equations.cells], minlength=len(equations.starts) - 1) > 0
    kept = ~hidden[sums]
    widths = np.diff(equations.starts)[~hidden]
    return Equations(np.concatenate([[0], np.cumsum(widths)]), equations.cells[kept], equations.signs[kept])


def _in_turn(margins: Margins, values: Ints, base: int, start: float) -> Ints:
    """Each leaf becomes what its running total adds when that is rounded: the multiple below or above it.

    Leaves that follow each other, all of a category of the first dimension among them, move by less than a base.
    """
    leaves = tuple(slice(0, dimension.leaves) for dimension in margins.dimensions)
    cube = values.reshape(margins.shape).copy()
    running = np.concatenate([[0], np.cumsum(cube[leaves].reshape(-1))]) + int(start * base)
    cube[leaves] = (np.diff(running // base) * base).reshape(cube[leaves].shape)
    return _summed(margins, cube.reshape(-1))


def _summed(margins: Margins, values: Ints) -> Ints:
    """The leaves as they are, every group the sum of its leaves."""
    cube = values.reshape(margins.shape).copy()
    for axis, dimension in enumerate(margins.dimensions):
        by_node = np.moveaxis(cube, axis, 0)
        for group in range(dimension.leaves, len(dimension.labels)):
            leaves = [leaf for leaf in range(dimension.leaves) if group in dimension.path(leaf)]
            if leaves:
                by_node[group] = by_node[leaves].sum(axis=0)
    return cube.reshape(-1)

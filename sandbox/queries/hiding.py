"""Which figures are hidden so that a hidden one cannot be had back from others, in any table that can be asked for.

Rule: a figure is primary by its noisy value alone. Wherever exactly one figure of a sum (a cell of a table, and the
cells of a finer table that add up to it) is hidden, the smallest other one is hidden too, until there is none. Then an
audit looks for figures that follow from several sums together: a random vector is projected onto the movements that all
sums allow, and a hidden figure that no movement moves is fixed by the shown ones; another of its sums is hidden then.
The sums between tables that differ by one dimension are all there are: tables that agree on all margins always have a
(signed) cube above them, and noisy figures may be negative.
Whoever got a hidden figure back would hold a noisy one, which says no more than shown ones do: this is for what
officials expect of "hidden", the protection is the noise.
Source: Hundepool et al., Statistical Disclosure Control, 2012, 4.4 (secondary suppression, audit); PRIVACY 20. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Table = tuple[int, ...]
"""Places of its dimensions, ascending."""
STILL: Final = 1e-6
"""A figure that moves less than this, when the others move by about one, does not move."""
PRECISE: Final = 1e-11
STEPS: Final = 5000
ROUNDS: Final = 200


@dataclass(frozen=True, slots=True)
class _Step:
    """A coarse table and a finer one; ``axis``: where the finer one has its further dimension."""

    coarse: Table
    fine: Table
    axis: int


def hide(values: Mapping[Table, Ints], primary: Mapping[Table, Bools]) -> dict[Table, Bools]:
    """All that is hidden. ``values``: each askable table, shaped; the smallest figures are hidden first."""
    hidden = {table: flags.copy() for table, flags in primary.items()}
    steps = list(_steps(values))
    size = {table: np.abs(each).astype(np.float64) for table, each in values.items()}
    for _ in range(ROUNDS):
        while _no_single(steps, size, hidden):
            pass
        fixed = recoverable(hidden)
        if not any(flags.any() for flags in fixed.values()):
            return hidden
        _hide_beside(steps, size, hidden, fixed)
    return {table: np.ones_like(flags) for table, flags in hidden.items()}


def recoverable(hidden: Mapping[Table, Bools]) -> dict[Table, Bools]:
    """The hidden figures that the shown ones fix, by any combination of sums."""
    found = {table: np.zeros_like(flags) for table, flags in hidden.items()}
    numbers, unknown = _numbered(hidden)
    if not unknown:
        return found
    entry, row, sign = _sums(hidden, numbers)
    rows = int(row.max()) + 1 if len(row) else 0
    moved = np.abs(_projected(entry, row, sign, rows, unknown))
    for table, flags in hidden.items():
        found[table][flags] = moved[numbers[table][flags]] < STILL
    return found


def _steps(tables: Mapping[Table, object]) -> Iterator[_Step]:
    for fine in tables:
        for axis in range(len(fine)):
            coarse = fine[:axis] + fine[axis + 1 :]
            if coarse in tables:
                yield _Step(coarse, fine, axis)


def _no_single(steps: Sequence[_Step], size: Mapping[Table, Floats], hidden: Mapping[Table, Bools]) -> bool:
    """Hide a second figure of every sum that has one; True if there was any."""
    changed = False
    for step in steps:
        fine, coarse = _lines(hidden[step.fine], step), hidden[step.coarse].reshape(-1)
        lone = np.flatnonzero(fine.sum(axis=1) + coarse == 1)
        if not len(lone):
            continue
        changed = True
        weights = np.where(fine[lone], np.inf, _lines(size[step.fine], step)[lone])
        smallest = weights.argmin(axis=1)
        has_other = np.isfinite(weights[np.arange(len(lone)), smallest])
        fine[lone[has_other], smallest[has_other]] = True
        coarse[lone[~has_other]] = True
        _put(hidden[step.fine], fine, step)
        hidden[step.coarse].reshape(-1)[:] = coarse
    return changed


def _hide_beside(
    steps: Sequence[_Step], size: Mapping[Table, Floats], hidden: Mapping[Table, Bools], fixed: Mapping[Table, Bools]
) -> None:
    """Hide one more figure in a sum of each figure that is fixed: the smallest of the first sum that has one."""
    for step in steps:
        fine, coarse = _lines(hidden[step.fine], step), hidden[step.coarse].reshape(-1)
        touched = np.flatnonzero(_lines(fixed[step.fine], step).any(axis=1) | fixed[step.coarse].reshape(-1))
        if not len(touched):
            continue
        weights = np.where(fine[touched], np.inf, _lines(size[step.fine], step)[touched])
        smallest = weights.argmin(axis=1)
        has_other = np.isfinite(weights[np.arange(len(touched)), smallest])
        fine[touched[has_other], smallest[has_other]] = True
        coarse[touched[~has_other]] = True
        _put(hidden[step.fine], fine, step)
        hidden[step.coarse].reshape(-1)[:] = coarse


def _lines(table: npt.NDArray[Any], step: _Step) -> npt.NDArray[Any]:
    """One line for each cell of the coarse table: the cells that add up to it. A copy."""
    moved = np.moveaxis(table, step.axis, -1)
    return moved.reshape(-1, moved.shape[-1]).copy()


def _put(table: Bools, lines: npt.NDArray[Any], step: _Step) -> None:
    moved = np.moveaxis(table, step.axis, -1)
    moved[...] = lines.reshape(moved.shape)


def _numbered(hidden: Mapping[Table, Bools]) -> tuple[dict[Table, Ints], int]:
    """A number for each hidden figure; -1 for shown ones."""
    numbers, start = {}, 0
    for table, flags in hidden.items():
        count = int(flags.sum())
        numbers[table] = np.full(flags.shape, -1, dtype=np.int64)
        numbers[table][flags] = np.arange(start, start + count)
        start += count
    return numbers, start


def _sums(hidden: Mapping[Table, Bools], numbers: Mapping[Table, Ints]) -> tuple[Ints, Ints, Floats]:
    """The hidden figures of every sum that has any: number of the figure, of the sum, and sign."""
    entries, rows, signs, start = [], [], [], 0
    for step in _steps(hidden):
        fine = _lines(numbers[step.fine], step)
        coarse = numbers[step.coarse].reshape(-1)
        line, place = np.nonzero(fine >= 0)
        own = np.flatnonzero(coarse >= 0)
        entries += [fine[line, place], coarse[own]]
        rows += [start + line, start + own]
        signs += [np.ones(len(line)), -np.ones(len(own))]
        start += len(coarse)
    if not entries:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    used, row = np.unique(np.concatenate(rows), return_inverse=True)
    del used
    return np.concatenate(entries).astype(np.int64), row.astype(np.int64), np.concatenate(signs)


def _projected(entry: Ints, row: Ints, sign: Floats, rows: int, unknown: int) -> Floats:
    """A random vector without its part that the sums fix (conjugate gradients for least squares, residual only)."""
    rest = np.random.default_rng(20).normal(size=unknown)
    if not rows:
        return rest

    def added(vector: Floats) -> Floats:
        return np.bincount(row, sign * vector[entry], minlength=rows).astype(np.float64)

    def spread(vector: Floats) -> Floats:
        return np.bincount(entry, sign * vector[row], minlength=unknown).astype(np.float64)

    gradient = added(rest)
    direction, length = gradient.copy(), float(gradient @ gradient)
    start = length
    for _ in range(STEPS):
        if length <= PRECISE**2 * start:
            break
        image = spread(direction)
        step = length / float(image @ image)
        rest = rest - step * image
        gradient = added(rest)
        shorter = float(gradient @ gradient)
        direction = gradient + (shorter / length) * direction
        length = shorter
    return rest

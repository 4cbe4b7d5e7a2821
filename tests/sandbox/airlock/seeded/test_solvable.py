"""Gaps that all totals together pin down, beside plain subtraction, and gaps that stay open."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.airlock.checks.solvable import pinned_down
from sandbox.airlock.checks.totals import TOTAL, _lines, _opened, check_totals
from sandbox.airlock.limits import default_limits
from tests.sandbox.airlock.seeded.test_raw_groups import typed

LIMITS = default_limits()


def table(counts: np.ndarray, hidden: set[tuple[object, object]]) -> dict[tuple[object, ...], float | None]:
    """All cells of a table of two dimensions with its totals; those of ``hidden`` are gaps."""
    rows, columns = counts.shape
    cells: dict[tuple[object, ...], float | None] = {}
    for row, column in itertools.product([*range(rows), TOTAL], [*range(columns), TOTAL]):
        part = counts[slice(None) if row is TOTAL else row, ...]
        part = part[..., slice(None) if column is TOTAL else column]
        cells[row, column] = None if (row, column) in hidden else float(part.sum())
    return cells


def solved(cells: dict[tuple[object, ...], float | None]) -> set[tuple[object, ...]]:
    return pinned_down(cells, total=TOTAL, threshold=10, rounding=5)


COUNTS = np.array([[50, 55, 300, 20], [60, 65, 70, 400], [500, 600, 75, 80]])
BLOCK = {(0, 0), (0, 1), (1, 0), (1, 1)}
TOGETHER = BLOCK | {(1, 2), (2, 2), (2, 3), (2, TOTAL), (TOTAL, 3), (TOTAL, TOTAL)}
"""Every line has two gaps; rows 0 and 1 less columns 0 and 1 leave (1, 2), and with it (2, 2)."""


def test_totals_together_open_what_no_line_alone_does():
    cells = table(COUNTS, TOGETHER)
    assert _opened(cells, _lines(cells), 10) == set()
    assert solved(cells) == {(1, 2), (2, 2)}
    assert solved(table(COUNTS, BLOCK)) == set()  # a block of four stays open


def test_the_check_says_so():
    names = [*"abc", "合计"], [*"uvwx", "合计"]
    lines = ["x,y,n"]
    for (row, column), count in table(COUNTS, TOGETHER).items():
        x = names[0][3 if row is TOTAL else row]
        y = names[1][4 if column is TOTAL else column]
        lines.append(f"{x},{y},{'' if count is None else int(count)}")
    assert {f.rule: f.count for f in check_totals(typed("\n".join([*lines, ""])), LIMITS)} == {"suppressed_by_total": 2}


@pytest.mark.parametrize(("largest", "count"), [(4, 4), (40, 0)])
def test_a_narrow_block_is_pinned_down(largest: int, count: int):
    """A block of four moves by the least of its cells on either side."""
    counts = np.array([[largest, largest, 100], [largest, largest, 100], [100, 100, 100]])
    assert len(solved(table(counts, BLOCK))) == count


def test_rounded_figures_that_do_not_add_up_lie_within_half_a_step():
    cells = table(np.array([[50, 55, 300], [60, 65, 70], [500, 600, 75]]), BLOCK)
    cells[0, TOTAL] += 5
    assert solved(cells) == set()


@pytest.mark.parametrize("cells", [{}, {("a",): None}, {("a",): None, ("b",): 5.0}, {("a",): 5.0, (TOTAL,): 5.0}])
def test_without_gaps_or_totals_there_is_nothing_to_solve(cells):
    assert pinned_down(cells, total=TOTAL, threshold=10, rounding=5) == set()


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_gap_alone_in_its_line_is_always_found(data: st.DataObject):
    counts = np.array(
        data.draw(st.lists(st.lists(st.integers(0, 300), min_size=3, max_size=3), min_size=3, max_size=3))
    )
    hidden = data.draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=5))
    found = solved(table(counts, hidden))
    alone = {
        cell
        for cell in hidden
        if sum(other[0] == cell[0] for other in hidden) == 1 or sum(other[1] == cell[1] for other in hidden) == 1
    }
    assert alone <= found <= hidden

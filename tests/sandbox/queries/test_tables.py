"""The published set: mutually consistent, the same at every run, and what is hidden stays hidden in every table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.queries import tables
from sandbox.queries.counting import Counted
from sandbox.queries.design import Design, base_cells_of, sparse, to_drop
from sandbox.queries.hiding import hide, recoverable
from sandbox.queries.noise import cell_noise
from sandbox.queries.registration import Registration
from tests.sandbox.queries.cubes import counted, noisy, persons_table, registered, shown

FOUR = """\
version: 1
dataset: d
attributes:
  a: {role: quasi_identifier, technique: keep, codes: [1, 2]}
  b: {role: quasi_identifier, technique: keep, codes: [1, 2, 3]}
  c: {role: quasi_identifier, technique: keep, codes: [1, 2]}
  d: {role: quasi_identifier, technique: keep, codes: [1, 2]}
  m: {role: sensitive}
sandbox:
  tables:
    dimensions: {a: {other: false}, b: {other: false}, c: {other: false}, d: {other: false}}
    measures: {m: {lower: -50, upper: 150}}
"""


def cube(seed: int, level: float, registration: Registration) -> Counted:
    """A base cube with small and empty cells."""
    rng = np.random.default_rng(seed)
    persons = rng.poisson(rng.gamma(0.5, level, registration.cells))
    return Counted(persons, (rng.integers(-500_000, 500_000, registration.cells) * (persons > 0),))


def published(seed: int, level: float):
    registration = registered(FOUR)
    base = noisy(registration, cube(seed, level, registration), key=seed.to_bytes(32, "big"))
    return registration, base, tables.published(base, registration, Design.of(registration, 1))


def figures(registration: Registration, table, values) -> np.ndarray:
    """As an array of the table's shape, NaN where hidden."""
    flat = [math.nan if each is None else each for each in values]
    return np.array(flat).reshape([registration.shape[place] for place in table])


@given(st.integers(0, 10_000), st.sampled_from([20.0, 200.0, 2000.0]))
@settings(max_examples=15, deadline=None)
def test_any_two_tables_agree_on_what_they_share(seed, level):
    registration, _, found = published(seed, level)
    for fine, content in found.items():
        for axis in range(len(fine)):
            coarse = fine[:axis] + fine[axis + 1 :]
            for get, tolerance in ((lambda c: c["count"], 0), (lambda c: c["sums"]["m"]["sum"], 1e-6)):
                added = figures(registration, fine, get(content)).sum(axis=axis)
                own = figures(registration, coarse, get(found[coarse]))
                both = ~np.isnan(added) & ~np.isnan(own)
                assert np.allclose(added[both], own[both], atol=tolerance, rtol=1e-12)


@given(st.integers(0, 10_000), st.sampled_from([20.0, 100.0, 600.0]))
@settings(max_examples=15, deadline=None)
def test_what_is_hidden_follows_from_no_shown_figures(seed, level):
    """By linear algebra on its own: a hidden figure is no combination of shown ones."""
    registration, _, found = published(seed, level)
    for values in (
        {table: content["count"] for table, content in found.items()},
        {table: content["sums"]["m"]["sum"] for table, content in found.items()},
    ):
        rows = _rows(registration)
        away = np.concatenate([[each is None for each in values[table]] for table in values])
        if not away.any():
            continue
        seen, gone = rows[~away], rows[away]
        if not len(seen):
            continue
        basis = np.linalg.svd(seen, full_matrices=False)
        kept = basis[2][basis[1] > 1e-9]
        left = gone - gone @ kept.T @ kept
        assert np.linalg.norm(left, axis=1).min() > 1e-6


def _rows(registration: Registration) -> np.ndarray:
    """Every figure of every askable table as a sum of base cells."""
    unit = np.eye(registration.cells).reshape(-1, *registration.shape)
    parts = []
    for table in registration.askable():
        others = tuple(1 + axis for axis in range(len(registration.shape)) if axis not in table)
        parts.append(unit.sum(axis=others).reshape(registration.cells, -1))
    return np.concatenate(parts, axis=1).T


def test_the_audit_finds_what_a_single_sum_does_not_show():
    """A 3 x 3 table with three hidden figures in a triangle and known margins: each sum has two, one is still fixed."""
    hidden = {
        (): np.array(False), (0,): np.zeros(3, bool), (1,): np.zeros(3, bool),
        (0, 1): np.array([[True, True, False], [True, True, False], [False, False, False]]),
    }  # fmt: skip
    assert not recoverable(hidden)[(0, 1)].any()
    hidden[(0, 1)][1, 1] = False  # three of the square are left: all follow
    assert recoverable(hidden)[(0, 1)].sum() == 3
    values = {table: np.full(flags.shape, 100, dtype=np.int64) for table, flags in hidden.items()}
    assert not any(each.any() for each in recoverable(hide(values, hidden)).values())


def test_nothing_else_is_hidden_where_nothing_is_small():
    registration = registered()
    found = shown(registration, persons_table())
    assert not any(each is None for content in found.values() for each in content["count"])


def test_a_figure_below_threshold_or_error_is_never_shown():
    registration, _, found = published(3, 100.0)
    design = Design.of(registration, 1)
    for table, content in found.items():
        least = max(registration.threshold, design.count_error(base_cells_of(registration, table)))
        assert all(each is None or each >= least for each in content["count"])
        for value, mean in zip(content["sums"]["m"]["sum"], content["sums"]["m"]["mean"], strict=True):
            assert (value is None) == (mean is None)  # one would give the other
            assert value is None or abs(value) * 0.5 >= 150  # nobody can hold more than half
        for value, persons in zip(content["sums"]["m"]["sum"], content["count"], strict=True):
            assert value is None or persons is not None


def test_what_is_shown_depends_on_the_noisy_base_alone():
    """The same noisy base out of two different true ones gives the same bytes: suppression looks at nothing else."""
    registration, base, found = published(5, 300.0)
    again = tables.published(tables.Noisy(base.persons.copy(), base.sums), registration, Design.of(registration, 1))
    assert [tables.packed(each) for each in again.values()] == [tables.packed(each) for each in found.values()]


def test_shown_figures_are_the_noisy_base_that_the_attacks_see():
    """What ties the battery to the product: no figure holds more than the base, and none is another number."""
    registration = registered()
    base = noisy(registration, counted(registration, persons_table()))
    found = tables.published(base, registration, Design.of(registration, 1))
    assert found[0, 1, 2]["count"] == base.persons.reshape(-1).tolist()
    for table, content in found.items():
        others = tuple(axis for axis in range(3) if axis not in table)
        assert content["count"] == np.asarray(base.persons.sum(axis=others)).reshape(-1).tolist()


def test_computing_twice_makes_the_same_cube_and_another_intake_another():
    registration, table = registered(), persons_table(2000)
    assert shown(registration, table) == shown(registration, table.take(list(range(1999, -1, -1))), batch=77)
    assert shown(registration, table) != shown(registration, table, key=b"o" * 32)


def test_zero_cells_get_noise():
    registration = registered()
    empty = counted(registration, persons_table(10).slice(0, 0))
    base = noisy(registration, empty)
    assert (base.persons != 0).mean() > 0.8
    assert (base.sums[0] != 0).mean() > 0.8


def test_noise_is_normal_with_the_stated_deviation_and_independent_of_its_neighbours():
    drawn = cell_noise(b"s" * 16, 200_000, 9.0)
    assert abs(drawn.mean()) < 0.1
    assert drawn.std() == pytest.approx(math.sqrt(81 + 1 / 12), rel=0.01)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01
    assert np.abs(drawn).max() > 3.8 * 9
    assert abs((np.abs(drawn) > 1.96 * 9).mean() - 0.05) < 0.005


def test_stated_errors_hold_what_they_say():
    """The share of figures within their error, over many cubes, is 95 %."""
    registration = registered()
    found = counted(registration, persons_table())
    design, inside, count = Design.of(registration, 1), 0, 0
    true = found.persons.reshape(registration.shape)
    sums = found.sums[0].reshape(registration.shape) + registration.measures[0].middle * true
    for _ in range(60):
        published = tables.published(noisy(registration, found), registration, design)
        for table, content in published.items():
            others = tuple(axis for axis in range(3) if axis not in table)
            for values, errors, exact in (
                (content["count"], [content["count_error"]] * 99, true.sum(axis=others)),
                (content["sums"]["cost"]["sum"], [content["sums"]["cost"]["sum_error"]] * 99,
                 sums.sum(axis=others) * registration.measures[0].grid),
                (content["sums"]["cost"]["mean"], content["sums"]["cost"]["mean_error"],
                 sums.sum(axis=others) * registration.measures[0].grid / true.sum(axis=others)),
            ):  # fmt: skip
                for value, error, each in zip(values, errors, exact.reshape(-1), strict=False):
                    if value is not None:
                        inside, count = inside + (abs(value - each) <= error), count + 1
    assert 0.93 < inside / count < 0.975, (inside, count)  # figures of one cube depend on each other


def test_sparse_designs_name_what_to_drop():
    registration = registered()
    design = Design.of(registration, 1)
    assert sparse(registration, design, 8000) is None
    assert sparse(registration, design, 200) is not None
    assert to_drop(registration, design, 260) in registration.names
    assert to_drop(registration, design, 1) is None

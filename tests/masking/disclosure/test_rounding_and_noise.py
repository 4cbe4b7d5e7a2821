"""Rounding that adds up, and noise that stays the same."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.disclosure import protect
from masking.disclosure.cell_key import cell_uniforms, record_keys
from masking.disclosure.contributions import contributions
from masking.disclosure.perturbation import perturbation_table
from masking.disclosure.rounding import controlled_rounding, random_rounding
from masking.errors import InvalidParameter, LimitsNotMet
from masking.keys import as_keys

COUNT = {"n": {"count": "*"}}
KEYS = {"k": bytes(range(32)), "other": bytes(32)}
NOISE = {"method": "cell_key", "key": "k", "deviation": 4, "variance": 2.0, "threshold": 5}


def people(counts, names):
    table = np.array(counts)
    places = [place for place in np.ndindex(*table.shape) for _ in range(table[place])]
    columns = {name: [f"{name}{place[axis]}" for place in places] for axis, name in enumerate(names)}
    return pl.DataFrame({**columns, "person": [f"p{i}" for i in range(len(places))]})


def counted(rows, names):
    made = contributions(rows, dimensions=dict.fromkeys(names), measures=COUNT, unit="person")
    return made.margins, made.figures[0].value


def broken_sums(margins, values):
    equations = margins.equations
    return [
        (first, last)
        for first, last in itertools.pairwise(equations.starts)
        if equations.signs[first:last] @ values[equations.cells[first:last]]
    ]


def test_controlled_rounding_by_hand():
    margins, values = counted(people([[1, 1, 1]], "ab"), "b")
    made = controlled_rounding(margins, values, 3)
    assert sorted(made.values.tolist()) == [0, 0, 3, 3]  # 1 + 1 + 1 = 3 stays 3, so one of the ones becomes 3
    assert made.values[-1] == 3
    assert made.proven
    assert broken_sums(margins, np.array([0, 0, 0, 3]))  # control: each to the nearest does not add up


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_controlled_rounding_adds_up_and_stays_near(data):
    shape = data.draw(st.sampled_from([(4,), (3, 4), (2, 3, 2)]))
    size = int(np.prod(shape))
    counts = np.array(data.draw(st.lists(st.integers(0, 20), min_size=size, max_size=size))).reshape(shape)
    names = "abc"[: len(shape)]
    margins, values = counted(people(counts, names), names)
    base = data.draw(st.integers(2, 7))
    draws = (
        np.random.default_rng(data.draw(st.integers(0, 9))).random(len(values)) if data.draw(st.booleans()) else None
    )
    made = controlled_rounding(margins, values, base, draws)
    assert not broken_sums(margins, made.values)
    assert not (made.values % base).any()
    assert (made.values >= 0).all()
    if len(shape) < 3:
        assert made.furthest < base  # always possible in two dimensions
        assert (made.values[values % base == 0] == values[values % base == 0]).all()


def test_large_tables_are_rounded_leaf_by_leaf():
    margins, values = counted(people(np.random.default_rng(0).integers(0, 4, (12, 11, 10)), "abc"), "abc")
    for draws in (None, np.full(len(values), 0.9)):
        made = controlled_rounding(margins, values, 3, draws)
        assert not made.proven
        assert not broken_sums(margins, made.values)
        cube, before = made.values.reshape(margins.shape), values.reshape(margins.shape)
        assert np.abs(cube - before)[:-1, :-1, :-1].max() < 3
        assert np.abs(cube - before)[:, -1, -1].max() < 3  # the first dimension and the total move little
        assert made.furthest < 30


def test_random_rounding_keeps_the_expectation():
    values, draws = np.repeat([0, 1, 2, 3, 4, 5, 8], 20_000), np.random.default_rng(1).random(140_000)
    made = random_rounding(values, 5, draws)
    assert not (made % 5).any()
    assert (np.abs(made - values) < 5).all()
    assert made.reshape(7, -1).mean(axis=1) == pytest.approx([0, 1, 2, 3, 4, 5, 8], abs=0.06)


def test_perturbation_table_by_hand():
    assert perturbation_table(1, 0.5).rows.tolist() == [[0, 1, 0], pytest.approx([0.25, 0.5, 0.25])]
    # 1 may go to 0 or to 3 and above: with -1 and +2 the least variance is 2, met with chances 2/3 and 1/3.
    assert perturbation_table(3, 1.0, smallest=2).rows[1] == pytest.approx([0, 0, 2 / 3, 0, 0, 1 / 3, 0])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.floats(0.01, 0.99), st.data())
def test_perturbation_table_laws(deviation, share, data):
    smallest = data.draw(st.integers(0, deviation - 1))
    made = perturbation_table(deviation, share * deviation**2, smallest)
    steps = np.arange(-deviation, deviation + 1)
    assert made.rows.shape == (deviation + (smallest + 1 if smallest else 0) + 1, len(steps))
    assert (made.rows >= 0).all()
    assert made.rows.sum(axis=1) == pytest.approx(np.ones(len(made.rows)))
    assert made.rows @ steps == pytest.approx(np.zeros(len(made.rows)), abs=1e-6)
    assert made.rows[-1] @ steps**2 == pytest.approx(share * deviation**2, rel=1e-5)
    for count, row in enumerate(made.rows):
        reached = (count + steps)[row > 0]
        assert not ((reached < 0) | ((reached > 0) & (reached <= smallest))).any()
    assert made.empty.sum() == pytest.approx(1)
    assert not made.empty[: deviation + 1 + smallest][np.arange(deviation + 1 + smallest) != deviation].any()


def test_greatest_entropy_beats_every_other_distribution_with_these_moments():
    steps, row = np.arange(-3, 4), perturbation_table(3, 2.0).rows[-1]

    def entropy(chances):
        return -(chances * np.log(chances)).sum()

    # Directions that change neither sum nor mean nor variance.
    _, _, basis = np.linalg.svd(np.stack([np.ones(7), steps, steps**2]))
    for direction in basis[3:]:
        for size in (-0.005, 0.005):
            assert entropy(row + size * direction) < entropy(row)


@pytest.mark.parametrize("arguments", [(0, 1.0), (3, 0.0), (3, 9.0), (3, 1.0, 3), (3, 1.0, -1), (3, float("nan"))])
def test_no_perturbation_table(arguments):
    with pytest.raises(InvalidParameter):
        perturbation_table(*arguments)


def released(rows, names, rules=NOISE, **more):
    made = protect(rows, list(names), COUNT, unit="person", rules={**rules, **more}, keys=KEYS).table
    return {
        frozenset((name, row[name]) for name in names if row[name] != "Total"): row["n"] for row in made.to_pylist()
    }


def test_the_same_cell_has_the_same_noise_in_every_table_and_order():
    rows = people(np.random.default_rng(2).integers(0, 30, (4, 3, 2)), "abc")
    full = released(rows, "abc", zeros=True)
    assert released(rows.sample(fraction=1, shuffle=True, seed=1), "abc", zeros=True) == full
    for names in ("a", "ab", "cb"):
        smaller = released(rows, names, zeros=True)
        assert smaller == {cell: full[cell] for cell in smaller}
    only = rows.filter(pl.col("a") == "a1")  # the same persons in a table of their own
    assert released(only, "b") == {cell: released(rows, "ab")[cell | {("a", "a1")}] for cell in released(only, "b")}
    assert released(rows, "abc", key="other") != full


def test_noise_has_the_mean_and_variance_asked_for_and_does_not_average_out():
    rows = people(np.full((40, 25), 12), "ab")
    moved = np.array(list(released(rows, "ab").values()))
    _, values = counted(rows, "ab")
    noise = (moved - values)[values == 12]
    assert len(noise) == 1000
    assert np.abs(noise).max() <= 4
    assert noise.mean() == pytest.approx(0, abs=0.15)
    assert noise.var() == pytest.approx(2.0, rel=0.15)
    again = [released(rows, "ab")[frozenset({("a", "a3"), ("b", "b4")})] for _ in range(3)]
    assert len(set(again)) == 1  # asking again is no second opinion


def test_zeros_get_noise_where_asked_and_small_counts_do_not_appear():
    counts = np.where(np.arange(600).reshape(30, 20) % 3 == 0, 0, 9)
    rows = people(counts, "ab")
    kept = released(rows, "ab", deviation=4, variance=3.0)
    asked = released(rows, "ab", zeros=True, deviation=4, variance=3.0, smallest=1)
    empty = [cell for cell, value in zip(kept, counted(rows, "ab")[1], strict=True) if value == 0]
    assert {kept[cell] for cell in empty} == {0}
    assert len({asked[cell] for cell in empty}) > 2
    assert min(asked.values()) >= 0
    assert 1 not in asked.values()


def test_cell_keys_are_sums_of_record_keys():
    rows = people([[2, 3]], "ab")
    keys = as_keys(KEYS)
    drawn = record_keys(keys, "k")
    made = contributions(
        rows, dimensions={"b": None}, measures=COUNT, unit="person", record_keys=lambda s: drawn([s.to_arrow()])
    )
    single = drawn([rows["person"].to_arrow()])
    assert made.keys.tolist() == [int(single[:2].sum()), int(single[2:].sum()), int(single.sum())]  # modulo 2**64
    assert ((cell_uniforms(made, keys, "k") > 0) & (cell_uniforms(made, keys, "k") < 1)).all()


def test_records_without_a_person_are_told_apart_by_their_columns():
    rows = people([[20, 13]], "ab")
    by_record = protect(rows, ["b"], COUNT, rules={**NOISE, "record": ["person"]}, keys=KEYS).table
    assert by_record.equals(protect(rows, ["b"], COUNT, unit="person", rules=NOISE, keys=KEYS).table)


@pytest.mark.parametrize(
    "rules",
    [
        {"method": "rounding", "base": 5},
        {"method": "rounding", "base": 5, "key": "k"},
        {"method": "random_rounding", "base": 5, "key": "k"},
    ],
)
def test_rounded_tables_leave_small_cells_uncertain(rules):
    rows = people([[1, 14, 22], [7, 2, 19], [30, 8, 3]], "ab")
    made = protect(rows, ["a", "b"], COUNT, unit="person", rules=rules, keys=KEYS)
    assert not any(row["n"] % 5 for row in made.table.to_pylist())
    assert made.report.furthest < 5
    assert made.report.audit.asked > 3
    assert made.report.additive == (rules["method"] == "rounding")


def test_a_table_whose_rounding_gives_a_cell_away_is_refused():
    # Four cells of 4 and a total of 16, all rounded down: an attacker knows each is 4.
    from masking.disclosure.audit import narrow

    margins, values = counted(people([[4, 4, 4, 4]], "ab"), "b")
    low, high = np.zeros(5), np.full(5, 4.0)
    low[-1] = high[-1] = 16.0
    assert narrow(margins, values, low, high, np.arange(4), 4.0) == (pytest.approx(np.arange(4)), 4)
    high[-1], low[-1] = 20.0, 0.0
    close, _ = narrow(margins, values, low, high, np.arange(4), 4.0)
    assert not len(close)


def test_a_rounding_by_chance_that_gives_cells_away_is_refused(monkeypatch):
    import masking.disclosure.protection as module

    # One outcome of the draws among many: each 4 goes down, the total 16 goes up, so that every cell must be 4.
    monkeypatch.setattr(module, "random_rounding", lambda values, base, draws: np.where(values == 16, 20, 0))
    rules = {"method": "random_rounding", "key": "k", "base": 5}
    with pytest.raises(LimitsNotMet, match="4 of 4 small cells could be recomputed") as refused:
        protect(people([[4, 4, 4, 4]], "ab"), ["b"], COUNT, unit="person", rules=rules, keys=KEYS)
    assert refused.value.measured == {"cells_below_width": 4}

"""Attacks on protected tables, each with a control that shows the attack works on an unprotected one."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.disclosure import protect
from masking.disclosure.audit import audit, intervals
from masking.disclosure.complementary import Problem, certify, hide
from masking.disclosure.contributions import contributions
from masking.disclosure.optimum import cheapest
from masking.disclosure.sensitivity import Sensitivity, need, primary
from masking.errors import InvalidParameter, KeyMissing, LimitsNotMet
from tests.masking.disclosure.plain_tables import possible

COUNT = {"n": {"count": "*"}}


def people(counts, names=("row", "column")):
    """One record a person for a table of counts, given as nested lists."""
    table = np.array(counts)
    places = [place for place in np.ndindex(*table.shape) for _ in range(table[place])]
    return pl.DataFrame(
        {name: [f"{name}{place[axis]}" for place in places] for axis, name in enumerate(names)},
        schema=dict.fromkeys(names, pl.String),
    )


def problem(rows, dimensions, measures, rules, unit=None):
    found = contributions(rows, dimensions=dict.fromkeys(dimensions), measures=measures, unit=unit, decimals=0)
    first = primary(found, rules)
    needs = [need(figure, found, first, rules) for figure in found.figures]
    return Problem(found, needs, first, np.maximum(found.persons, 1).astype(float))


def hidden_cells(made):
    return made.table.filter(pa.compute.is_null(made.table["n"])).drop_columns(["n"]).to_pylist()


TABLE = [[20, 50, 10], [8, 19, 22], [17, 3, 12]]  # in the manner of Hundepool et al., 4.4: one small cell in the middle


def test_one_small_cell_takes_three_others_with_it():
    made = protect(people(TABLE), ["row", "column"], COUNT, rules={"threshold": 5})
    assert (made.report.primary, made.report.complementary, made.report.optimal) == (1, 3, True)
    hidden = {(cell["row"], cell["column"]) for cell in hidden_cells(made)}
    assert ("row2", "column1") in hidden
    assert len({row for row, _ in hidden}) == len({column for _, column in hidden}) == 2
    # By hand: the cheapest of the four rectangles through the cell has 19 + 8 + 17 persons.
    assert hidden == {("row2", "column1"), ("row1", "column1"), ("row1", "column0"), ("row2", "column0")}
    assert made.table.schema == pa.schema([("row", pa.string()), ("column", pa.string()), ("n", pa.int64())])


def test_hidden_looks_the_same_whatever_the_reason():
    made = protect(people(TABLE), ["row", "column"], COUNT, rules={"threshold": 5})
    assert made.table.column_names == ["row", "column", "n"]
    statuses = made.report.statuses.to_pylist()
    assert {row["status"] for row in statuses} == {"shown", "primary", "complementary"}
    assert all(row["high:n"] >= 5 for row in statuses if row["status"] == "primary")


def test_the_programs_find_what_trying_every_table_finds():
    work = problem(people([[6, 9, 4], [5, 7, 8], [9, 2, 6]]), ["row", "column"], COUNT, Sensitivity(threshold=3))
    pattern = hide(work)
    values = {np.unravel_index(cell, (4, 4)): int(value) for cell, value in enumerate(work.cells.figures[0].value)}
    values = {(int(a), int(b)): value for (a, b), value in values.items()}
    hidden = [(int(a), int(b)) for a, b in zip(*np.unravel_index(np.flatnonzero(pattern.hidden), (4, 4)), strict=True)]
    tables = list(possible({cell: value for cell, value in values.items() if cell not in hidden}, hidden, (4, 4), 12))
    closed = ~pattern.hidden
    value = work.cells.figures[0].value.astype(float)
    low, high = intervals(
        work.margins, np.where(closed, value, 1), np.where(closed, value, np.inf), np.flatnonzero(pattern.hidden)
    )
    for number, cell in enumerate(hidden):
        assert (round(low[number]), round(high[number])) == (
            min(table[cell] for table in tables),
            max(table[cell] for table in tables),
        )


def test_the_audit_finds_a_complementary_cell_that_was_forgotten():
    work = problem(people(TABLE), ["row", "column"], COUNT, Sensitivity(threshold=5))
    pattern = hide(work)
    assert not audit(work.cells, pattern.hidden, work.needs, pattern.witnesses).broken
    assert not audit(work.cells, pattern.hidden, work.needs).broken  # by programs alone
    for cell in np.flatnonzero(pattern.hidden & ~work.primary):
        weaker = pattern.hidden.copy()
        weaker[cell] = False
        found = audit(work.cells, weaker, work.needs, pattern.witnesses)  # the old witnesses move a shown cell
        assert [each.cell for each in found.broken] == np.flatnonzero(work.primary).tolist()


def test_the_audit_believes_no_false_witness():
    from dataclasses import replace

    work = problem(people(TABLE), ["row", "column"], COUNT, Sensitivity(threshold=5))
    pattern = hide(work)
    bare = work.primary.copy()
    (true,) = pattern.witnesses
    one = replace(true, cells=true.cells[true.cells == true.cell], amounts=true.amounts[true.cells == true.cell])
    for false in (true, one, replace(true, amounts=true.amounts / 2), replace(true, amounts=-true.amounts)):
        assert audit(work.cells, bare, work.needs, [false]).broken


def test_a_search_that_protects_too_little_is_refused(monkeypatch):
    import masking.disclosure.protection as module
    from masking.disclosure.complementary import Pattern

    monkeypatch.setattr(module, "hide", lambda problem, stop: Pattern(problem.primary, (), ()))
    monkeypatch.setattr(module, "cheapest", lambda problem, pattern, stop: None)
    with pytest.raises(LimitsNotMet, match="1 of 1 cells that may not be shown could be recomputed") as refused:
        protect(people(TABLE), ["row", "column"], COUNT, rules={"threshold": 5})
    assert refused.value.measured == {"recomputable_cells": 1}


def test_parent_minus_children_gives_the_small_cell_unless_it_is_protected():
    rows = people([[30, 3]], names=("one", "two")).select("two")
    found = contributions(rows, dimensions={"two": None}, measures=COUNT)
    value = found.figures[0].value.astype(float)
    seen = np.array([False, True, False])
    low, high = intervals(found.margins, np.where(seen, 1, value), np.where(seen, np.inf, value), [1])
    assert low == high == [3]  # control: total less the shown cell
    made = protect(people([[30, 30, 3]], names=("one", "two")), ["two"], COUNT, rules={"threshold": 5})
    assert len(hidden_cells(made)) == 2
    with pytest.raises(LimitsNotMet, match="no cell can be shown"):
        protect(rows.filter(pl.col("two") == "two1"), ["two"], COUNT, rules={"threshold": 5})


def firms(*cells):
    """Cells of firms with their turnover: (row, column, values)."""
    return pl.DataFrame(
        [
            {"row": r, "column": c, "v": float(v), "firm": f"{r}{c}{i}"}
            for r, c, values in cells
            for i, v in enumerate(values)
        ]
    )


FIRMS = firms(
    ("a", "x", [100]), ("a", "y", [90]), ("a", "z", [30, 30, 30, 30]),
    ("b", "x", [40, 40, 40]), ("b", "y", [50, 40, 40]), ("b", "z", [60, 60, 60]),
    ("c", "x", [70, 60, 50]), ("c", "y", [80, 70, 60]), ("c", "z", [90, 80, 70]),
)  # fmt: skip


def test_a_firm_that_knows_its_own_cell_does_not_learn_the_other():
    rules = Sensitivity(threshold=2, dominance=None, p_percent=10)
    work = problem(FIRMS, ["row", "column"], {"s": {"sum": "v"}}, rules, unit="firm")
    value = work.cells.figures[0].value.astype(float)
    ax, ay = work.margins.cell({"row": "a", "column": "x"}), work.margins.cell({"row": "a", "column": "y"})
    others = [work.margins.cell({"row": "b", "column": each}) for each in "xy"]
    naive = np.isin(np.arange(len(value)), [ax, ay, *others])
    low, high = np.where(naive, 0, value), np.where(naive, np.inf, value)
    (wide_low,), (wide_high,) = intervals(work.margins, low, high, [ay])
    assert wide_high - wide_low > 100  # nobody outside learns much
    (low_own,), (high_own,) = intervals(work.margins, low, high, [ay], {ax: 100.0})
    assert low_own == high_own == 90  # control: but the firm in the cell beside does
    assert {each.by_contributor for each in audit(work.cells, naive, work.needs).broken} == {True}
    pattern = hide(work)
    low, high = np.where(pattern.hidden, 0, value), np.where(pattern.hidden, np.inf, value)
    (_,), (high_own,) = intervals(work.margins, low, high, [ay], {ax: 100.0})
    assert high_own >= 90 * 1.1
    for found in (pattern, cheapest(work, pattern)):
        assert not audit(work.cells, found.hidden, work.needs, found.witnesses).broken
        assert not audit(work.cells, found.hidden, work.needs).broken


def test_the_largest_contributor_and_the_second_do_not_learn_each_other():
    rows = firms(
        ("a", "x", [100, 50, 4]),
        *(("a", c, [60, 50, 40, 30]) for c in "yz"),
        *(("b", c, [60, 50, 40, 30]) for c in "xyz"),
    )
    made = protect(
        rows,
        ["row", "column"],
        {"s": {"sum": "v"}},
        unit="firm",
        rules={"threshold": 3, "dominance": None, "p_percent": 10, "decimals": 0},
    )
    (cell,) = [row for row in made.report.statuses.to_pylist() if (row["row"], row["column"]) == ("a", "x")]
    assert cell["status"] == "primary"
    # What the second could say at most of the largest: the bound less its own 50.
    assert cell["high:s"] - 50 >= 110
    open_rules = {"threshold": 3, "dominance": None, "decimals": 0}
    shown = protect(rows, ["row", "column"], {"s": {"sum": "v"}}, unit="firm", rules=open_rules).table.to_pylist()
    assert shown[0]["s"] - 50 < 110  # control: without the rule the second knows the largest to 4 %


def test_least_squares_on_the_margins_does_not_find_the_small_cell():
    made = protect(people(TABLE), ["row", "column"], COUNT, rules={"threshold": 5}).table.to_pylist()
    values = [row["n"] for row in made]
    equations = contributions(people(TABLE), dimensions={"row": None, "column": None}, measures=COUNT).margins.equations
    matrix = np.zeros((len(equations.starts) - 1, 16))
    for row, (first, last) in enumerate(itertools.pairwise(equations.starts)):
        matrix[row, equations.cells[first:last]] = equations.signs[first:last]

    def solved(hidden):
        rest = -matrix[:, ~hidden] @ np.array(
            [value for value, gone in zip(values, hidden, strict=True) if not gone], float
        )
        found, _, rank, _ = np.linalg.lstsq(matrix[:, hidden], rest, rcond=None)
        return found, rank

    hidden = np.array([value is None for value in values])
    _, rank = solved(hidden)
    assert rank < hidden.sum()  # no single answer
    first = int(np.flatnonzero(hidden)[0])
    truth = np.array(TABLE)[divmod(first, 4)]
    values[first], hidden[first] = int(truth), False
    found, rank = solved(hidden)
    assert rank == hidden.sum()  # control: one cell more, and all are known
    assert 3 in found.round(6)


def test_two_tables_that_share_a_margin_protect_each_other():
    counts = np.array([[[3, 12], [14, 9]], [[15, 11], [12, 13]], [[9, 21], [16, 15]]])
    rows = people(counts, names=("a", "b", "c"))
    rules = {"threshold": 8, "tables": [["a", "b"], ["a", "c"]]}
    linked = protect(rows, ["a", "b", "c"], COUNT, rules={**rules, "threshold": 16})
    seen = {(row["a"], row["b"], row["c"]) for row in linked.table.to_pylist()}
    assert len(seen) == 4 * 3 + 4 * 3 - 4
    assert all("Total" in (b, c) for _, b, c in seen)
    assert linked.report.audit.asked > 0
    nulls = {(row["a"], row["b"], row["c"]) for row in linked.table.to_pylist() if row["n"] is None}
    assert nulls


@pytest.mark.parametrize(
    ("counts", "names"),
    [([[1]], ("a", "b")), ([[0, 0]], ("a", "b")), ([[200]], ("a", "b")), ([[3, 0, 0], [0, 40, 50]], ("a", "b"))],
)
def test_odd_tables_are_shown_or_refused_with_one_sentence(counts, names):
    rows = people(counts, names)
    try:
        made = protect(rows, list(names), COUNT, rules={"threshold": 10})
    except LimitsNotMet as refused:
        assert "no cell can be shown" in str(refused)  # noqa: PT017 - shown or refused, both are right
    else:
        shown = {row["n"] for row in made.table.to_pylist()}
        assert not shown & set(range(1, 10))


def test_empty_tables_and_listed_categories():
    empty = pa.table({"d": pa.array([], pa.string())})
    assert protect(empty, {"d": {"categories": ["a", "b"]}}, COUNT).table.to_pylist() == [
        {"d": name, "n": 0} for name in ("a", "b", "Total")
    ]
    assert protect(empty, ["d"], COUNT).table.to_pylist() == [{"d": "Total", "n": 0}]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_any_table_and_null_is_a_category(kind):
    made = protect(kind({"d": ["a"] * 20 + [None] * 30}), ["d"], COUNT).table.to_pylist()
    assert made == [{"d": "a", "n": 20}, {"d": None, "n": 30}, {"d": "Total", "n": 50}]


def test_sixty_categories_negative_and_huge_sums():
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {"d": rng.integers(60, size=1200), "e": rng.integers(2, size=1200), "v": rng.normal(0, 1e9, size=1200)}
    )
    made = protect(
        rows,
        ["d", "e"],
        {**COUNT, "s": {"sum": "v"}, "m": {"mean": "v"}},
        rules={"p_percent": 10, "threshold": 12, "decimals": 0},
    )
    assert made.report.primary > 40
    assert not made.report.audit.broken
    assert made.table["s"].type == pa.int64()
    assert made.table["s"].is_null().equals(made.table["n"].is_null())


def test_the_result_does_not_depend_on_the_order_of_records():
    rows = people([[3, 30, 12], [14, 9, 2], [22, 18, 31]]).with_columns(v=pl.int_range(pl.len()) * 0.1)
    made = [
        protect(table, ["row", "column"], {**COUNT, "s": {"sum": "v"}}, rules={"threshold": 5})
        for table in (rows, rows.reverse(), rows.sample(fraction=1, shuffle=True, seed=4))
    ]
    assert made[0].table.equals(made[1].table)
    assert made[0].table.equals(made[2].table)
    assert made[0].report.statuses.equals(made[2].report.statuses)


def test_a_search_that_is_stopped_still_protects():
    rows = people([[3, 30, 12], [14, 9, 2], [22, 18, 31]])
    made = protect(rows, ["row", "column"], COUNT, rules={"threshold": 5}, stop=lambda: True)
    assert not made.report.optimal
    assert not made.report.audit.broken


@settings(deadline=None, max_examples=10)
@given(st.data())
def test_nothing_that_leaves_can_be_recomputed_too_closely(data):
    shape = data.draw(st.sampled_from([(3, 3), (5, 2), (2, 3, 2), (3, 2, 3)]))
    counts = np.array(
        data.draw(st.lists(st.integers(0, 14), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    ).reshape(shape)
    names = ["a", "b", "c"][: len(shape)]
    rows = people(counts, names)
    sizes = np.random.default_rng(data.draw(st.integers(0, 99))).lognormal(3, 1.5, rows.height).round()
    rows = rows.with_columns(
        v=pl.Series(sizes, dtype=pl.Float64), firm=pl.Series(np.arange(rows.height) // data.draw(st.integers(1, 2)))
    )
    rules = {"threshold": 3, "p_percent": 15, "dominance": None, "decimals": 0}
    measures = {"r": {"records": "*"}, "s": {"sum": "v"}}
    try:
        made = protect(rows, names, measures, unit="firm", rules=rules)
    except LimitsNotMet as refused:
        assert "no cell can be shown" in str(refused)  # noqa: PT017 - shown or refused, both are right
        return
    shown = {tuple(row[name] for name in names): row for row in made.table.to_pylist()}
    # Released cells add up, and the audit by programs alone, on what was released, agrees.
    found = contributions(rows, dimensions=dict.fromkeys(names), measures=measures, unit="firm", decimals=0)
    hidden = np.array([row["s"] is None for row in shown.values()])
    asked = Sensitivity(threshold=3, p_percent=15, dominance=None)
    needs = [need(figure, found, primary(found, asked), asked) for figure in found.figures]
    assert not audit(found, hidden, needs).broken
    assert not (primary(found, asked) & ~hidden).any()
    released = np.array([0 if row["s"] is None else row["s"] for row in shown.values()])
    equations = found.margins.equations
    for first, last in itertools.pairwise(equations.starts):
        cells = equations.cells[first:last]
        if not hidden[cells].any():
            assert equations.signs[first:last] @ released[cells] == 0
        assert hidden[cells].sum() != 1


@settings(deadline=None, max_examples=4)
@given(st.lists(st.integers(0, 12), min_size=12, max_size=12))
def test_the_optimum_is_the_least_of_all_patterns(counts):
    work = problem(people(np.array(counts).reshape(4, 3)[:3, :2]), ["row", "column"], COUNT, Sensitivity(threshold=4))
    if not work.primary.any():
        return
    pattern = hide(work)
    best = cheapest(work, pattern)
    assert best is not None
    assert best.cost(work.weights) <= pattern.cost(work.weights)
    choice = np.flatnonzero(~work.primary & ~work.fixed)
    for bits in itertools.product((False, True), repeat=len(choice)):
        tried = work.primary.copy()
        tried[choice[list(bits)]] = True
        if work.weights[tried].sum() < best.cost(work.weights):
            assert certify(work, tried).unprotected
            assert audit(work.cells, tried, work.needs).broken


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"rules": {"treshold": 3}}, "treshold"),
        ({"rules": {"threshold": 1}}, "threshold"),
        ({"rules": {"threshold": True}}, "threshold"),
        ({"rules": {"method": "magic"}}, "method"),
        ({"rules": {"base": 5}}, "base"),  # of another method
        ({"rules": {"method": "rounding", "base": 1}}, "base"),
        ({"rules": {"dominance": [0, 0.5]}}, "dominance"),
        ({"rules": {"p_percent": 0}}, "p_percent"),
        ({"rules": {"prior_posterior": [50, 20]}}, "prior_posterior"),
        ({"rules": {"cost": "money"}}, "cost"),
        ({"rules": {"safety_range": float("nan")}}, "safety_range"),
        ({"rules": {"tables": "ab"}}, "tables"),
        ({"rules": {"tables": [["z"]]}}, "tables"),
        ({"rules": {"decimals": 1.5}}, "decimals"),
        ({"rules": {"total": ""}}, "total"),
        ({"rules": {"record": "v", "key": "k", "method": "cell_key"}}, "record"),
        ({"rules": {"method": "cell_key"}}, "key"),
        ({"rules": {"method": "cell_key", "key": "k", "zeros": 1}}, "zeros"),
        ({"rules": {"method": "cell_key", "key": "k"}}, "key"),  # no person, no record
        ({"rules": {"method": "rounding"}, "measures": {"s": {"sum": "v"}}}, "s"),
        ({"dimensions": []}, "dimensions"),
        ({"dimensions": ["d", "d"]}, "dimensions"),
        ({"measures": {}}, "measures"),
        ({"measures": {"d": {"count": "*"}}}, "measures"),
        ({"measures": {"n": {"max": "v"}}}, "n"),
        ({"measures": {"n": {"sum": "*"}}}, "n"),
    ],
)
def test_refuses_by_name(arguments, parameter):
    given_ = {"dimensions": ["d"], "measures": COUNT, "keys": {"k": b"0" * 16}, **arguments}
    with pytest.raises(InvalidParameter) as refused:
        protect(pa.table({"d": ["a"] * 20, "v": [1.0] * 20}), **given_)
    assert refused.value.parameter == parameter


def test_a_missing_key_is_said():
    with pytest.raises(KeyMissing):
        protect(pa.table({"d": ["a"] * 20}), ["d"], COUNT, unit="d", rules={"method": "cell_key", "key": "k"})


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (4, 3, 3)])
def test_the_ways_of_large_tables_protect_too(monkeypatch, near, shape):
    import masking.disclosure.complementary as module

    monkeypatch.setattr(module, "PROGRAMS", 0)
    if not near:  # circuits alone
        monkeypatch.setattr(module._Work, "_near", lambda *_: None)
    rng = np.random.default_rng(11)
    names = ["a", "b", "c"][: len(shape)]
    rows = people(rng.geometric(0.12, shape) - 1, names)
    rows = rows.with_columns(v=pl.Series(rng.lognormal(3, 1.5, rows.height).round()))
    work = problem(rows, names, {**COUNT, "s": {"sum": "v"}}, Sensitivity(threshold=4, p_percent=15))
    pattern = hide(work)
    assert work.primary.sum() > 5
    assert not pattern.unprotected
    checked = audit(work.cells, pattern.hidden, work.needs, pattern.witnesses)
    assert (checked.broken, checked.by_program) == ((), 0)  # every witness is a proof
    assert not audit(work.cells, pattern.hidden, work.needs).broken
    assert not (~pattern.hidden[np.flatnonzero(work.primary)]).any()
    assert not pattern.hidden.all()

"""The words of a protected table with margins: read, written, checked, said in two languages, run."""

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masking
from masking.engines.local import apply_stream
from masking.errors import Cancelled, InvalidParameter, KeyMissing, LimitsNotMet, MaskingError, PolicyError
from masking.policy import Aggregate, AttributeRule, MaskingPolicy, check, dump, explain_aggregate, load
from masking.policy.explain import explain_limits
from masking.report import MaskingReport, public_from_dict
from masking.reporting.html import to_html
from masking.taxonomy import Role

HEAD = """version: 1
dataset: x
unit: p
attributes:
  p: {role: direct_identifier, technique: suppression.drop}
  a: {role: quasi_identifier, technique: keep}
  b: {role: quasi_identifier, technique: keep}
  s: {role: sensitive, technique: keep}
"""
COUNT = '  by: [a, b]\n  measures: {n: {count: "*"}}\n'


def policy(protect, more="", measures=COUNT):
    return load(f"{HEAD}aggregate:\n{measures}{more}  protect: {protect}\n")


# Read and written.


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(
        [
            "{}",
            "{method: suppression, threshold: 7, dominance: null, p_percent: 12.5, cost: cells}",
            "{prior_posterior: [5, 20], safety_range: 0.5, decimals: -2, total: 合计, tables: [[a], [b]]}",
            "{method: rounding, base: 3}",
            "{method: random_rounding, base: 7, key: k}",
            "{method: cell_key, key: k, deviation: 4, variance: 2.5, smallest: 1, zeros: true}",
        ]
    ),
    st.sampled_from(
        [
            "",
            "  dimensions: {a: {categories: [x, y, 3]}}\n",
            "  dimensions: {a: {hierarchy: [[x, g], [y, g]]}, b: {hierarchy: {u: v}}}\n",
            "  dimensions: {b: {hierarchy: tree.csv}}\n",
        ]
    ),
)
def test_what_is_written_reads_back(protect, dimensions):
    made = policy(protect, dimensions)
    again = load(dump(made))
    assert again.aggregate == made.aggregate
    assert again.key_names == made.key_names
    assert again.aggregate.threshold == made.aggregate.protect.threshold


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("  protect: {treshold: 5}\n", 12, 13, "did you mean 'threshold'"),
        ("  protect: {method: supression}\n", 12, 13, "did you mean 'suppression'"),
        ("  protect: {threshold: 1}\n", 12, 13, "at least 2"),
        ("  protect: {method: rounding, p_percent: 5}\n", 12, 31, "no parameter of the method 'rounding'"),
        ("  protect: {method: cell_key}\n", 12, 3, "needs `key: <name of a key>`"),
        ("  protect: {prior_posterior: [20, 5]}\n", 12, 13, "0 < p < q"),
        ("  protect: {record: [a]}\n", 12, 13, "no entry 'record'"),  # said once for the policy, beside `unit`
        ("  protect: {}\n  rounding: 5\n", 13, 3, "for a table without `protect`"),
        ("  threshold: 5\n  protect: {}\n", 12, 3, "for a table without `protect`"),
        ("  dimensions: {a: {categories: [x]}}\n", 12, 3, "which need `protect`"),
        ("  dimensions: {a: {catgories: [x]}}\n  protect: {}\n", 12, 20, "did you mean 'categories'"),
        ("  dimensions: {a: {categories: [x], hierarchy: [x]}}\n  protect: {}\n", 12, 16, "at most size 1"),
    ],
)
def test_refused_at_its_place(text, line, column, words):
    with pytest.raises(PolicyError) as caught:
        load(f"{HEAD}aggregate:\n{COUNT}{text}")
    assert words in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


# Checked.


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: policy("{tables: [[a], [c]]}"), "`tables` name 'c'"),
        (lambda: policy("{}", "  dimensions: {aa: {categories: [x]}}\n"), "did you mean 'a'"),
        (
            lambda: policy("{method: rounding}", measures="  by: [a]\n  measures: {m: {sum: s}}\n"),
            "protects counts of persons only; protect 'm'",
        ),
        (lambda: replace(policy("{method: cell_key, key: k}"), unit=None), "belongs to its persons"),
        (lambda: policy("{}", measures='  by: [a]\n  measures: {a: {count: "*"}}\n'), "both dimension and measure"),
        (lambda: policy("{}", measures="  by: [a]\n  measures: {m: {sum: z}}\n"), "'z', which is no attribute"),
        (lambda: policy("{}", measures="  by: [p]\n  measures: {m: {sum: s}}\n"), "cannot group cells"),
        (
            lambda: load("key_domains: {k: {period: 2026-03}}\n" + dump(policy("{method: cell_key, key: k}"))),
            "averages it away",
        ),
        (  # only protected tables count records
            lambda: load(f'{HEAD}aggregate:\n  by: [a]\n  measures: {{n: {{records: "*"}}}}\n'),
            "must be one of ['count', 'sum', 'mean']",
        ),
    ],
)
def test_check_refuses(made, words):
    with pytest.raises(MaskingError) as caught:
        check(made())
    assert words in str(caught.value)


def test_check_passes_and_looks_for_the_file(tmp_path):
    check(policy("{method: cell_key, key: k}"))
    check(replace(policy("{method: cell_key, key: k}"), unit=None, record=("a",)))
    given = policy("{}", "  dimensions: {a: {hierarchy: tree.csv}}\n")
    check(given)
    with pytest.raises(InvalidParameter, match=r"'tree\.csv'"):
        check(given, files=tmp_path)
    (tmp_path / "tree.csv").write_text("x,g\ny,g\n", encoding="utf-8")
    check(given, files=tmp_path)


def test_a_policy_made_in_code_has_the_threshold_of_its_rules():
    rules = policy("{threshold: 33}").aggregate.protect
    made = Aggregate(("a",), {"n": {"count": "*"}}, threshold=10, protect=rules)
    assert (made.threshold, made.hides_small) == (33, True)
    whole = MaskingPolicy("x", {"a": AttributeRule("a", Role.QUASI_IDENTIFIER, "keep")}, aggregate=made)
    assert load(dump(whole)).aggregate == made


# Said.


@pytest.mark.parametrize(
    ("protect", "english", "chinese"),
    [
        ("{p_percent: 10, prior_posterior: [5, 20]}", ["fewer than 10", "10%", "5%", "20%", "50%"], ["少于 10 人"]),
        ("{method: rounding, base: 3}", ["multiples of 3", "add up"], ["取整到 3 的倍数"]),
        ("{method: random_rounding, base: 7, key: k}", ["multiples of 7", "'k'", "do not add up"], ["密钥“k”"]),
        ("{method: cell_key, key: k, deviation: 4}", ["noise of at most 4", "'k'"], ["最多相差 4"]),
        ("{tables: [[a], [b]], total: 合计}", ["by a, b with its totals"], ["“合计”"]),
    ],
)
def test_it_is_said_how_the_table_is_protected(protect, english, chinese):
    made = policy(protect, "  dimensions: {a: {hierarchy: [[x, g]]}}\n")
    en, zh = (" ".join(explain_aggregate(made, lang)) for lang in ("en", "zh"))
    assert all(words in en for words in [*english, "a: also the totals"])
    assert all(words in zh for words in [*chinese, "a 另按层级"])
    assert set(explain_aggregate(made, "en")) <= set(explain_limits(made, "en"))
    assert explain_aggregate(load(HEAD)) == []


# Run.


def table(cells, person="{}"):
    """``cells``: {(a, b): persons}; each person's figure is 10."""
    rows = [cell for cell, persons in cells.items() for _ in range(persons)]
    return pa.table(
        {
            "p": [person.format(number) for number in range(len(rows))],
            "a": [a for a, _ in rows],
            "b": [b for _, b in rows],
            "s": [10.0] * len(rows),
        }
    )


CELLS = {("x", "u"): 3, ("x", "v"): 40, ("y", "u"): 40, ("y", "v"): 40}
BOTH = "  by: [a, b]\n  measures: {n: {count: '*'}, m: {sum: s}}\n"


def test_by_hand_one_small_cell_takes_three_others_along():
    """A 2 x 2 table with one cell of 3 persons: only the pattern of all four cells protects it."""
    done = masking.apply(policy("{threshold: 10, dominance: null}", measures=BOTH), table(CELLS))
    rows = {(row["a"], row["b"]): (row["n"], row["m"]) for row in done.table.to_pylist()}
    assert rows == {
        **dict.fromkeys(CELLS, (None, None)),
        ("x", "Total"): (43, 430.0),
        ("y", "Total"): (80, 800.0),
        ("Total", "u"): (43, 430.0),
        ("Total", "v"): (80, 800.0),
        ("Total", "Total"): (123, 1230.0),
    }
    report = done.report
    assert (report.audit.cells, report.audit.empty, report.audit.primary, report.audit.complementary) == (9, 0, 1, 3)
    assert report.audit.narrowest == {"n": 0.98, "m": 1.0}  # from 1 to 42 (nobody is shown as 0), 0 to 430
    assert (report.after.k, report.after.classes, report.after.persons) == (43, 5, 123)  # no finest cell is shown
    assert report.released.k == 10
    assert (report.released.risk_max, int(report.effect)) == (0.1, 4)


def test_the_public_report_says_the_method_and_nothing_of_the_cells():
    made = policy("{method: suppression, threshold: 10, p_percent: 12, dominance: null}", measures=BOTH)
    one = masking.apply(made, table(CELLS)).report
    other = masking.apply(made, table({**CELLS, ("x", "u"): 4, ("x", "v"): 39, ("y", "u"): 39, ("y", "v"): 41})).report
    assert one.public().to_json() == other.public().to_json()  # they differ in hidden cells only
    assert one.audit.parameters["p_percent"] == 12
    assert "p_percent" not in one.public().to_json()
    assert one.public().protection.method == "suppression"
    assert MaskingReport.from_dict(one.to_dict()) == one
    assert public_from_dict(one.public().to_dict()) == one.public()
    for lang, words, inside in (("zh", "合计与单元格的保护", "1 / 3"), ("en", "How margins", "1 / 3")):
        assert words in to_html(one, lang)
        assert inside in to_html(one, lang)
        assert words in to_html(one, lang, "public")
        assert inside not in to_html(one, lang, "public")
        assert "p_percent" not in to_html(one, lang, "public")


NOISE = "{method: cell_key, key: k, deviation: 4, variance: 3}"
KEY = {"k": b"k" * 32}


def test_noise_is_drawn_under_a_named_key_once():
    made = policy(NOISE)
    with pytest.raises(KeyMissing, match="'k'"):
        masking.apply(made, table(CELLS))
    first, again = (masking.apply(made, table(CELLS), KEY).table for _ in range(2))
    assert first.equals(again)
    assert not first.equals(masking.apply(made, table(CELLS), {"k": b"l" * 32}).table)
    exact = masking.apply(policy("{threshold: 2, dominance: null}"), table(CELLS)).table
    moved = [abs(a - b) for a, b in zip(first["n"].to_pylist(), exact["n"].to_pylist(), strict=True)]
    assert 0 < max(moved) <= 4
    report = masking.apply(made, table(CELLS), KEY).report
    assert report.audit.furthest == max(moved)
    assert report.after.k == report.released.k == 1  # a cell with noise may stand for one person
    assert not report.released.protection.additive
    assert made.key_names == ("k",)
    assert made.draws  # the key is kept, so the edition is not anonymous by itself


def test_without_a_person_column_the_record_columns_carry_the_noise():
    alone = replace(policy(NOISE), unit=None, record=("p",))
    whole = table(CELLS)
    encoded = whole.set_column(0, "p", whole["p"].dictionary_encode())
    assert masking.apply(alone, whole, KEY).table.equals(masking.apply(alone, encoded, KEY).table)
    assert masking.apply(alone, whole, KEY).table.column_names == ["a", "b", "n"]


def test_rounded_counts_add_up():
    rows = masking.apply(policy("{method: rounding, base: 5}"), table(CELLS)).table.to_pylist()
    counts = {(row["a"], row["b"]): row["n"] for row in rows}
    assert all(count % 5 == 0 for count in counts.values())
    assert counts["Total", "Total"] == sum(counts[cell] for cell in CELLS)


def test_a_hierarchy_file_gives_the_groups(tmp_path):
    (tmp_path / "tree.csv").write_text("x;g\ny;g\nz;h\n", encoding="utf-8")
    made = policy("{threshold: 2, dominance: null}", "  dimensions: {a: {hierarchy: tree.csv}}\n")
    done = masking.apply(made, table(CELLS), files=tmp_path)
    counts = {(row["a"], row["b"]): row["n"] for row in done.table.to_pylist()}
    assert (counts["g", "u"], counts["z", "v"], counts["h", "Total"]) == (43, 0, 0)
    assert done.report.after.classes == 4  # groups and totals hold the same persons again
    with pytest.raises(InvalidParameter, match="no hierarchy file"):
        masking.apply(made, table(CELLS), files=tmp_path / "..")


def test_nothing_is_written_where_protection_is_not_proved():
    written = []
    with pytest.raises(LimitsNotMet):  # nobody can be hidden behind anybody
        apply_stream(policy("{}"), lambda: table({("x", "u"): 3}).to_reader(), None, written.append)
    assert written == []


def test_a_run_that_is_cancelled_while_it_protects_writes_nothing():
    made, written = policy("{threshold: 10, dominance: null}", measures=BOTH), []
    asked = iter([False] * 2)  # once for the batch, and not yet when it is counted
    with pytest.raises(Cancelled):
        apply_stream(made, lambda: table(CELLS).to_reader(), None, written.append, cancelled=lambda: next(asked, True))
    assert written == []

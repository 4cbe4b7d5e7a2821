"""Prosecutor, journalist and marketer: hand-computed tables, a slow second way, ARX's numbers, and laws."""

from __future__ import annotations

import doctest
import importlib
import math
from collections import defaultdict

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, UnknownAttribute, UnsupportedColumn
from masking.measures.risk import individual_risk, risk

risk_module = importlib.import_module("masking.measures.risk")
SAMPLE = pl.DataFrame({"age": ["30s", "30s", "40s", None], "sex": ["m", "m", "f", "f"]})
PEOPLE = pl.DataFrame(
    {
        "age": ["30s"] * 4 + ["40s"] * 5 + [None] * 2 + ["50s"] * 9,
        "sex": ["m"] * 4 + ["f"] * 5 + ["f"] * 2 + ["m"] * 9,
    }
)
ROWS = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sampled_from(["x", "y"]), st.sampled_from("pqrst")),
    min_size=1,
    max_size=30,
)


def table(rows):
    schema = {"a": pl.String, "b": pl.String, "p": pl.String}
    return pl.DataFrame(dict(zip("abp", zip(*rows, strict=True), strict=True)) if rows else {}, schema=schema)


def test_docstrings():
    assert doctest.testmod(risk_module).failed == 0


def test_prosecutor_and_marketer_by_hand():
    found = risk(SAMPLE, ["age", "sex"], threshold=0.5)  # classes of 2, 1 and 1
    assert (found.prosecutor_max, found.prosecutor_min) == (1, 0.5)
    assert found.prosecutor_average == found.marketer == pytest.approx(3 / 4)  # classes over persons
    assert found.at_risk == found.uniqueness == pytest.approx(2 / 4)
    assert found.threshold == 0.5
    assert found.journalist is None


def test_journalist_by_hand():
    found = risk(SAMPLE, ["age", "sex"], threshold=0.2, population=PEOPLE).journalist
    # Two of four persons, one of five, one of two.
    assert found.max == 1 / 2
    assert found.at_risk == 3 / 4  # 1/4, 1/4 and 1/2 are above 0.2; 1/5 is not
    assert found.marketer == pytest.approx((2 / 4 + 1 / 5 + 1 / 2) / 4)
    assert found.average == pytest.approx(max(found.marketer, 3 / 11))
    assert found.basis == "population"


def test_by_class_may_be_the_greater_average():
    sample = pl.DataFrame({"a": [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]})
    found = risk(sample, ["a"], population=pl.DataFrame({"a": [1] * 2 + [2] * 90})).journalist
    assert found.average == found.marketer == pytest.approx((1 / 2 + 9 / 90) / 10)
    found = risk(sample, ["a"], population=pl.DataFrame({"a": [1] * 100 + [2] * 9})).journalist
    assert found.average == pytest.approx(1.01 / 10)
    assert found.average > 2 / 109


def test_a_person_of_several_classes_has_the_risk_of_the_smallest():
    sample = pl.DataFrame({"a": [1, 1, 2], "p": ["x", "y", "x"]})
    people = pl.DataFrame({"a": [1] * 9 + [2] * 3, "p": list("xyabcdefgxij")})
    found = risk(sample, ["a"], "p", 0.2, population=people, population_unit="p")
    assert found.persons == 2
    assert found.journalist.marketer == pytest.approx((1 / 3 + 1 / 9) / 2)
    assert found.journalist.at_risk == 1 / 2


def test_a_register_that_lacks_released_persons_counts_them():
    found = risk(pl.DataFrame({"a": [1, 1, 1, 2]}), ["a"], population=pl.DataFrame({"a": [1]})).journalist
    assert found.max == 1
    assert found.marketer == pytest.approx((3 / 3 + 1) / 4)


def test_types_of_the_two_tables():
    categories = PEOPLE.with_columns(pl.col("age").cast(pl.Categorical))
    assert (
        risk(SAMPLE, ["age"], population=categories).journalist == risk(SAMPLE, ["age"], population=PEOPLE).journalist
    )
    small, wide = (
        pl.DataFrame({"a": pl.Series([1, 2], dtype=pl.Int8)}),
        pa.table({"a": pa.array([1, 2, 2], pa.uint64())}),
    )
    assert risk(small, ["a"], population=wide).journalist.marketer == pytest.approx(3 / 4)
    assert risk(small, ["a"], population=pl.DataFrame({"a": [1.0, 2.0]})).journalist.marketer == 1
    nothing = pl.DataFrame({"a": [None, None]})
    assert risk(nothing, ["a"], population=pl.DataFrame({"a": ["x", None, None, None]})).journalist.max == 1 / 3
    with pytest.raises(UnsupportedColumn, match=r"'a'.*cannot be compared"):
        risk(small, ["a"], population=pl.DataFrame({"a": ["1"]}))
    with pytest.raises(UnknownAttribute, match="sex"):
        risk(SAMPLE, ["sex"], population=PEOPLE.drop("sex"))


def test_parameters():
    with pytest.raises(InvalidParameter, match="either"):
        risk(SAMPLE, ["age"], population=PEOPLE, sampling_fraction=0.5)
    for fraction in (0, -1, 1.01, math.nan):
        with pytest.raises(InvalidParameter, match="fraction"):
            risk(SAMPLE, ["age"], sampling_fraction=fraction)


def test_the_estimate_needs_only_a_fraction():
    found = risk(SAMPLE, ["age", "sex"], sampling_fraction=0.5).journalist
    one, two = math.log(2), 1 - math.log(2)
    assert found.max == pytest.approx(one)
    assert found.average == found.marketer == pytest.approx((2 * one + 2 * two) / 4)
    assert found.basis == "estimate"
    whole = risk(SAMPLE, ["age", "sex"], sampling_fraction=1)
    assert whole.journalist.max == pytest.approx(whole.prosecutor_max)
    assert whole.journalist.average == pytest.approx(whole.prosecutor_average)


@pytest.mark.parametrize("kept", [1e-6, 0.01, 0.3, 0.5, 0.5000001, 0.9, 1.0])
@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 200])
def test_individual_risk_equals_the_integral(kept, size):
    """Simpson's rule in the logarithm of u, where the integrand has no narrow place."""
    steps, low = 20_000, -60.0 / size
    total = 0.0
    for step in range(steps + 1):
        u = math.exp(low * (1 - step / steps))
        weight = 1 if step in {0, steps} else 4 if step % 2 else 2
        total += weight * kept * u**size / (kept + (1 - kept) * u)
    assert individual_risk([size], kept)[0] == pytest.approx(total * -low / steps / 3, rel=1e-9)


def test_empty_tables_and_no_quasi_identifiers():
    empty = SAMPLE.head(0)
    found = risk(empty, ["age"], population=PEOPLE)
    assert (found.persons, found.marketer, found.journalist.max) == (0, 0, 0)
    assert risk(empty, ["age"], sampling_fraction=0.1).journalist.average == 0
    assert risk(SAMPLE, [], population=PEOPLE).journalist.max == pytest.approx(1 / 20)
    assert risk(SAMPLE, ["age"], population=PEOPLE.head(0)).journalist.max == 1


@pytest.mark.parametrize("columns", [1, 60])
def test_hostile_shapes(columns):
    names = [f"c{number}" for number in range(columns)]
    equal = pl.DataFrame({name: ["x"] * 40 for name in names})
    distinct = pl.DataFrame({name: range(40) for name in names})
    nulls = pl.DataFrame({name: [None] * 40 for name in names})
    assert risk(equal, names, population=equal).journalist.max == 1 / 40
    assert risk(nulls, names, population=nulls).journalist.max == 1 / 40
    found = risk(distinct, names, population=pl.concat([distinct, distinct]))
    assert (found.prosecutor_max, found.marketer, found.journalist.marketer) == (1, 1, 0.5)
    assert risk(distinct.head(1), names).uniqueness == 1


def test_equals_arx_on_adult(shared):
    adult = pl.read_csv(shared / "data/arx/adult/adult.csv", separator=";")
    found = risk(adult, adult.columns)
    assert found.prosecutor_average == pytest.approx(0.6465751607983555, abs=1e-12)  # ARX, TestRiskMetrics
    assert found.uniqueness == pytest.approx(0.5142895033485844, abs=1e-12)


def slow_journalist(sample, people, threshold, persons):
    """Sets of persons, one record at a time."""
    ours, theirs, classes_of = defaultdict(set), defaultdict(set), defaultdict(set)
    for number, (a, b, p) in enumerate(sample):
        ours[a, b].add(p if persons else number)
        classes_of[p if persons else number].add((a, b))
    for number, (a, b, p) in enumerate(people):
        theirs[a, b].add(p if persons else number)
    size = {key: max(len(members), len(theirs[key])) for key, members in ours.items()}
    risks = [1 / min(size[key] for key in keys) for keys in classes_of.values()]
    mean = math.fsum(risks) / len(risks)
    at_risk = sum(each > threshold for each in risks) / len(risks)
    return max(risks), max(mean, len(ours) / sum(size.values())), at_risk, mean


@settings(deadline=None, max_examples=25)
@given(ROWS, ROWS, st.sampled_from([0.1, 0.25, 0.5]), st.booleans())
def test_journalist_equals_a_slow_count(sample, people, threshold, persons):
    unit = "p" if persons else None
    given_tables = (table(sample), ["a", "b"], unit, threshold)
    found = risk(*given_tables, population=table(people), population_unit=unit).journalist
    expected = slow_journalist(sample, people, threshold, persons)
    assert (found.max, found.average, found.at_risk, found.marketer) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=25)
@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_laws(sample, others, random):
    everyone = table(sample + others)
    found = risk(table(sample), ["a", "b"], population=everyone)
    # A journalist never does better than a prosecutor when the register holds the sample.
    assert found.journalist.max <= found.prosecutor_max + 1e-12
    assert found.journalist.marketer <= found.marketer + 1e-12
    # Coarser classes never raise a risk.
    coarse = risk(table(sample), ["a"], population=everyone)
    assert coarse.prosecutor_max <= found.prosecutor_max
    assert coarse.marketer <= found.marketer + 1e-12
    assert coarse.uniqueness <= found.uniqueness
    assert coarse.journalist.max <= found.journalist.max
    # Order means nothing.
    mixed = list(sample)
    random.shuffle(mixed)
    again = risk(table(mixed), ["a", "b"], population=everyone)
    assert again.journalist.marketer == pytest.approx(found.journalist.marketer, abs=1e-12)
    assert (again.prosecutor_max, again.uniqueness) == (found.prosecutor_max, found.uniqueness)

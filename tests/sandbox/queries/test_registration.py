"""What a data officer may register: each mistake is named with its line, column and the right word, in two languages."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from masking.errors import PolicyError
from masking.messages import in_chinese
from masking.policy import check, load
from masking.policy.dump import dump
from masking.policy.explain import explain_limits
from sandbox.queries.registration import Registration
from tests.sandbox.queries.cubes import POLICY, persons_table, registered

SEX, AGE = "      sex: {other: false}\n", "      age: {edges: [0, 30, 60, null], other: false}\n"
MEASURES = "    measures: {cost: {lower: 0, upper: 1000}}\n"


@pytest.mark.parametrize(
    ("old", "new", "words", "place"),
    [
        (SEX, "      sexx: {}\n", "which is no attribute; did you mean 'sex'", (14, None)),
        (SEX, "      s: {from: sexx}\n", "did you mean 'sex'", (14, None)),
        (AGE, "      age: {}\n", "no fixed categories", (15, None)),
        (AGE, "      age: {edge: [1, 2]}\n", "did you mean 'edges'", (15, 13)),
        (AGE, "      age: {edges: [3, 1]}\n", "must ascend", (15, 7)),
        (AGE, "      age: {edges: [0, null, 3]}\n", "must ascend", (15, 7)),
        (AGE, "      age: {edges: [.nan, 20]}\n", "not a number", (15, 7)),
        (AGE, "      age: {edges: [0, 20, .inf]}\n", "infinite", (15, 7)),
        (AGE, "      age: {codes: {}}\n", "are empty", (15, 7)),
        (AGE, "      age: {edges: [null, null]}\n", "must ascend", (15, 7)),
        (AGE, "      age: {edges: [0, a]}\n", "must ascend", (15, 7)),
        (AGE, "      age: {edges: [0]}\n", "at least length 2", (15, 13)),
        (AGE, "      age: {lower: 0, upper: 9}\n", "together", (15, 7)),
        (AGE, "      age: {lower: 9, upper: 0, width: 1}\n", "lower < upper", (15, 7)),
        (AGE, "      age: {lower: 0, upper: 9, width: 0}\n", "width > 0", (15, 7)),
        (AGE, "      age: {codes: [1], edges: [1, 2]}\n", "one says what its categories are", (15, 7)),
        (AGE, "      age: {codes: [1, 1]}\n", "must differ", (15, 7)),
        (AGE, "      age: {codes: [1, '1']}\n", "must differ", (15, 7)),
        (AGE, "      age: {codes: [other]}\n", "always exists", (15, 7)),
        (AGE, "      age: {codes: {1: {zh: 一}}}\n", "neither text nor zh and en", (15, 7)),
        (AGE, "      age: {edges: [0, 9], titles: [a, b]}\n", "one for each of its 1 bands", (15, 7)),
        (AGE, "      age: {edges: [0, 9, 20], titles: [a, {zh: 乙}]}\n", "text or zh and en", (15, 7)),
        (AGE, "      age: {edges: [0, 9, 20], titles: [a, a]}\n", "have the same title", (15, 7)),
        (AGE, "      age: {codes: [1], titles: [a]}\n", "codes have theirs beside them", (15, 7)),
        (AGE, "      age: {characters: [2, 1], codes: [1]}\n", "counted from 1", (15, 7)),
        (AGE, "      patient: {codes: [1]}\n", "what names them", (15, None)),
        (AGE, "      age: {lower: 0, upper: 19999, width: 1}\n", "fewer categories", (None, None)),
        (AGE, "".join(f"      a{n}: {{from: age, lower: 0, upper: 25, width: 1}}\n" for n in range(4)),
         "at most 1000000", (None, None)),
        (AGE, "".join(f"      a{n}: {{from: age, codes: [1]}}\n" for n in range(6)), "at most size 6", (13, 5)),
        (MEASURES, "    measures: {sexy: {lower: 0, upper: 1}}\n", "did you mean 'sex'", (17, None)),
        (MEASURES, "    measures: {cost: {lower: 1, upper: 1}}\n", "lower < upper", (17, 16)),
        (MEASURES, "    measures: {cost: {lower: 0}}\n", "needs ['upper']", (17, 16)),
        (MEASURES, "    measures: {cost: {lower: 1000000, upper: 1000001}}\n", "too near to each other", (17, 16)),
        (MEASURES, "    measures: {patient: {lower: 0, upper: 1}}\n", "what names them", (17, None)),
        (MEASURES, "    contribution: 0\n", "at least 1", (17, 5)),
        (MEASURES, "    contribution: 11\n", "at most 10", (17, 5)),
        (MEASURES, "    threshold: 1\n", "at least 2", (17, 5)),
        (MEASURES, "    renew_days: 30\n", "at least 365", (17, 5)),
        ("unit: patient\n", "", None, None),
    ],
)  # fmt: skip
def test_mistakes(old, new, words, place):
    text = POLICY.replace(old, new)
    assert text != POLICY
    if words is None:  # without a person column the registration stands, but for a contribution
        check(load(text))
        text, words, place = text.replace(MEASURES, "    contribution: 2\n"), "leave `contribution` out", (None, None)
    with pytest.raises(PolicyError, match=re.escape(words)) as error:
        check(load(text))
    assert (error.value.line, error.value.column) == place
    assert re.search(r"[\u4e00-\u9fff]", in_chinese(str(error.value)))


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("cost", ["x"] * 3, "no column of numbers"),
        ("sex", [[1]] * 3, "neither text nor numbers nor dates"),
        ("age", pa.array([1, 2, 3], pa.date32()), "is a column of dates"),
    ],
)
def test_types_of_the_table(column, values, words):
    table = persons_table(3)
    check(load(POLICY), table.schema)
    changed = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
    with pytest.raises(PolicyError, match=words):
        check(load(POLICY), changed.schema)


def test_it_is_written_as_it_was_read_and_explained():
    policy = load(POLICY)
    again = load(dump(policy))
    assert again.sandbox == policy.sandbox
    assert again.sandbox.tables is not None
    zh, en = (" ".join(explain_limits(policy, language)) for language in ("zh", "en"))
    assert "固定口径统计" in zh
    assert "fixed tables sum 'cost': a person adds to a cell within [0, 1000]" in en


def test_a_policy_without_registration_has_none():
    assert load(POLICY.split("sandbox:")[0]).sandbox.tables is None


BANDS = "      age: {edges: [0, 30, 60, null], titles: [青年, {zh: 中年, en: middle age}, {zh: 老年, en: old}], other: false}\n"


@pytest.mark.parametrize(
    ("dimension", "codes", "titles"),
    [
        (AGE, ["0..30", "30..60", ">=60"], [("0 至 30 以下", "0 to below 30"), ("30 至 60 以下", "30 to below 60"),
         ("60 及以上", "60 and above")]),
        (BANDS, ["0..30", "30..60", ">=60"], [("青年", "青年"), ("中年", "middle age"), ("老年", "old")]),
        ("      age: {lower: 0, upper: 20, width: 10, titles: [a, b]}\n", ["0..10", "10..20", "other"],
         [("a", "a"), ("b", "b"), ("其他或空缺", "other or empty")]),
    ],
)  # fmt: skip
def test_bands_are_called_as_the_officer_says(dimension, codes, titles):
    registration = registered(POLICY.replace(AGE, dimension))
    age = next(each for each in registration.dimensions if each.name == "age")
    assert list(age.codes) == codes
    assert [(each["zh"], each["en"]) for each in age.titles] == titles
    assert Registration.from_json(registration.to_json()) == registration
    policy = load(POLICY.replace(AGE, dimension))
    assert load(dump(policy)).sandbox == policy.sandbox

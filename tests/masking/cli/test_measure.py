"""``masking measure``: every section against figures computed by hand."""

from __future__ import annotations

import importlib.util
import json
import math

import pytest

POLICY = """version: 1
dataset: visits
attributes:
  no: {role: insensitive}
  age: {role: quasi_identifier, technique: generalization.bands, width: 10}
  ill: {role: sensitive}
limits: {k_anonymity: 2, distinct_l_diversity: 2, t_closeness: 0.3}
"""
RAW = "no,age,ill\n1,31,a\n2,35,b\n3,36,b\n4,42,c\n5,47,a\n"
MASKED = 'no,age,ill\n1,"[30,40)",a\n2,"[30,40)",b\n3,"[30,40)",b\n4,"[40,50)",c\n5,"[40,50)",a\n'


@pytest.fixture
def files(tmp_path):
    for name, text in (("policy.yaml", POLICY), ("raw.csv", RAW), ("masked.csv", MASKED)):
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.fixture
def measured(run, files):
    def measured_(*more, table="masked.csv"):
        code, out, err = run("measure", files / table, "--policy", files / "policy.yaml", "--json", *more)
        assert (code, err) == (0, "")
        return json.loads(out)

    return measured_


def test_limits_and_models(measured):
    found = measured()
    assert (found["version"], found["k"], found["classes"], found["persons"]) == (1, 2, 2, 5)
    limits = {each["limit"]: each for each in found["limits"]["limits"]}
    assert [limits[name]["found"] for name in ("k_anonymity", "distinct_l_diversity")] == [2, 2]
    # a: 2/5, b: 2/5, c: 1/5 in the table; a: 1/2, c: 1/2 in the worse class
    assert limits["t_closeness"]["found"] == pytest.approx(0.4)
    assert [limits[name]["holds"] for name in limits] == [True, True, False]
    assert (limits["t_closeness"]["failing_classes"], limits["t_closeness"]["failing_persons"]) == (1, 2)
    assert found["limits"]["holds"] is False
    ill = found["models"]["ill"]
    assert ill["distinct_l"] == 2
    assert ill["entropy_l"] == pytest.approx(3 / 2 ** (2 / 3))  # 1/3, 2/3
    assert ill["least_c"] == {"2": 2.0, "3": None}
    assert (ill["t_equal"], ill["t_ordered"]) == (pytest.approx(0.4), None)
    assert (ill["alpha"], ill["beta"]) == (pytest.approx(2 / 3), pytest.approx(0.5 / 0.2 - 1))
    assert ill["delta"] == pytest.approx(math.log(2.5))
    assert found["effect"]["controlled"]["grade"] == 2  # one in two is above 0.2
    assert found["risk"]["prosecutor_max"] == 0.5
    assert found["risk"]["marketer"] == 0.4


def test_population_by_number_and_by_table(measured, files):
    found = measured("--population", "10")
    assert found["risk"]["journalist"]["basis"] == "estimate"
    assert [each["asked"] for each in found["population_uniqueness"]] == ["pitman", "zayatz", "snb", "dankar"]
    assert all(each["population"] == 10 for each in found["population_uniqueness"])
    raw = measured("--population", "10", table="raw.csv")
    assert all(0 < each["share"] <= 1 for each in raw["population_uniqueness"])
    rows = ['"[30,40)"'] * 6 + ['"[40,50)"'] * 4
    (files / "everyone.csv").write_text("age\n" + "\n".join(rows) + "\n", "utf-8")
    known = measured("--population-table", files / "everyone.csv")["risk"]["journalist"]
    assert (known["basis"], known["max"]) == ("population", 0.25)


def test_special_uniques(measured):
    found = measured("--suda", "2", table="raw.csv")["special_uniques"]
    assert found["by_size"] == {"1": 5, "2": 0}  # the age alone singles out everybody
    assert (found["special_records"], found["special_share"]) == (5, 1.0)
    assert measured("--suda", "2")["special_uniques"]["special_records"] == 0


def test_utility_and_linkage(measured, files):
    found = measured("--raw", files / "raw.csv")
    usage = found["utility"]
    # Three of five ages are one band, two the other: a cell covers 13/25 of the leaves, least is 1/5.
    assert usage["granularity"] == pytest.approx(0.6)
    assert usage["losses"] == {"age": pytest.approx(0.4)}
    assert (usage["discernibility"], usage["average_class_size"]) == (13, 2.5)
    assert usage["average_class_size_over_k"] == 1.25
    assert (usage["queries"]["queries"], usage["not_measured"]) == (200, [])
    columns = {each["attribute"]: each for each in usage["columns"]}
    assert columns["ill"]["total_variation"] == 0
    drill = found["linkage"]
    assert (drill["attack"], drill["attacked"], drill["expected"]) == ("matching", 5, pytest.approx(0.4))
    assert drill["success_rate"] <= drill["upper_95"] <= 1
    assert drill["inference"]["ill"]["max"] == pytest.approx(2 / 3)
    assert {each["limit"] for each in found["limits"]["limits"]} >= {"suppression"}


def test_an_edition_that_is_hardly_masked_is_re_identified(measured, files):
    found = measured("--raw", files / "raw.csv", table="raw.csv")
    assert found["linkage"]["success_rate"] == 1.0
    assert found["utility"]["granularity"] == 1.0


def test_records_that_left_need_a_link(run, measured, files):
    (files / "fewer.csv").write_text("\n".join(MASKED.splitlines()[:-2]) + "\n", "utf-8")
    found = measured("--raw", files / "raw.csv", table="fewer.csv")
    assert found["linkage"] is None
    assert found["utility"]["losses"]["age"] == pytest.approx(
        (3 / 5 * 3 / 5 + 2 / 5 - 1 / 5) / (4 / 5)
    )  # gone: all of it
    suppression = next(each for each in found["limits"]["limits"] if each["limit"] == "suppression")
    assert (suppression["found"], suppression["holds"]) == (0.4, False)
    linked = measured("--raw", files / "raw.csv", "--link", "no", table="fewer.csv")["linkage"]
    assert (linked["attacked"], linked["released"]) == (5, 3)
    shown = run("measure", files / "fewer.csv", "--policy", files / "policy.yaml", "--raw", files / "raw.csv", "--en")[
        1
    ]
    assert "--link" in shown


def test_records_that_the_policy_leaves_out_are_not_lost(measured, files):
    """The conditions of the policy, not its limits, keep them back."""
    (files / "policy.yaml").write_text(f"{POLICY}suppress:\n  - {{column: age, at_least: 42}}\n", "utf-8")
    (files / "fewer.csv").write_text("\n".join(MASKED.splitlines()[:-2]) + "\n", "utf-8")
    found = measured("--raw", files / "raw.csv", table="fewer.csv")
    suppression = next(each for each in found["limits"]["limits"] if each["limit"] == "suppression")
    assert (suppression["found"], suppression["holds"]) == (0.0, True)
    assert found["linkage"]["attacked"] == 3
    assert found["utility"]["losses"]["age"] == pytest.approx((3 / 5 - 1 / 5) / (4 / 5))  # five leaves, of all records


def test_a_model_or_one_sentence(run, files):
    asked = ("measure", files / "masked.csv", "--policy", files / "policy.yaml", "--raw", files / "raw.csv")
    code, out, err = run(*asked, "--train", "ill", "--json")
    if importlib.util.find_spec("sklearn") is None:
        assert (code, out) == (1, "")
        assert "scikit-learn" in err
    else:  # one record of c is too few for three folds
        assert (code, out) == (1, "")
        assert "folds" in err


@pytest.mark.parametrize(
    ("english", "words"),
    [
        (False, ("策略的限值", "敏感属性的模型", "总体唯一者", "特殊唯一", "效用", "链接演练", "95 % 上界")),
        (
            True,
            ("limits of the policy", "models of the", "estimator", "SUDA2", "utility", "linkage drill", "upper 95 %"),
        ),
    ],
)
def test_shown_to_people(run, files, english, words):
    more = ["--population", "20", "--suda", "1", "--raw", files / "raw.csv", *(["--en"] if english else [])]
    code, out, err = run("measure", files / "masked.csv", "--policy", files / "policy.yaml", *more)
    assert (code, err) == (0, "")
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--population", "3"), 1, "population"),  # fewer than the table
        (("--population", "9", "--population-table", "x.csv"), 2, "population"),
        (("--link", "no"), 2, "raw"),
        (("--train", "ill"), 2, "raw"),
        (("--population-table", "nothing.csv"), 1, "no such file"),
    ],
)
def test_what_cannot_be_measured_is_said(run, files, more, code, words):
    found, out, err = run("measure", files / "masked.csv", "--policy", files / "policy.yaml", *more)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err

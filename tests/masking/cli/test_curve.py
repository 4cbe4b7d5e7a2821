"""``masking curve``: the chosen plan, applied, gives the figures that the curve showed."""

from __future__ import annotations

import json
import re

import pytest

from masking.policy import check, load

POLICY = """version: 1
dataset: visits
title: {zh: 就诊, en: Visits}
attributes:
  age: {role: quasi_identifier, technique: generalization.recoding, intervals: [5, 10, 20], weight: 2}
  division: {role: quasi_identifier, technique: generalization.recoding, file: division.csv}
  sex: {role: quasi_identifier, technique: keep}
  ill: {role: sensitive}
  note: {role: insensitive, technique: suppression.drop}
limits: {k_anonymity: 2, distinct_l_diversity: 2, suppression: 0.2}
"""


@pytest.fixture
def files(tmp_path):
    lines = [
        f"{20 + n * 7 % 41},{430101 + n * n % 5},{'男女'[n % 3 % 2]},{'abcd'[n * 5 % 7 % 4]},CANARY{n}"
        for n in range(400)
    ]
    (tmp_path / "visits.csv").write_text("age,division,sex,ill,note\n" + "\n".join(lines) + "\n", "utf-8")
    rows = [f"{430101 + n};{'东西'[n % 2]}" for n in range(5)]
    (tmp_path / "division.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (tmp_path / "visits.yaml").write_text(POLICY, "utf-8")
    return tmp_path


@pytest.fixture
def curve(run, files):
    def curve_(*more):
        return run("curve", files / "visits.csv", "--policy", files / "visits.yaml", *more)

    return curve_


def test_each_plan_gives_exactly_its_figures(run, files, curve):
    code, out, err = curve("--json", "--k", "3", "--k", "8", "--suppression", "0.05", "--suppression", "0.2")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["proposed"] == {"sex": {}}
    assert {point["policy"]["recoding"] for point in told["points"]} == {"local", "global"}
    for point in told["points"]:
        chosen = files / f"chosen-{point['number']}.yaml"
        given = ("--k", "3", "--k", "8", "--suppression", "0.05", "--suppression", "0.2")
        assert curve(*given, "--pick", point["number"], "--policy-out", chosen)[0] == 0
        check(load(chosen), files=files)
        output = files / f"out-{point['number']}.csv"
        code, out, _ = run("apply", chosen, files / "visits.csv", output, "--json")
        assert code == 0
        report = json.loads(out)
        assert report["after"]["classes"] == point["classes"]
        assert report["after"]["prosecutor_max"] == point["max_risk"]
        assert report["after"]["prosecutor_average"] == pytest.approx(point["average_risk"], abs=1e-12)
        assert report["recoding"]["granularity"] == pytest.approx(point["granularity"], abs=1e-12)
        gone = report["recoding"]["suppressed_records"] + report["recoding"]["left_records"]
        assert gone / report["rows_in"] == pytest.approx(point["suppressed"], abs=1e-12)
        assert report["after"]["distinct_l"]["ill"] >= 2


def test_no_plan_is_beaten(curve):
    points = json.loads(curve("--json")[1])["points"]
    figures = [(point["max_risk"], point["average_risk"], point["loss"]) for point in points]
    assert len(points) > 4
    for mine in figures:
        assert not [
            other for other in figures if other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
        ]


@pytest.mark.parametrize(("suffix", "lang"), [("html", []), ("html", ["--en"]), ("svg", []), ("json", [])])
def test_files(files, curve, suffix, lang):
    out = files / f"curve.{suffix}"
    assert curve("--out", out, "--k", "3", "--k", "10", *lang)[0] == 0
    text = out.read_text("utf-8")
    assert "CANARY" not in text
    if suffix == "json":
        assert json.loads(text)["version"] == 1
        return
    marks = re.findall(r"<circle|<rect", text)
    assert len(marks) >= 2
    assert "≤ 0.05" in text
    assert "≤ 0.2" in text
    if suffix == "html":
        assert "<script" not in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
        assert ("local recoding" if lang else "局部泛化") in text
        assert ("Visits" if lang else "就诊") in text
        assert text.count("<tr>") == len(marks) + 1


def test_shown_to_people(curve):
    code, out, err = curve("--k", "5")
    assert (code, err) == (0, "")
    assert "最高风险" in out
    assert "由数据提出的层级: sex" in out
    assert "highest risk" in curve("--k", "5", "--en", "--recoding", "global")[1]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--pick", "1"), 2, "--policy-out"),
        (("--pick", "99", "--policy-out", "chosen.yaml"), 2, "--pick"),
        (("--pick", "1", "--policy-out", "visits.yaml"), 1, "nothing is overwritten"),
        (("--pick", "1", "--policy-out", "elsewhere/chosen.yaml"), 2, "--policy-out"),
        (("--out", "curve.png"), 2, "--out"),
        (("--k", "401", "--suppression", "0"), 1, "no plan meets"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_no_file(files, curve, more, code, words):
    (files / "elsewhere").mkdir()
    before = sorted(files.rglob("*"))
    given = [files / each if each.endswith((".yaml", ".png")) else each for each in more]
    found, out, err = curve(*given)
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert sorted(files.rglob("*")) == before


def test_a_policy_that_cannot_be_searched_is_refused(files, curve):
    banded = POLICY.replace(
        "generalization.recoding, intervals: [5, 10, 20], weight: 2", "generalization.bands, width: 5"
    )
    (files / "visits.yaml").write_text(banded, "utf-8")
    code, out, err = curve()
    assert (code, out) == (1, "")
    assert "'age'" in err
    (files / "visits.yaml").write_text(
        "version: 1\ndataset: v\nattributes:\n"
        + "".join(f"  {name}: {{role: insensitive}}\n" for name in ("age", "division", "sex", "ill", "note")),
        "utf-8",
    )
    assert curve()[0] == 1


def test_stopped_early_it_gives_what_it_has(curve):
    code, out, _ = curve("--time-limit", "0", "--json")
    assert code == 0
    assert len(json.loads(out)["points"]) >= 1

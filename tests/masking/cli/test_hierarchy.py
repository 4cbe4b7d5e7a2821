"""``masking hierarchy``: what it proposes it reads back, and it finds what a file lacks."""

from __future__ import annotations

import json

import pytest

from masking.hierarchies import as_hierarchy


@pytest.fixture
def files(tmp_path):
    lines = [f"{20 + n},{430100 + n % 3},2020-0{n % 3 + 1}-1{n % 9},甲;乙" for n in range(40)] + [",430100,,"]
    (tmp_path / "raw.csv").write_text("age,division,day,text\n" + "\n".join(lines) + "\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("column", "word", "levels"),
    [
        ("age", "intervals", None),
        ("division", "prefixes", None),
        ("division", "intervals", None),
        ("day", "calendar", 6),
        ("text", None, 2),
    ],
)
def test_a_proposal_is_a_file_that_fits_its_column(run, files, column, word, levels):
    out = files / "made.csv"
    codes = ["--codes"] if word == "prefixes" else []
    code, text, err = run("hierarchy", "propose", files / "raw.csv", "--column", column, "--out", out, "--json", *codes)
    assert (code, err) == (0, "")
    told = json.loads(text)
    assert word is None or word in told["policy"]
    assert levels is None or told["levels"] == levels
    made = as_hierarchy(out)
    assert [len(names) for names in made.labels] == told["nodes"]
    assert told["nodes"][-1] == 1
    code, text, _ = run("hierarchy", "check", out, "--against", files / "raw.csv", "--column", column, "--json")
    assert (code, json.loads(text)["used"]) == (0, told["values"])  # nulls need no leaf


def test_in_words(run, files):
    code, out, _ = run("hierarchy", "propose", files / "raw.csv", "--column", "age")
    assert code == 0
    assert "策略中写作: {technique: generalization.recoding, intervals:" in out
    (files / "division.csv").write_text("430100;4301\n430101;4301\n430102;4301\n430109;4301\n", "utf-8")
    out = run("hierarchy", "check", files / "division.csv", "--en")[1]
    assert "the hierarchy is right" in out
    asked = ("--against", files / "raw.csv", "--column", "division", "--en")
    assert "3 of its values occur" in run("hierarchy", "check", files / "division.csv", *asked)[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("430100;4301\n430101\n", "row 2 of the hierarchy has 1 levels"),
        ("430100;a;x\n430101;a;y\n", "level 2 of the hierarchy divides what level 1 merges"),
        ("430100;a\n430100;b\n", "two nodes at level 1"),
        ("430100;\n", "hole"),
        ("", "empty"),
        ("430100;4301\n", "does not name the values of 26 records (first record 2)"),
    ],
)
def test_a_wrong_file_is_one_sentence(run, files, text, words):
    (files / "wrong.csv").write_text(text, "utf-8")
    code, out, err = run(
        "hierarchy", "check", files / "wrong.csv", "--against", files / "raw.csv", "--column", "division"
    )
    assert (code, out) == (1, "")
    assert words in err
    assert "430101" not in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("propose", "raw.csv", "--column", "agee"), 1),
        (("check", "raw.csv", "--against", "raw.csv"), 2),
        (("check", "raw.csv", "--column", "age"), 2),
        (("check", "nothing.csv"), 1),
        (("check", "raw.csv", "--against", "raw.csv", "--column", "agee"), 1),
    ],
)
def test_wrong_usage(run, files, arguments, code):
    given = [files / each if each.endswith(".csv") else each for each in arguments]
    assert run("hierarchy", *given)[0] == code

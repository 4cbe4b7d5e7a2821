"""``masking anonymize``: the table meets its limits, and the policy that it writes gives the very same table."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict

import pytest

from masking.cli.running import stop_after
from masking.policy import load

DIVISIONS = ("430102", "430103", "430202", "430203", "430302")
ILLS = ("J06", "I10", "E11", "K29")


@pytest.fixture
def files(tmp_path):
    lines = [
        f"P{n // 2:03d},{20 + n * 7 % 41},{DIVISIONS[n * n % 5]},{'男女'[n % 3 % 2]},{ILLS[n * 5 % 7 % 4]},CANARY{n}"
        for n in range(300)
    ]
    (tmp_path / "visits.csv").write_text("person,age,division,sex,ill,note\n" + "\n".join(lines) + "\n", "utf-8")
    (tmp_path / "elsewhere").mkdir()
    rows = [f"{code};{code[:4]}00;{code[:2]}0000;*" for code in DIVISIONS]
    (tmp_path / "elsewhere" / "division.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return tmp_path


@pytest.fixture
def quick(run, files):
    def quick_(*more, out="out.csv"):
        return run(
            *("anonymize", files / "visits.csv", files / out, "--hierarchy", "age=propose"),
            *("--hierarchy", f"division={files / 'elsewhere' / 'division.csv'}", "--hierarchy", "sex=codes"),
            *("--drop", "note", *more),
        )

    return quick_


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def classes(path, sensitive="ill"):
    found = defaultdict(Counter)
    for row in read(path):
        found[row["age"], row["division"], row["sex"]][row[sensitive]] += 1
    return found


@pytest.mark.parametrize("recoding", ["local", "global"])
def test_the_written_policy_gives_the_very_same_table(run, files, quick, recoding):
    policy = files / "made" / "policy.yaml"
    policy.parent.mkdir()
    code, out, err = quick(
        *("--k", "5", "--sensitive", "ill", "--limit", "distinct_l_diversity=2", "--recoding", recoding),
        *("--suppression", "0.3", "--policy-out", policy),
    )
    assert (code, err) == (0, "")
    assert "原样输出的列: person" in out
    for counted in classes(files / "out.csv").values():
        assert counted.total() >= 5
        assert len(counted) >= 2
    assert any("CANARY" not in str(row) and len(row) == 5 for row in read(files / "out.csv"))
    loaded = load(policy)
    assert loaded.recoding == recoding
    assert loaded.limits.to_dict() == {"k_anonymity": 5, "distinct_l_diversity": 2, "suppression": 0.3}
    assert loaded.attributes["division"].parameters == {"file": "policy-hierarchies/division.csv"}
    assert "intervals" in loaded.attributes["age"].parameters
    assert run("apply", policy, files / "visits.csv", files / "again.csv")[0] == 0
    assert (files / "again.csv").read_bytes() == (files / "out.csv").read_bytes()


def test_persons_weights_and_kept_attributes(run, files, quick):
    policy = files / "policy.yaml"
    code, out, _ = quick(
        *("--k", "4", "--unit", "person", "--keep", "sex", "--weight", "age=3", "--limit", "average_risk=0.1"),
        *("--policy-out", policy, "--json"),
    )
    assert code == 0
    report = json.loads(out)
    assert report["after"]["k"] >= 4
    assert {claim["limit"] for claim in report["claims"]} == {"k_anonymity", "average_risk"}
    assert report["claims"][1]["found"] <= 0.1
    loaded = load(policy)
    assert loaded.unit == "person"
    assert loaded.attributes["sex"].parameters["highest"] == 0
    assert loaded.attributes["age"].parameters["weight"] == 3
    assert loaded.attributes["division"].parameters == {"file": "elsewhere/division.csv"}  # below the policy's folder
    assert {row["sex"] for row in read(files / "out.csv")} <= {"男", "女", "*"}
    assert "person" not in read(files / "out.csv")[0]


@pytest.mark.parametrize(
    ("limit", "asked"),
    [
        ("recursive_cl_diversity=4,2", [4.0, 2]),
        ("recursive_cl_diversity=[4, 2]", [4.0, 2]),
        ("t_closeness=0.4", {"t": 0.4, "distance": "equal"}),
        ("t_closeness={t: 0.4, distance: equal}", {"t": 0.4, "distance": "equal"}),
        ("max_risk=0.25", 0.25),
    ],
)
def test_limits_as_a_policy_says_them(quick, limit, asked):
    code, out, err = quick("--sensitive", "ill", "--limit", limit, "--json", "--suppression", "0.9")
    assert (code, err) == (0, "")
    assert json.loads(out)["claims"][0]["asked"] == asked


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ((), 2, "limit"),
        (("--k", "1"), 2, "--k"),
        (("--k", "5", "--limit", "k_anonimity=3"), 1, "did you mean 'k_anonymity'?"),
        (("--k", "5", "--limit", "t_closeness"), 2, "NAME=VALUE"),
        (("--k", "5", "--limit", "t_closeness={t"), 2, "--limit"),
        (("--k", "5", "--limit", "t_closeness=0.1"), 1, "no sensitive attribute"),
        (("--k", "5", "--keep", "ill"), 2, "--keep"),
        (("--k", "5", "--weight", "age=many"), 2, "--weight"),
        (("--k", "5", "--sensitive", "age"), 2, "--sensitive"),
        (("--k", "5", "--sensitive", "illness"), 1, "illness"),
        (("--k", "5", "--hierarchy", "ill=nothing.csv"), 1, "nothing.csv"),
        (("--k", "301", "--suppression", "0.5"), 1, "suppress"),
        (("--k", "300", "--suppression", "0", "--keep", "sex"), 1, "suppress"),
        (("--k", "5", "--limit", "k_map=5"), 1, "population"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_nothing(files, quick, more, code, words):
    made = files / "made"
    made.mkdir()
    before = sorted(files.rglob("*"))
    found, out, err = quick(*more, "--policy-out", made / "policy.yaml")
    assert (found, out) == (code, "")
    assert words in err
    assert "CANARY" not in err
    assert "Traceback" not in err
    assert sorted(files.rglob("*")) == before


def test_nothing_is_overwritten(files, quick):
    policy = files / "policy.yaml"
    policy.write_text("mine", "utf-8")
    code, _, err = quick("--k", "5", "--policy-out", policy)
    assert code == 1
    assert "exists" in err
    assert policy.read_text("utf-8") == "mine"
    assert not (files / "out.csv").exists()


def test_a_hierarchy_that_lacks_values_is_one_sentence(run, files):
    (files / "short.csv").write_text("430102;*\n", "utf-8")
    code, out, err = run(
        *("anonymize", files / "visits.csv", files / "out.csv", "--k", "5"),
        *("--hierarchy", f"division={files / 'short.csv'}", "--drop", "note"),
    )
    assert (code, out) == (1, "")
    assert "division" in err
    assert "4302" not in err


def test_a_search_without_time_gives_a_table_that_meets_its_limits(quick, files):
    assert quick("--k", "5", "--time-limit", "0")[0] == 0
    assert min(counted.total() for counted in classes(files / "out.csv").values()) >= 5


def test_time_is_counted_from_the_first_question(monkeypatch):
    now = 100.0
    monkeypatch.setattr("masking.cli.running.time.monotonic", lambda: now)
    stop = stop_after(2.0)
    now = 1000.0
    assert not stop()
    now = 1001.9
    assert not stop()
    now = 1002.0
    assert stop()
    assert stop_after(None) is None

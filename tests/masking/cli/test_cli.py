"""The command line, run as people run it: results, exit codes, one sentence for an error, nothing half-written."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pyarrow.csv
import pytest

from masking import cli
from masking.detection.invented import resident_ids

POLICY = """version: 1
dataset: visits
title: {zh: 就诊, en: Visits}
unit: resident_id
attributes:
  resident_id: {role: direct_identifier, technique: suppression.drop, invented: true}
  phone: {role: quasi_identifier, technique: pseudonymization.keyed, key: visits-1}
  age: {role: quasi_identifier, technique: generalization.bands, edges: [40, 60]}
  note: {role: sensitive}
limits: {k_anonymity: 5, suppression: 0.2}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    ids = resident_ids([1970] * 42, [True] * 42, seed=3)
    lines = [f"{i},1380000{n % 2:04d},{30 + n % 2 * 40},CANARY{n % 3}" for n, i in enumerate(ids[:40])]
    lines += [f"{i},13800009999,50,CANARY0" for i in ids[40:]]
    (tmp_path / "visits.csv").write_text("resident_id,phone,age,note\n" + "\n".join(lines) + "\n", "utf-8")
    (tmp_path / "visits.yaml").write_text(POLICY, "utf-8")
    keys = {"version": 1, "keys": {"visits-1": base64.b64encode(b"k" * 32).decode()}}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def run_(*arguments):
        monkeypatch.setattr(sys, "argv", ["masking", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_


def test_detect(run, files):
    code, out, _ = run("detect", files / "visits.csv", "--json", "--propose", files / "proposed.yaml")
    found = json.loads(out)
    assert code == 0
    assert found["level"] == "L3"
    assert found["columns"][0]["passed"] == 42
    assert "CANARY" not in out
    assert run("check", files / "proposed.yaml", "--against", files / "visits.csv")[0] == 0
    code, out, _ = run("detect", files / "visits.csv")
    assert "直接标识符" in out
    assert "L3 较敏感" in out
    assert "direct identifier" in run("detect", files / "visits.csv", "--en")[1]


def test_apply_measure_and_reports(run, files):
    output, report = files / "out.csv", files / "report.json"
    code, out, err = run(
        "apply", files / "visits.yaml", files / "visits.csv", output, "--keys", files / "keys.json", "--report", report
    )
    assert (code, err) == (0, "")
    assert "42 → 40 行" in out
    masked = pyarrow.csv.read_csv(output)
    assert masked.column_names == ["phone", "age", "note"]
    assert masked.num_rows == 40
    internal = json.loads(report.read_text("utf-8"))
    assert (internal["k_before"], internal["k_after"], internal["suppressed"]) == (2, 20, 2)
    code, out, _ = run("measure", output, "--policy", files / "visits.yaml", "--json")
    assert json.loads(out)["k"] == 20
    code, out, _ = run("measure", files / "visits.csv", "--policy", files / "visits.yaml")
    assert code == 0
    assert "最小等价类" in out
    assert "smallest class" in run("measure", output, "--policy", files / "visits.yaml", "--en")[1]
    again = files / "again.parquet"
    code, out, _ = run(
        "apply", files / "visits.yaml", files / "visits.csv", again, "--keys", files / "keys.json", "--json"
    )
    assert json.loads(out)["effect"] == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("limits: {k_anonymity: 5, suppression: 0.2}", "limits: {k_anonymity: 30, suppression: 0.2}"),
            "k_anonymity 30",
        ),
        (("note:", "nota:"), "nota"),
        (("key: visits-1", "key: other"), "'other'"),
        (("edges: [40, 60]", "edges: [60, 40]"), "edges"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_no_file(run, files, change, words):
    (files / "visits.yaml").write_text(POLICY.replace(*change), "utf-8")
    before = sorted(p.name for p in files.iterdir())
    code, out, err = run(
        "apply", files / "visits.yaml", files / "visits.csv", files / "out.csv", "--keys", files / "keys.json"
    )
    assert (code, out) == (1, "")
    assert err.startswith("错误 error: ")
    assert words in err
    assert err.count("\n") == 1
    assert "CANARY" not in err
    assert sorted(p.name for p in files.iterdir()) == before


def test_the_raw_table_is_never_overwritten(run, files):
    before = (files / "visits.csv").read_bytes()
    code, _, err = run(
        "apply", files / "visits.yaml", files / "visits.csv", files / "visits.csv", "--keys", files / "keys.json"
    )
    assert code == 1
    assert "same file" in err
    assert (files / "visits.csv").read_bytes() == before


def test_preview_covers_identifiers_and_never_needs_a_key(run, files):
    code, out, _ = run("preview", files / "visits.yaml", files / "visits.csv", "--json", "--rows", "3")
    shown = json.loads(out)
    assert code == 0
    assert shown["before"]["resident_id"] == ["••••"] * 3
    assert len(shown["after"]["phone"][0]) == 16
    assert "resident_id" not in shown["after"]
    raw = run("preview", files / "visits.yaml", files / "visits.csv", "--json", "--reveal")[1]
    assert json.loads(raw)["before"]["resident_id"][0].isdigit()
    code, out, _ = run("preview", files / "visits.yaml", files / "visits.csv", "--rows", "1")
    assert "之前" in out
    assert run("preview", files / "visits.yaml", files / "visits.csv", "--rows", "21")[0] == 2


def test_explain_and_check(run, files):
    code, out, _ = run("explain", files / "visits.yaml")
    assert code == 0
    assert "删除，不发布" in out
    assert "dropped" in run("explain", files / "visits.yaml", "--en")[1]
    assert set(json.loads(run("explain", files / "visits.yaml", "--json")[1])) >= {"zh", "en"}
    assert json.loads(run("check", files / "visits.yaml", "--json")[1])["ok"]
    code, _, err = run("check", files / "none.yaml")
    assert code == 1
    assert "none.yaml" in err
    code, _, err = run("detect", files / "none.csv")
    assert code == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["nosuch"], ["apply"], ["detect", "--nosuch", "x.csv"]])
def test_wrong_usage_is_2(run, arguments):
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("command", ["detect", "check", "apply", "measure", "preview", "explain"])
def test_help(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "--json" in out


def test_an_internal_error_shows_no_cell(run, files, monkeypatch):
    import masking.detection

    def broken(_table):
        raise RuntimeError("CANARY")

    monkeypatch.setattr(masking.detection, "detect_columns", broken)
    code, _, err = run("detect", files / "visits.csv")
    assert code == 1
    assert "CANARY" not in err
    assert "RuntimeError" in err


def test_cells_cannot_drive_the_terminal():
    from masking.cli.show import printable

    assert printable("a\x1b[31mb\u202ec") == "a�[31mb�c"
    assert printable(None) == ""
    assert printable(0.5) == "0.5"


def test_techniques_document_is_made_from_the_code(request):
    from masking.cli.docs import text

    assert (request.config.rootpath / "docs" / "techniques.md").read_text("utf-8") == text()

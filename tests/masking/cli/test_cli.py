"""The command line, run as people run it: results, exit codes, one sentence for an error, nothing half-written."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.csv
import pytest

from masking.cli.running import records_in, stoppable
from masking.detection.invented import resident_ids
from masking.errors import Cancelled, KeyMissing

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


# Several tables, reports, test data.

SET = """version: 1
dataset: hospital
title: {zh: 医院, en: Hospital}
key_domains: {visits-1: {joins: [id, patient], period: 2026-03}}
tables:
  patients:
    title: {zh: 患者, en: patients}
    unit: id
    attributes:
      id: {role: direct_identifier, technique: pseudonymization.resident_id, key: visits-1}
      born: {role: quasi_identifier, technique: generalization.bands, width: 100}
    limits: {k_anonymity: 5, suppression: 0.2}
  visits:
    unit: patient
    attributes:
      patient: {role: direct_identifier, technique: pseudonymization.resident_id, key: visits-1}
      cost: {role: sensitive}
foreign_keys: [{from: visits.patient, to: patients.id}]
"""


@pytest.fixture
def several(tmp_path: Path, files: Path) -> Path:
    count = 12_000  # as many as a pseudonym needs that is not counted as a quasi-identifier
    ids = resident_ids([1970] * count, [True] * count, seed=3)
    raw = files / "raw"
    raw.mkdir()
    (raw / "patients.csv").write_text("id,born\n" + "\n".join(f"{i},1970" for i in ids) + "\n")
    visits = [*ids, *ids, *resident_ids([1980] * 2, [True] * 2, seed=4)]
    (raw / "visits.csv").write_text("patient,cost\n" + "\n".join(f"{i},{n % 90}" for n, i in enumerate(visits)) + "\n")
    (files / "set.yaml").write_text(SET, "utf-8")
    return files


def test_several_tables(run, several):
    policy, raw = several / "set.yaml", several / "raw"
    assert run("check", policy)[0] == 0
    code, out, err = run("check", policy, "--against", raw)
    assert (code, err) == (0, "")
    assert "24,002 个引用，2 个悬空" in out
    told = json.loads(run("check", policy, "--against", raw, "--json")[1])
    assert told["references"] == [{"foreign_key": "visits.patient → patients.id", "references": 24_002, "dangling": 2}]
    report = several / "report.json"
    code, out, err = run("apply", policy, raw, several / "out", "--keys", several / "keys.json", "--report", report)
    assert (code, err) == (0, "")
    assert "patients: 12,000 → 12,000 行" in out
    assert "之前 before visits.patient → patients.id: 24,002 个引用，2 个悬空" in out
    assert "之后 after visits.patient → patients.id: 24,000 个引用，0 个悬空" in out
    assert "2 行所引用的记录不在，一并删去" in out
    assert set(json.loads(report.read_text("utf-8"))["tables"]) == {"patients", "visits"}
    patients = set(pyarrow.csv.read_csv(several / "out" / "patients.csv")["id"].to_pylist())
    visits = pyarrow.csv.read_csv(several / "out" / "visits.csv")["patient"].to_pylist()
    assert sum(each in patients for each in visits) == 24_000
    again = run("apply", policy, raw, several / "out", "--keys", several / "keys.json")
    assert again[0] == 1
    assert "nothing is overwritten" in again[2]
    assert "同法处理" in run("explain", policy)[1]
    assert "masked alike" in run("explain", policy, "--en")[1]
    words = json.loads(run("explain", policy, "--json")[1])
    assert set(words["tables"]) == {"patients", "visits"}
    assert len(words["together"]["en"]) == 4


def test_a_set_without_a_period_is_refused_against_its_tables(run, several):
    (several / "set.yaml").write_text(SET.replace(", period: 2026-03", ""), "utf-8")
    code, _, err = run("check", several / "set.yaml", "--against", several / "raw")
    assert code == 1
    assert "table 'visits'" in err
    assert "sequence of records" in err


def test_preview_of_one_of_several(run, several):
    code, out, _ = run("preview", several / "set.yaml", several / "raw" / "visits.csv", "--json", "--rows", "2")
    assert code == 0
    assert json.loads(out)["after"]["cost"] == [0, 1]
    (several / "other.csv").write_text((several / "raw" / "visits.csv").read_text())
    assert run("preview", several / "set.yaml", several / "other.csv", "--table", "visits", "--json")[0] == 0
    code, _, err = run("preview", several / "set.yaml", several / "other.csv", "--table", "visit")
    assert code == 1
    assert "did you mean 'visits'" in err
    for command in (("measure", several / "other.csv", "--policy"), ("detect",)):
        assert run(*command, several / "set.yaml")[0] == 1


def test_a_report_is_a_page_where_its_name_says_so(run, files):
    page = files / "report.html"
    run(
        "apply",
        files / "visits.yaml",
        files / "visits.csv",
        files / "o.csv",
        "--keys",
        files / "keys.json",
        "--report",
        page,
    )
    assert page.read_text("utf-8").lower().startswith("<!doctype html>")


def test_preview_shows_what_conditions_and_whole_columns_do(run, files):
    (files / "visits.yaml").write_text(
        POLICY.replace(
            "unit: resident_id\n", "unit: resident_id\nrecord: [resident_id]\nsuppress: [{column: age, below: 40}]\n"
        ).replace(
            "note: {role: sensitive}", "note: {role: sensitive, technique: randomization.permutation, key: visits-1}"
        ),
        "utf-8",
    )
    told = json.loads(run("preview", files / "visits.yaml", files / "visits.csv", "--rows", "4", "--json")[1])
    assert told["left_out"] == 2
    assert told["before"]["age"] == [70, 70]
    assert len(told["after"]["note"]) == 2
    assert "整条删去" in run("preview", files / "visits.yaml", files / "visits.csv", "--rows", "4")[1]


def test_test_data_is_said_loudly_by_every_command(run, files):
    (files / "test.yaml").write_text(
        POLICY.replace("unit:", "test_data: true\nunit:")
        .split("limits")[0]
        .replace("pseudonymization.keyed", "pseudonymization.mobile, valid_looking: true"),
        "utf-8",
    )
    for words in (
        ("check", files / "test.yaml"),
        ("preview", files / "test.yaml", files / "visits.csv"),
        ("apply", files / "test.yaml", files / "visits.csv", files / "o.csv", "--keys", files / "keys.json"),
    ):
        code, _, err = run(*words)
        assert code == 0
        assert "TEST DATA ONLY" in err
    assert "TEST DATA ONLY" in run("explain", files / "test.yaml", "--en")[1].splitlines()[0]


# Keys.


def test_keys_are_made_rotated_and_destroyed_and_never_shown(run, files):
    path = files / "new.json"
    code, out, err = run("keys", "create", path, "visits-1", "other")
    assert (code, err) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    first = json.loads(path.read_text())["keys"]

    def tokens(policy):
        (files / "p.yaml").write_text(policy, "utf-8")
        done = run("apply", files / "p.yaml", files / "visits.csv", files / "o.csv", "--keys", path)
        assert done[0] == 0
        return pyarrow.csv.read_csv(files / "o.csv")["phone"].to_pylist()

    before = tokens(POLICY)
    shown = out + run("keys", "rotate", path, "visits-1")[1]
    assert "visits-1@1" in shown
    assert set(tokens(POLICY)).isdisjoint(before)
    assert tokens(POLICY.replace("key: visits-1", "key: visits-1@1")) == before
    second = json.loads(path.read_text())["keys"]
    shown += run("keys", "destroy", path, "visits-1", "--yes")[1]
    assert list(json.loads(path.read_text())["keys"]) == ["other"]
    for key in (*first.values(), *second.values()):
        assert key not in shown
    assert "须另行销毁" in shown
    code, _, err = run("keys", "rotate", path, "visits-1")
    assert code == 1
    assert "was not given" in err
    assert run("keys", "create", path, "other")[0] == 1


def test_destroying_asks_first(files):
    from masking.keys import FileKeys, create_keys

    path = files / "new.json"
    create_keys(path, ["a"])
    for answer, left in ((b"n\n", True), (b"y\n", False)):
        command = [sys.executable, "-m", "masking.cli", "keys", "destroy", str(path), "a"]
        done = subprocess.run(command, input=answer, capture_output=True, check=False)
        assert (done.returncode == 0) is not left
        assert b"Traceback" not in done.stderr
        with pytest.raises(KeyMissing) if not left else contextlib.nullcontext():
            FileKeys(path).get("a")


# While it runs.


@pytest.fixture
def large(files: Path) -> Path:
    """A run of some seconds: 300,000 texts to read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [f"电话1380013{n % 10_000:04d}，{n}号楼住户反映电梯停运，请尽快处理" for n in range(300_000)]
    pq.write_table(pa.table({"text": texts}), files / "large.parquet", row_group_size=20_000)
    (files / "large.yaml").write_text(
        "version: 1\ndataset: x\nattributes:\n  text: {role: sensitive, technique: text.redact}\n"
    )
    return files


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing(large, number):
    before = sorted(path.name for path in large.iterdir())
    command = [sys.executable, "-m", "masking.cli", "apply"]
    command += [str(large / name) for name in ("large.yaml", "large.parquet", "out.parquet")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        for _ in range(2400):
            if any(path.name.startswith(".out.parquet") for path in large.iterdir()):
                break  # it has begun to write
            time.sleep(0.05)
        os.killpg(process.pid, number)  # a terminal sends it to the worker processes too
        out, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert out == b""
    assert "stopped; nothing was written" in err.decode()
    assert b"Traceback" not in err
    assert sorted(path.name for path in large.iterdir()) == before


def test_a_run_shows_rows_rate_and_time_on_a_terminal(large):
    """The command on a pseudo terminal, read as a person would see it."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "masking.cli", "apply"]
    command += [str(large / name) for name in ("large.yaml", "large.parquet", "out.parquet")]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=terminal, start_new_session=True, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a pseudo terminal
            while part := os.read(controller, 1 << 16):
                shown += part
                if b"left" in shown:
                    process.send_signal(signal.SIGINT)
        process.wait(240)
    os.close(controller)
    said = shown.decode("utf-8", "replace")
    assert re.search(r"[\d,]+ 行 rows · [\d,]+/s · 约余 left \d+:\d\d", said)
    assert "写出 writing" in said


def test_records_of_a_file_are_known_or_estimated(files, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": range(70)}), tmp_path / "a.parquet")
    assert records_in(tmp_path / "a.parquet") == 70
    (tmp_path / "b.csv").write_text("a,b\n" + "12345,abcdefg\n" * 200_000)
    assert records_in(tmp_path / "b.csv") == pytest.approx(200_000, rel=0.01)
    (tmp_path / "c.parquet").write_text("no parquet")
    (tmp_path / "d.csv").write_text("")
    for name in ("c.parquet", "d.csv", "none.csv", "e.xlsx"):
        assert records_in(tmp_path / name) is None


def asked_then(*numbers):
    """A run that asks whether to stop, gets these signals, and asks again."""
    with stoppable() as cancelled:
        assert not cancelled()
        for number in numbers:
            signal.raise_signal(number)
        assert cancelled()
        raise Cancelled("as a run does")


def never_asked():
    with stoppable():
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it went on")


@pytest.mark.parametrize(
    "run_",
    [
        lambda: asked_then(signal.SIGINT),
        lambda: asked_then(signal.SIGTERM),
        lambda: asked_then(signal.SIGINT, signal.SIGINT),  # at once
        never_asked,
    ],
)
def test_a_signal_ends_a_run_as_cancelled(run_):
    with pytest.raises(Cancelled, match="stopped; nothing was written"):
        run_()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_errors_stay_what_they_are():
    with pytest.raises(KeyMissing, match="'a'"), stoppable():
        raise KeyMissing.from_name("a")


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

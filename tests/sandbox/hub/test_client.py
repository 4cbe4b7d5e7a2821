"""What a notebook sees: values that show themselves safely, sentences in two languages, nothing outside its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.client import (
    BadArgument,
    ClientError,
    Dataset,
    Denied,
    Findings,
    Job,
    NotAvailable,
    NotInSession,
    Output,
    Practice,
    ServiceError,
    TryLater,
    UnusableFile,
    Workspace,
)
from sandbox.client.gate import Gate

HOSTILE = "<script>alert(1)</script>"


def test_outside_a_session_it_says_so(monkeypatch, tmp_path):
    monkeypatch.delenv("SANDBOX_WORKSPACE", raising=False)
    monkeypatch.setenv("SANDBOX_GATE", str(tmp_path / "none.sock"))
    with pytest.raises(NotInSession, match="not a sandbox session"):
        Workspace.current()
    monkeypatch.setenv("SANDBOX_WORKSPACE", "falls")
    with pytest.raises(NotInSession, match="不是数据沙箱会话"):
        Workspace.current().datasets()


@pytest.mark.parametrize(
    "shown",
    [
        Dataset.from_json({"name": "a", "title": HOSTILE})._repr_html_(),
        Practice.from_json("a", {"note": HOSTILE, "columns": [{"name": HOSTILE}]})._repr_html_(),
        Findings.from_json(HOSTILE, {"findings": [{"rule": HOSTILE, "message": {"zh": HOSTILE}}]})._repr_html_(),
        Job({"id": HOSTILE, "state": HOSTILE}, dict, dict)._repr_html_(),
        Output({"id": HOSTILE, "files": [HOSTILE]}, lambda *_: b"")._repr_html_(),
        ServiceError(400, {"title": HOSTILE})._repr_html_(),
    ],
)
def test_nothing_from_the_service_becomes_markup(shown):
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, Denied),
        (401, Denied),
        (404, NotAvailable),
        (501, NotAvailable),
        (429, TryLater),
        (503, TryLater),
        (422, ServiceError),
    ],
)
def test_answers_become_errors_by_who_must_act(status, kind):
    clause = {"zh": "《数据安全法》第二十一条", "en": "Data Security Law, Art. 21"}
    problem = {"title": {"zh": "不行", "en": "no"}, "help": "问管理员", "clause": clause}
    error = ServiceError.from_answer(status, problem)
    assert type(error) is kind
    assert str(error) == (
        f"不行。问管理员。依据：《数据安全法》第二十一条。\nNo. Basis: Data Security Law, Art. 21. (HTTP {status})"
    )


def test_an_answer_without_words_has_ours():
    assert "太频繁" in str(ServiceError.from_answer(429, {}))
    assert "没有回应" in str(ServiceError.from_answer(503, {}))
    assert str(ServiceError.from_answer(500, {})) == "HTTP 500\n(HTTP 500)"


@pytest.mark.parametrize("name", ["../a.csv", "/etc/passwd", "..", "", "a/b"])
def test_output_never_leaves_its_folder(tmp_path, name):
    output = Output({"id": "1", "files": [{"name": name}]}, lambda *_: b"x")
    with pytest.raises(ClientError, match="文件名不可用"):
        output.save(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_job_is_waited_for_through_its_states(capsys):
    states = iter(["submitted", "dry_running", "code_review"])
    job = Job({"id": "7", "state": "submitted"}, lambda _: {"id": "7", "state": next(states)}, dict)
    assert job.wait(timeout_s=60, every_s=0.01).state == "code_review"
    assert "dry_running" in capsys.readouterr().out


def test_moments_are_shown_as_the_portal_shows_them():
    """China's time to the minute, whatever the zone of the machine; the control is one of another zone."""
    for told in ("2026-11-30T08:02:03.123456+00:00", "2026-11-30T08:02:03", "2026-11-30T16:02:59+08:00"):
        job = Job({"id": "1", "state": "finished", "created_at": told}, dict, dict)
        assert job.row()[-1] == "2026-11-30 16:02"
        assert Output({"id": "1", "released_at": told}, lambda *_: b"").row()[-1] == "2026-11-30 16:02"
    assert Job({"id": "1", "created_at": "2026-11-30T08:02:03-05:00"}, dict, dict).row()[-1] == "2026-11-30 21:02"
    assert Job({"id": "1"}, dict, dict).row()[-1] is None


@pytest.mark.parametrize("by", ["origin", ["origin"], ("origin",)])
def test_one_name_is_a_list_of_one(by):
    """Its letters are no dimensions."""
    sent = []

    class Answering(Gate):
        def post(self, page, body, query=None):
            sent.append(body)

    Workspace("falls", Answering()).query("flights", by=by)
    assert sent[0]["by"] == ["origin"]


def test_a_dataset_that_was_taken_down_says_so(tmp_path):
    lack = {"zh": "版本已下架", "en": "its edition was taken down"}
    item = {"name": "a", "kind": None, "lack_title": lack, "path": str(tmp_path / "a.parquet")}
    assert "版本已下架 / its edition was taken down" in Dataset.from_json(item)._repr_html_()
    assert "重新启动" not in Dataset.from_json(item)._repr_html_()
    with pytest.raises(UnusableFile, match="版本已下架"):
        Practice.from_json("a", item).read()
    assert "重新启动" in Dataset.from_json({**item, "kind": "practice", "lack_title": None})._repr_html_()


def test_job_that_goes_on_is_not_waited_for_for_ever():
    job = Job({"id": "7"}, lambda _: {"id": "7", "state": "running"}, dict)
    with pytest.raises(ClientError, match="goes on"):
        job.wait(timeout_s=0.05, every_s=0.01)


def test_file_to_send_must_be_there_and_small(tmp_path, monkeypatch):
    workspace = Workspace("falls", Gate(str(tmp_path / "none.sock")))
    with pytest.raises(UnusableFile, match="找不到文件"):
        workspace.check(tmp_path / "missing.csv")
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(UnusableFile, match="上限"):
        workspace.submit(large)


def test_client_needs_the_standard_library_only():
    """It is imported in kernels whose packages nobody here chose."""
    code = Path(__file__).resolve().parents[3]
    script = f"import sys; sys.path.insert(0, {os.fspath(code)!r}); import sandbox.client; print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


class Unasked(Gate):
    """A gate that must not be reached."""

    def _request(self, *_: object, **__: object) -> bytes:
        raise AssertionError("sent")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda ws: ws.practice(""), "ws.datasets() lists them"),
        (lambda ws: ws.practice("../x"), "'../x'"),
        (lambda ws: ws.practice(None), "NoneType"),
        (lambda ws: ws.query(None), "NoneType"),
        (lambda ws: ws.query("flights", by=5), "not a int"),
        (lambda ws: ws.query("flights", by=[1, 2]), "not a list"),
        (lambda ws: ws.query("flights", measures=["n"]), "not a list"),
        (lambda ws: ws.query("flights", measures={}), "not a dict"),
        (lambda ws: ws.check(object()), "not a object"),
        (lambda ws: ws.check({"n": [1]}), "write a table first"),
        (lambda ws: ws.submit(7), "Give the path of a file"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_sent(call, says):
    """The control: a right one is sent."""
    with pytest.raises(BadArgument) as told:
        call(Workspace("falls", Unasked()))
    assert says in told.value.en
    assert isinstance(told.value, TypeError)
    assert told.value.zh.endswith("。")
    with pytest.raises(AssertionError, match="sent"):
        Workspace("falls", Unasked()).query("flights", ["origin"], measures={"n": "count"})


def test_a_home_that_is_full_keeps_no_half_of_a_file(tmp_path, monkeypatch):
    output = Output({"id": "1", "files": ["a.csv"]}, lambda *_: b"x")
    monkeypatch.setattr(Path, "write_bytes", no_room)
    with pytest.raises(UnusableFile, match="home may be full"):
        output.save(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def no_room(path: Path, _: bytes) -> None:
    path.touch()
    raise OSError(28, "No space left on device")

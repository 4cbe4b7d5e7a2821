"""The airlock's commands: ids that can be copied, covered tables, revoking only after a yes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.airlock.covering import COVER
from sandbox.cli import airlock as commands

CASE = "0b7f3c52-5f0e-4a53-9c5e-3c1f4c3a9e11"
ANSWERS: dict[str, dict[str, Any]] = {
    "/api/v1/airlock": {
        "cases": [
            {
                "id": CASE, "kind": "output", "workspace": "一个名称相当长的沙箱，讲的是老年患者就诊与参保情况的比较研究",
                "entry": "visits-by-insurance-and-age.ipynb", "level": "L2", "due_at": "2026-12-01T09:30:00+00:00",
                "voted": False,
            }
        ]
    },
    f"/api/v1/airlock/{CASE}/view": {
        "files": [
            {"name": "t.csv", "sha256": "0" * 64, "covered": False, "columns": ["sex"], "rows": [["[b]女"]], "row_count": 1},
            {
                "name": "rows.csv", "sha256": "1" * 64, "covered": True, "columns": [COVER, COVER],
                "rows": [[COVER, COVER]], "row_count": 4406,
            },
            {"name": "f.svg", "sha256": "2" * 64, "covered": True, "figure": {"kind": "bar", "table": "rows.csv"}},
        ],
        "findings": [], "dry_findings": [], "entry": "x.py", "code": "x = 1",
    },
    f"/api/v1/airlock/{CASE}/reveal": {
        "name": "rows.csv", "columns": ["name", "name"], "rows": [["P00001", "[/x]"]], "row_count": 4406,
    },
    "/api/v1/airlock/outputs": {
        "outputs": [
            {"id": CASE, "workspace": {"title": "研究"}, "entry": "x.py", "level": "L1", "revoked_at": None, "files": []}
        ]
    },
    f"/api/v1/airlock/outputs/{CASE}/revoke": {"id": CASE, "revoked_at": "2026-12-01", "reason": "理由", "files": []},
}  # fmt: skip


class Answering:
    """A client that answers from the table above and remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def get(self, path: str) -> dict[str, Any]:
        return ANSWERS[path]

    def post(self, path: str, *, json: Any) -> dict[str, Any]:
        self.sent.append((path, json))
        return ANSWERS[path]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Answering:
    made = Answering()
    monkeypatch.setattr(commands, "client", lambda *_: made)
    monkeypatch.setenv("COLUMNS", "80")
    return made


def run(*arguments: str, said: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(commands.airlock, arguments, input=said)
    return done.exit_code, done.output


def test_a_case_id_stands_on_one_line_however_long_the_rest_is(client: Answering):
    for command in ("list", "outputs"):
        code, shown = run(command)
        assert code == 0
        assert any(CASE in line for line in shown.splitlines()), shown


def test_what_is_covered_is_said_and_shown_by_its_own_command(client: Answering):
    code, shown = run("show", CASE)
    assert code == 0, shown
    for words in ("t.csv  1 rows", "[b]女", "rows.csv  4406 rows", "covered", "f.svg  bar"):
        assert words in shown
    code, shown = run("reveal", CASE, "rows.csv", "--purpose", "看是不是逐条记录")
    assert (code, "P00001" in shown, "[/x]" in shown, "1 / 4406 rows" in shown) == (0, True, True, True)
    assert client.sent[-1] == (
        f"/api/v1/airlock/{CASE}/reveal", {"file": "rows.csv", "purpose": "看是不是逐条记录"}
    )  # fmt: skip
    assert run("reveal", CASE, "rows.csv")[0] == 2, "a purpose is asked for"


def test_revoking_asks_first_and_needs_a_reason(client: Answering):
    assert run("revoke", CASE)[0] == 2
    assert run("revoke", CASE, "--reason", "数据提供部门要求撤回", said="n\n")[0] == 1
    assert client.sent == []
    assert run("revoke", CASE, "--reason", "数据提供部门要求撤回", said="y\n")[0] == 0
    code, shown = run("revoke", CASE, "--reason", "数据提供部门要求撤回", "--yes", "--json")
    assert (code, json.loads(shown)["id"]) == (0, CASE)
    path = f"/api/v1/airlock/outputs/{CASE}/revoke"
    assert client.sent == [(path, {"reason": "数据提供部门要求撤回"})] * 2

"""``sandbox try`` on the command line: its own options come first, and what follows belongs to the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.cli.main import app
from sandbox.execution import trial


@pytest.mark.parametrize(
    ("given", "code", "run"),
    [
        (["--", "ls", "--profile", "x"], 0, ["ls", "--profile", "x"]),
        (["ls", "--data", "x"], 0, ["ls", "--data", "x"]),  # the command's own option, not ours
        (["--profile", "sealed", "ls"], 0, ["ls"]),
        (["--dta", "x", "ls"], 2, None),  # misspelt: said, and nothing runs
        ([], 2, None),
    ],
)
def test_options(given: list[str], code: int, run: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def runs(_profile: str, _data: list[Path], command: list[str], _environment: Any) -> int:
        seen.append(list(command))
        return 0

    monkeypatch.setattr(trial, "run_command", runs)
    answer = CliRunner().invoke(app, ["try", *given])
    assert answer.exit_code == code, answer.output
    assert seen == ([run] if run else [])

"""The commands that docs/masking.md shows in its chapter on plans, run one after the other on a made table."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "masking.md").read_text("utf-8")
CHAPTER = GUIDE.split("## 八、")[1].split("## 九、")[0]
BLOCK = re.findall(r"```bash\n(.*?)```", CHAPTER, re.DOTALL)[0].replace("\\\n", " ")
COMMANDS = [shlex.split(line, comments=True)[1:] for line in BLOCK.splitlines() if line.strip()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    lines = [f"N{n},{20 + n * 7 % 13},{430101 + n * n % 5},{'abcd'[n * 5 % 7 % 4]}" for n in range(700)]
    (tmp_path / "visits.csv").write_text("name,age,division,illness\n" + "\n".join(lines) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_they_run_in_order(run, folder):
    assert {command[0] for command in COMMANDS} == {"hierarchy", "anonymize", "curve", "apply", "measure", "tabulate"}
    for command in COMMANDS:
        code, _, err = run(*command)
        assert (code, err) == (0, ""), command
    made = ("age.csv", "out.csv", "visits.yaml", "curve.html", "chosen.yaml", "cells.csv", "cells.json")
    assert [name for name in made if not (folder / name).exists()] == []

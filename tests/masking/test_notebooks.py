"""The worked notebooks of masking run from top to bottom, as a reader would run them, and come without results."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
BOOKS = sorted(FOLDER.glob("masking-*.ipynb"))
NAMES = [path.stem for path in BOOKS]


def cells(path: Path, kind: str) -> list[str]:
    return [
        "".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind
    ]


def test_they_are_there():
    assert set(NAMES) >= {
        "masking-first-policy",
        "masking-models-and-attacks",
        "masking-pseudonyms-and-joins",
        "masking-risk-and-report",
        "masking-risk-utility-curve",
    }


@pytest.mark.parametrize("path", BOOKS, ids=NAMES)
def test_a_notebook_runs(path, tmp_path):
    """Every cell, in order, in a process of its own; its last expression is shown, as a notebook would."""
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(shown(cell, number) for number, cell in enumerate(cells(path, "code"))), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("#shown") >= 1


def shown(cell: str, number: int) -> str:
    """The cell as a piece of a script that prints the value of its last expression."""
    tree = ast.parse(cell, filename=f"cell {number}")
    if isinstance(tree.body[-1], ast.Expr):
        tree.body[-1] = ast.parse("print('#shown', repr(_))").body[0]
        value = ast.parse(cell).body[-1].value
        tree.body.insert(-1, ast.Assign([ast.Name("_", ast.Store())], value))
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.parametrize("path", BOOKS, ids=NAMES)
def test_a_notebook_is_in_both_languages_and_holds_no_results(path):
    book = json.loads(path.read_text("utf-8"))
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    words = cells(path, "markdown")
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in words)
    assert all("*" in text for text in words)  # English below, in italics

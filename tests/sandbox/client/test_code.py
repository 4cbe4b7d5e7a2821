"""What is handed in of a notebook: code, whoever takes it, however often it was executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import client
from sandbox.client.code import code_only

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks/regression-cost.ipynb"


def executed(source: str, number: int, shown: str) -> bytes:
    """The notebook with one cell changed, as the editor saves it after a run."""
    book = json.loads(NOTEBOOK.read_text("utf-8"))
    times = {"execution": {"iopub.execute_input": f"2026-01-01T00:00:0{number}Z"}, "tags": ["kept"]}
    output = {"output_type": "stream", "name": "stdout", "text": shown}
    book["cells"][1] |= {"source": source, "execution_count": number, "outputs": [output], "metadata": times}
    book["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"w": {"value": shown}}}}
    return json.dumps(book).encode()


def test_another_execution_is_not_other_code(tmp_path: Path) -> None:
    """What is handed in has no results, so its hash, which reviewers accepted, stays."""
    sent: list[bytes] = []

    class Gate:
        def post(self, path: str, content: bytes, query: Any = None) -> dict[str, str]:
            sent.append(content)
            return {"id": "j", "state": "submitted"}

    path = tmp_path / "a.ipynb"
    for number, (source, shown) in enumerate((("x = 1", "CANARY-1"), ("x = 1", "CANARY-2"), ("x = 2", "CANARY-2"))):
        path.write_bytes(executed(source, number, shown))
        client.Workspace("study", Gate()).submit(path)  # type: ignore[arg-type]
    assert sent[0] == sent[1] != sent[2]
    assert b"CANARY" in path.read_bytes()
    assert not [each for each in sent if b"CANARY" in each]
    assert b'"kept"' in sent[0]
    script = tmp_path / "a.py"
    script.write_bytes(b"x = 1\n")
    client.Workspace("study", Gate()).submit(script)  # type: ignore[arg-type]
    assert sent[-1] == b"x = 1\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["cell_type", "outputs", "execution_count", "metadata", "widgets", "source"]), inner),
    max_leaves=12,
)  # fmt: skip


@given(cells=JSON, more=JSON)
def test_twice_is_once_and_nothing_breaks_it(cells: Any, more: Any) -> None:
    """Also for what is no notebook: that comes back as it is, for the service to refuse."""
    given_ = json.dumps({"cells": cells, "metadata": more}).encode()
    made = code_only("a.ipynb", given_)
    assert code_only("a.ipynb", made) == made
    for cell in json.loads(made)["cells"] if isinstance(cells, list) else ():
        if isinstance(cell, dict):
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 200_000, b'{"worksheets": []}', b'"a"'])
def test_what_is_no_notebook_comes_back_as_it_is(content: bytes) -> None:
    assert code_only("a.ipynb", content) == content

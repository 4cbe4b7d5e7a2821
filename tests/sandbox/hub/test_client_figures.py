"""`figure` in a notebook: words and a table are written, never pixels, and `check` sends both."""

from __future__ import annotations

import io
import json
import tarfile

import pandas as pd
import polars as pl
import pytest

from sandbox.airlock.figures import KINDS as DRAWN
from sandbox.client import ClientError, Figure, figure
from sandbox.client.errors import UnusableFile
from sandbox.client.figures import KINDS, with_table
from sandbox.client.records import Findings

ROWS = {"district": ["东", "西"], "n": [500, 450]}


@pytest.mark.parametrize("frame", [pd.DataFrame(ROWS), pl.DataFrame(ROWS)])
def test_a_frame_is_written_beside_its_figure(tmp_path, frame):
    made = figure(frame, kind="bar", x="district", y="n", title="人数", name="visits", directory=tmp_path / "out")
    assert isinstance(made, Figure)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["visits.csv", "visits.figure.json"]
    assert made.table.read_text("utf-8") == "district,n\n东,500\n西,450\n"
    words = {"table": "visits.csv", "kind": "bar", "x": "district", "y": "n", "title": "人数"}
    assert json.loads(made.path.read_text("utf-8")) == words
    assert "bar of n by district" in repr(made)


def test_check_sends_the_table_too(tmp_path):
    made = figure(pd.DataFrame(ROWS), kind="bar", x="district", y="n", directory=tmp_path)
    name, content = with_table(made.path, made.path.read_bytes())
    assert name == "figure.tar"
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames() == ["out/figure.figure.json", "out/figure.csv"]
    assert with_table(made.table, b"x") == ("figure.csv", b"x")
    made.table.unlink()
    with pytest.raises(UnusableFile):
        with_table(made.path, made.path.read_bytes())


def test_a_figure_takes_no_table_from_elsewhere(tmp_path):
    """The name of a table is a name: what lies in another folder is not sent."""
    (tmp_path / "other.csv").write_text("secret")
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a.figure.json"
    path.write_text(json.dumps({"table": "../other.csv"}))
    with pytest.raises(UnusableFile):
        with_table(path, path.read_bytes())


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "scatter"},  # individuals
        {"name": "../x"},  # a name that leaves the folder
        {"table": 3},  # no table at all
    ],
)
def test_what_is_not_drawn_is_said_at_once(tmp_path, given):
    with pytest.raises(ClientError):
        figure(
            **{"table": pd.DataFrame(ROWS), "kind": "bar", "x": "district", "y": "n", "directory": tmp_path, **given}
        )


def test_a_table_that_is_missing_is_named(tmp_path):
    with pytest.raises(UnusableFile):
        figure(tmp_path / "none.csv", kind="bar", x="a", y="n", directory=tmp_path)


def test_kinds_are_those_that_the_service_draws():
    assert KINDS == DRAWN


def test_drawings_are_shown_as_images():
    answer = {"findings": [], "files": [{"name": "t.csv"}, {"name": "t.svg", "svg": "<svg onload='x()'/>"}]}
    shown = Findings.from_json("t.figure.json", answer)
    assert list(shown.figures) == ["t.svg"]
    assert "data:image/svg+xml;base64," in shown._repr_html_()
    assert "onload" not in shown._repr_html_()

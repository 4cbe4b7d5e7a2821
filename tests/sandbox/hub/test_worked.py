"""The worked notebooks that a session comes with: filled in, put there once, and never over a person's own file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.inside import session, worked
from tests import docs

VISITS = ("person_no", "sex", "age", "district", "insured", "visits", "cost")
NAMES = ["own-data-occupation.ipynb", "regression-cost.ipynb", "visits-and-cost.ipynb"]


def table(data: Path, name: str, columns: tuple[str, ...]) -> None:
    folder = data / name
    folder.mkdir(parents=True)
    pq.write_table(
        pa.table({column: pa.array([], pa.string()) for column in columns}), folder / f"{folder.name}.parquet"
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home; ``/data`` of this test is beside it."""
    monkeypatch.setattr(worked.place, "__defaults__", (tmp_path / "data",))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def source(path: Path) -> str:
    return "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"])


def test_sessions_come_with_the_notebooks_as_they_are(home: Path) -> None:
    assert worked.FILE.read_text("utf-8") == docs.worked_notebooks()  # ./run fix writes it
    table(home.parent / "data", "visits", VISITS)
    session.welcome(home)
    folder = home / worked.FOLDER
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    for name in NAMES:
        assert (folder / name).read_bytes() == (docs.ROOT / "notebooks" / name).read_bytes()


def test_names_of_the_workspace_s_tables_are_filled_in(home: Path) -> None:
    data = home.parent / "data"
    table(data, "airports", ("ident", "visits", "cost_total"))
    table(data, "clinic-2026", (*VISITS, "note"))
    table(data, "import/jobs", ("person_no", "occupation"))
    session.welcome(home)
    for name in NAMES:
        text = source(home / worked.FOLDER / name)
        assert 'DATASET = "clinic-2026"' in text
        assert 'DATASET = "visits"' not in text
    own = source(home / worked.FOLDER / NAMES[0])
    assert 'OWN = "jobs"' in own
    assert "person_no" in own


@pytest.mark.parametrize(
    ("tables", "columns", "chosen"),
    [
        ({"a": ("x",), "b": ("x", "y")}, ("x", "y"), "b"),
        ({"a": ("x", "y"), "b": ("x", "y")}, ("x",), "a"),
        ({"a": ("q",)}, ("x",), "a"),  # the only one: the columns are the person's to change
        ({"a": ("q",), "b": ("r",)}, ("x",), None),
        ({"a": ("sexes", "unisex"), "b": ("z",)}, ("sex",), None),  # part of another name is no column
        ({"a": ("性别", "长" * 60), "b": ("z",)}, ("性别", "长" * 60), "a"),  # a name longer than 127 bytes
        ({}, ("x",), None),
    ],
)
def test_a_table_is_chosen_by_its_columns(tmp_path: Path, tables, columns, chosen) -> None:
    for name, has in tables.items():
        table(tmp_path, name, has)
    assert worked.chosen_of(worked.footers(tmp_path), columns) == chosen


def test_files_that_are_no_tables_are_passed_over(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", b"PAR1"), ("c", b"x" * 100), ("d", b"\xff\xff\xff\xffPAR1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.parquet").write_bytes(content)
    assert worked.footers(tmp_path) == {}


def test_a_person_s_files_stay_and_what_was_deleted_does_not_come_back(home: Path) -> None:
    session.welcome(home)  # nothing is prepared yet
    assert sorted(path.name for path in home.iterdir()) == [session.MARKER, session.EXAMPLE_NAME]
    (home / session.EXAMPLE_NAME).unlink()
    folder = home / worked.FOLDER
    folder.mkdir()
    (folder / NAMES[1]).write_text("mine")
    table(home.parent / "data", "visits", VISITS)
    session.welcome(home)
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert (folder / NAMES[1]).read_text() == "mine"
    assert not (home / session.EXAMPLE_NAME).exists()
    (folder / NAMES[0]).unlink()
    session.welcome(home)
    assert sorted(path.name for path in folder.iterdir()) == NAMES[1:]


def test_a_home_from_before_gets_them_and_an_odd_one_opens_all_the_same(home: Path) -> None:
    table(home.parent / "data", "visits", VISITS)
    (home / session.MARKER).write_text("1\n")
    session.welcome(home)
    assert sorted(path.name for path in (home / worked.FOLDER).iterdir()) == NAMES
    odd = home / "odd"
    odd.mkdir()
    (odd / worked.FOLDER).write_text("a file where the folder should be")
    session.welcome(odd)
    assert (odd / worked.FOLDER).read_text() == "a file where the folder should be"

"""`docs/threat-model.md` and `docs/satre.md` say what is true: each test they name exists, each statement is answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from sandbox.contracts import Enforcement
from tests.conftest import ROOT, SHARED
from tests.docs import functions

THREATS, SATRE = ROOT / "docs" / "threat-model.md", ROOT / "docs" / "satre.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
RULE = re.compile(r"\|[ |:-]+\|")
STATEMENT = re.compile(r"\b[1-5]\.\d{1,2}\.\d{2}\b")
KINDS = {"Mandatory": "M", "Mandatory*": "M*", "Recommended": "R", "Optional": "O"}
STATES = ("yes", "partly", "not yet")


def rows(text: str) -> Iterator[list[str]]:
    """Cells of every row of every table, headings and rules left out."""
    for line, after in pairwise([*text.splitlines(), ""]):
        if line.startswith("|") and not RULE.fullmatch(line) and not RULE.fullmatch(after):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def section(text: str, title: str) -> str:
    """What stands below the heading that begins with ``title``, up to the next one of its rank."""
    [below] = re.findall(rf"^## {re.escape(title)}.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return str(below)


def missing(text: str) -> list[str]:
    """Tests that are named and do not exist."""
    return [f"{file}::{name}" for file, name in NAMED.findall(text) if name not in functions(ROOT / "tests" / file)]


@pytest.mark.parametrize("page", [THREATS, SATRE], ids=lambda page: page.name)
def test_every_named_test_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(NAMED.findall(text)) > 40
    assert missing(text) == []


def test_a_name_that_no_test_has_is_found() -> None:
    assert missing("`test_defence_pages.py::test_nothing`, `nowhere.py::test_x`") == [
        "test_defence_pages.py::test_nothing", "nowhere.py::test_x",
    ]  # fmt: skip
    assert missing("`test_defence_pages.py::test_every_named_test_exists`") == []


def test_every_threat_that_is_called_defended_has_its_test() -> None:
    defended = list(rows(section(THREATS.read_text("utf-8"), "三")))
    assert len(defended) > 30
    assert [cells[0] for cells in defended if len(cells) != 3 or not NAMED.search(cells[2])] == []


def test_every_channel_says_where_its_figure_is_from() -> None:
    """Measured by a script or a prototype, bounded by a decider with a test, seen by hand, or not measured: nothing else."""
    channels = list(rows(section(THREATS.read_text("utf-8"), "五")))
    assert len(channels) > 8
    sources = ("reference/sandbox.md", "channels.py", "by hand", "not measured")
    without = [c[0] for c in channels if len(c) != 3 or not (NAMED.search(c[1]) or any(s in c[1] for s in sources))]
    assert without == []


def test_what_an_ordinary_user_lacks_is_on_the_page() -> None:
    """The launcher's own words for what it may lack, and for what shuts the door."""
    said = section(THREATS.read_text("utf-8"), "四")
    for name in ("uid_per_session", "cgroup", "freeze", "scrub", *Enforcement.REQUIRED):
        assert f"`{name}`" in said


@pytest.mark.parametrize("page", ["privacy-rules.md", "limits.md", "threat-model.md", "satre.md"])
def test_paths_of_tests_on_the_pages_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    paths = [each.removeprefix("tests/") for each in re.findall(r"`((?:tests/)?[a-z_/]+/(?:test_\w+\.py)?)`", text)]
    places = {"keys/"}  # of a running service
    lost = [each for each in paths if not (ROOT / "tests" / each).exists() and not (ROOT / each).exists()]
    assert set(lost) <= places


def answered() -> list[list[str]]:
    """Rows about one statement each: number, kind, statement, state, by what, tests."""
    return [cells for cells in rows(SATRE.read_text("utf-8")) if STATEMENT.fullmatch(cells[0])]


def test_statements_that_are_called_met_have_tests() -> None:
    table = answered()
    assert len(table) > 60
    assert {cells[3] for cells in table} == set(STATES)
    assert [cells[0] for cells in table if len(cells) != 6] == []
    assert [cells[0] for cells in table if (cells[3] != "not yet") != bool(NAMED.search(cells[5]))] == []


def test_the_sums_of_the_page_are_those_of_its_tables() -> None:
    """The page's own summary, and that no statement is answered twice."""
    text = SATRE.read_text("utf-8")
    counted = Counter((cells[1].rstrip("*"), cells[3]) for cells in answered())
    for kind in "MRO":
        line = next(cells for cells in rows(section(text, "一")) if cells[0].startswith(kind + " "))
        assert line[1:4] == [str(counted[kind, state]) for state in STATES], kind
    numbers = [cells[0] for cells in answered()] + STATEMENT.findall(section(text, "三"))
    assert [number for number, times in Counter(numbers).items() if times > 1] == []


def test_every_statement_of_satre_is_answered() -> None:
    """Each of the specification's statements stands in one place of the page, with its kind."""
    given = SHARED / "reference" / "satre.yaml"
    if not given.is_file():
        pytest.skip("no satre.yaml: set OPENDATA_SHARED to the folder that holds reference/satre.yaml")
    text = given.read_text("utf-8")
    pairs = re.findall(r"requirement_index: ([\d.]+)$.*?^    importance: (\S+)", text, re.MULTILINE | re.DOTALL)
    known = {number: KINDS[kind] for number, kind in pairs}
    assert len(known) == 185
    said = {cells[0]: cells[1] for cells in answered()}
    duty = STATEMENT.findall(section(SATRE.read_text("utf-8"), "三"))
    assert {number: kind for number, kind in said.items() if known.get(number) != kind} == {}
    assert sorted(known) == sorted([*said, *duty])

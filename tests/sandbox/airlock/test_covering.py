"""Covered files: which findings cover, what is left to see, and what a reveal shows (PRIVACY.md 21)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from opendata.ledger.models import LedgerEntry, LedgerOpening
from opendata.parts import resolve
from sandbox.airlock import covering, rawdoor
from sandbox.airlock.checks import RULES
from sandbox.airlock.covering import CHARACTERS, COLUMNS, COVER, ROWS, SHOWN_WHOLE
from sandbox.airlock.errors import AirlockConflict, AirlockDenied, AirlockInvalid
from sandbox.airlock.models import CodeReview
from sandbox.airlock.package import Package, PackageFile
from sandbox.airlock.rawdoor import executed_cells
from sandbox.airlock.typed import Shape
from sandbox.parts import PART
from sandbox.workspaces.errors import WorkspaceNotFound
from tests.sandbox.airlock.test_chain import drawn, request_of
from tests.sandbox.sandbox_world import GOOD, RAW, World, code

NAMES = [f"P{i:05d}" for i in range(200)]
RAW_DUMP = "patient,sex,age,visits\n" + "".join(
    f"{row['patient']},{row['sex']},{row['age']},{row['visits']}\n" for row in RAW.slice(0, 200).to_pylist()
)
DRY = {"rows.csv": "patient,sex,age,visits\nx,男,600,700\n", "t.csv": GOOD}
SHAPE = Shape({"a.csv": {"sex": frozenset(), "n": frozenset()}})


def finding(rule: str, file: str = "a.csv", *, column: str = "", blocking: bool = True) -> dict:
    words = {"zh": f"问题 {column}", "en": f"finding {column}"}
    return {
        "rule": rule, "blocking": blocking, "file": file, "column": column, "count": 1, "other": "",
        "message": words, "advice": words, **words,
    }  # fmt: skip


def package(*findings: dict, content: bytes = b"sex,n\nsecret-a,5\nsecret-b,5\n") -> Package:
    drawing = PackageFile(
        "f.svg", "figure", b"<svg>secret-a</svg>", {"kind": "bar", "table": "a.csv", "title": "secret"}
    )
    other = PackageFile("b.csv", "frequency", b"sex,n\nplain,10\n")
    return Package([PackageFile("a.csv", "frequency", content), other, drawing], findings, "x.py", "x = 1")


@pytest.fixture
def dumped(world: World) -> tuple[str, str]:
    """A sealed run that writes raw rows beside a good table: the request, its checker."""
    program = code({"rows.csv": RAW_DUMP, "t.csv": GOOD}, {"rows.csv": "sex,n\n男,500\n", "t.csv": GOOD})
    job = world.submit(world.workspace("L1"), program)
    request = request_of(world, job)
    assert request.state == "blocked", world.job(job).state
    return request.id, drawn(world, request.id)[0]


def test_raw_rows_are_covered_and_a_good_table_beside_them_is_shown_whole(world: World, dumped: tuple[str, str]):
    request, checker = dumped
    shown = world.look(request, checker)
    files = {file["name"]: file for file in shown["files"]}
    rows = next(file for name, file in files.items() if name != "t.csv")
    assert (rows["covered"], rows["row_count"], len(rows["rows"])) == (True, 200, ROWS)
    assert {cell for row in rows["rows"] for cell in row} == {COVER}
    assert (files["t.csv"]["covered"], files["t.csv"]["rows"]) == (False, [["女", "1500", "3"], ["男", "1500", "3"]])
    told = json.dumps(shown["files"] + shown["findings"], ensure_ascii=False)
    assert not [name for name in NAMES if name in told]


def test_without_covering_the_raw_rows_would_stand_in_the_answer(world: World, dumped: tuple[str, str], monkeypatch):
    """The control: with no rule that covers, the same look shows the names."""
    monkeypatch.setattr(covering, "covers", lambda _: False)
    told = json.dumps(world.look(*dumped), ensure_ascii=False)
    assert all(name in told for name in NAMES)


def test_a_reveal_shows_twenty_rows_and_is_in_the_ledger_with_its_purpose(world: World, dumped: tuple[str, str]):
    request, checker = dumped
    [name] = [file["name"] for file in world.look(request, checker)["files"] if file["covered"]]
    asked = {"id": request, "file": name, "purpose": "看是不是逐条记录"}
    shown = [world.through_the_door(rawdoor.reveal, checker, asked) for _ in range(2)]
    assert shown[0] == shown[1], "asking again shows nothing new"
    assert (len(shown[0]["rows"]), shown[0]["row_count"]) == (ROWS, 200)
    assert sum(name in json.dumps(shown) for name in NAMES) == ROWS
    with world.database.session() as session:
        found = session.execute(
            select(LedgerOpening.payload, LedgerOpening.actor_id, LedgerOpening.subject)
            .join(LedgerEntry, LedgerEntry.index == LedgerOpening.index)
            .where(LedgerEntry.type == "airlock:case:reveal")
        ).all()
    assert len(found) == 2, "each reveal is an entry of its own"
    assert {(each.actor_id, each.subject) for each in found} == {(world.actor(checker).id, f"release:{request}")}
    assert all("看是不是逐条记录" in each.payload and '"rows":20' in each.payload for each in found)
    assert not [name for name in NAMES if name in found[0].payload]


def test_the_worker_answers_for_both_doors():
    assert resolve(PART.raw_door["/airlock-view"]) is rawdoor.view
    assert resolve(PART.raw_door["/airlock-reveal"]) is rawdoor.reveal


def test_who_and_what_is_refused_a_reveal(world: World, dumped: tuple[str, str]):
    request, checker = dumped
    asked = {"id": request, "file": "rows.csv", "purpose": "看是不是逐条记录"}
    with pytest.raises(AirlockConflict, match="covered content first"):
        world.through_the_door(rawdoor.reveal, checker, asked)
    files = {file["covered"]: file["name"] for file in world.look(request, checker)["files"]}
    asked["file"] = files[True]
    for purpose in ("", "x", "长" * 201):
        with pytest.raises(AirlockInvalid, match="2 to 200"):
            world.through_the_door(rawdoor.reveal, checker, asked | {"purpose": purpose})
    for name in ("", "nothing.csv", files[False]):
        with pytest.raises(AirlockInvalid, match="no covered table"):
            world.through_the_door(rawdoor.reveal, checker, asked | {"file": name})
    other = next(f"checker-{i}" for i in range(1, 6) if f"checker-{i}" != checker)
    for who in ("researcher", "officer", "security", other):
        with pytest.raises((AirlockDenied, WorkspaceNotFound)):
            world.through_the_door(rawdoor.reveal, who, asked)
    assert world.through_the_door(rawdoor.reveal, checker, asked)["rows"]  # control: the same question, allowed


def test_a_review_of_code_has_nothing_to_uncover(world: World):
    job = world.submit(world.workspace("L2"), code({"t.csv": GOOD}))
    with world.database.session() as session:
        [review] = session.scalars(select(CodeReview).where(CodeReview.job_id == job)).all()
    checker = drawn(world, review.id)[0]
    assert "sealed" in world.look(review.id, checker)["code"]
    with pytest.raises(AirlockInvalid, match="no covered table"):
        world.through_the_door(rawdoor.reveal, checker, {"id": review.id, "file": "t.csv", "purpose": "核对"})


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_that_blocks_covers_unless_it_is_named(rule: str):
    covered = covering.covered_files(package(finding(rule, blocking=RULES[rule].blocking)))
    expected = {"a.csv", "f.svg"} if RULES[rule].blocking and rule not in SHOWN_WHOLE else set()
    assert covered == expected


def test_what_is_named_is_a_rule_that_blocks():
    assert {rule for rule in SHOWN_WHOLE if rule not in RULES or not RULES[rule].blocking} == set()
    assert {"raw_value", "raw_row", "identifier", "encoded_value", "too_many_rows", "dense"} & SHOWN_WHOLE == set()


@pytest.mark.parametrize("file", ["a.csv", "", "elsewhere.csv"])
@pytest.mark.parametrize("blocking", [True, False])
def test_a_rule_nobody_knows_covers(file: str, blocking: bool):
    covered = covering.covered_files(package(finding("from-tomorrow", file, blocking=blocking)))
    assert covered == ({"a.csv", "f.svg"} if file == "a.csv" else {"a.csv", "b.csv", "f.svg"})


def test_a_drawing_of_a_covered_table_is_covered_with_its_words():
    shown = json.dumps(covering.shown_files(package(finding("raw_row")), SHAPE))
    assert "secret" not in shown
    assert "plain" in shown
    assert "secret" in json.dumps(covering.shown_files(package(finding("small_count")), SHAPE))


def test_names_that_come_from_data_are_covered_in_headers_and_findings():
    given = package(
        finding("new_column"), finding("raw_value", column="Zhang San"), finding("file_type", "Zhang San.png"),
        content=b"sex,Zhang San\nx,1\n",
    )  # fmt: skip
    assert "Zhang" not in json.dumps([covering.shown_files(given, SHAPE), covering.shown_findings(given, SHAPE)])
    assert covering.shown_files(given, SHAPE)[0]["columns"] == ["sex", COVER]
    known = Shape({"a.csv": {"sex": frozenset(), "Zhang San": frozenset()}, "Zhang San.png": {}})
    assert json.dumps(covering.shown_findings(given, known)).count("Zhang San") > 2  # the dry run's words are no data


def test_a_table_on_its_side_or_in_one_cell_shows_no_more():
    wide = b",".join(b"c%d" % i for i in range(4000)) + b"\n" + b",".join(b"v%d" % i for i in range(4000)) + b"\n"
    long = b"c\n" + b"x" * 5_000 + b"\n"
    assert [len(row) for row in covering.uncovered(PackageFile("w.csv", "other", wide))["rows"]] == [COLUMNS]
    assert len(covering.uncovered(PackageFile("l.csv", "other", long))["rows"][0][0]) == CHARACTERS + 1


@given(st.lists(st.sampled_from(sorted(RULES))), st.lists(st.sampled_from(["a.csv", "b.csv", "f.svg", ""])))
def test_law_what_can_be_approved_is_shown_whole(rules: list[str], files: list[str]):
    found = [finding(rule, file, blocking=RULES[rule].blocking) for rule, file in zip(rules, files, strict=False)]
    if not any(each["blocking"] for each in found):
        assert covering.covered_files(package(*found)) == set()


def test_what_a_notebook_printed_is_counted_and_not_shown():
    outputs = [
        {"output_type": "stream", "text": ["P00001\n", "P00002\n"]},
        {"output_type": "execute_result", "data": {"text/plain": "P00003", "text/html": "<b>P00003</b>"}},
        {"output_type": "error", "ename": "P00004", "evalue": "P00005", "traceback": ["P00006"]},
    ]
    document = {"cells": [{"source": "x"}, {"outputs": outputs}, {"outputs": "P00007"}, None]}
    assert executed_cells(document) == [{"cell": 2, "printed": 14, "shown": 1, "raised": True}]
    assert executed_cells({"cells": "P00001"}) == []
    assert executed_cells(None) is None
    kept = replace(package(), executed=document)
    assert "P0000" in json.dumps(dict(kept.executed or {}))  # control: it is there to be shown

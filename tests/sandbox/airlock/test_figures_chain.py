"""Figures along the whole way: dry run, checkers, release; and the author learns nothing from them early."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from opendata.db import new_id, utc_now
from opendata.publishing.models import Exposure
from opendata.storage.keys import public_key
from opendata.storage.rawdoor import RawDoorContext
from opendata.storage.vault import SealedWriter
from sandbox.airlock import jobs, rawdoor
from sandbox.airlock.models import PracticeCheck, ReleasedOutput
from sandbox.airlock.release import output_directory
from sandbox.airlock.rules import Decision
from sandbox.airlock.verify import verify_bundle
from sandbox.client.figures import figure, with_table
from tests.sandbox.airlock.test_chain import drawn, request_of, seen, vote
from tests.sandbox.sandbox_world import DRY, GOOD, Context, World, code

WORDS = {"table": "t.csv", "kind": "bar", "x": "sex", "y": "n", "title": "就诊人数"}


def words(**other: object) -> str:
    return json.dumps({**WORDS, **other}, ensure_ascii=False)


PRACTICE = {"t.csv": DRY, "t.figure.json": words()}


def view(world: World, request_id: str, checker: str):
    door = RawDoorContext(world.settings, world.database, world.vault, world.keys)
    return rawdoor.view(door, world.actor(checker), {"id": request_id, "purpose": "出域审查"}).body


def test_a_figure_is_drawn_from_the_released_table_and_named_by_the_record(world: World):
    workspace = world.workspace("L1")
    job_id = world.submit(workspace, code({"t.csv": GOOD, "t.figure.json": words()}, PRACTICE))
    request = request_of(world, job_id)
    assert (request.state, request.blocking_findings) == ("in_review", 0)
    [checker] = drawn(world, request.id)
    table, drawing = view(world, request.id, checker)["files"]
    assert (table["name"], drawing["name"], drawing["kind"]) == ("t.csv", "t.svg", "figure")
    assert drawing["figure"] == {**WORDS, "y": ["n"]}
    assert drawing["svg"].count("1,500") >= 2  # the sealed run's counts, not the practice data's 500
    vote(world, request.id, checker, Decision.APPROVE)
    with world.database.session() as session:
        output = session.scalars(select(ReleasedOutput)).one()
        exposure = session.scalars(select(Exposure).where(Exposure.kind == "release")).one()
    assert exposure.rows == 2
    directory = output_directory(world.settings, workspace, output.id)
    verified = verify_bundle(directory, public_key(world.settings, "release"))
    assert verified.files == ("t.csv", "t.svg")
    assert (directory / "t.svg").read_text("utf-8") == drawing["svg"]
    [recorded] = [file for file in verified.record["files"] if file["name"] == "t.svg"]
    assert recorded["figure"] == drawing["figure"]
    assert table["sha256"] in drawing["svg"]


def test_the_author_sees_the_figure_of_the_dry_run_only(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD, "t.figure.json": words()}, PRACTICE))
    shown = seen(world, job_id)
    assert "t.svg" in shown
    assert "500" in shown
    assert "1,500" not in shown
    assert "1500" not in shown


def test_outputs_with_figures_look_the_same_to_the_author(world: World):
    workspace = world.workspace("L1")
    outputs = [
        {"t.csv": GOOD, "t.figure.json": words()},  # drawn
        {"t.csv": GOOD, "t.figure.json": words(title="P00001")},  # words from data: blocked
        {"t.csv": GOOD, "t.figure.json": words(kind="scatter")},  # individuals: blocked
        {"t.csv": GOOD, "t.figure.json": "{"},  # not a figure
        {"t.csv": GOOD, **{f"f{i}.figure.json": words() for i in range(30)}},  # too many
        {"t.csv": GOOD},  # none
    ]
    ids = [world.submit(workspace, code(output, PRACTICE)) for output in outputs]
    assert {request_of(world, job_id).state for job_id in ids} == {"in_review", "blocked"}
    answers = {seen(world, i).replace(world.job(i).created_at.isoformat(), "AT") for i in ids}
    assert len(answers) == 1
    # The control: what the dry run showed is told, so a figure there makes another answer.
    other = world.submit(
        world.workspace("L1", name="another"), code(outputs[0], {"t.csv": DRY, "t.figure.json": words(title="别的")})
    )
    assert seen(world, other).replace(world.job(other).created_at.isoformat(), "AT") not in answers


def test_a_figure_of_individuals_stops_at_the_dry_run_and_is_explained(world: World):
    job_id = world.submit(world.workspace("L1"), code({}, {"t.csv": DRY, "t.figure.json": words(kind="scatter")}))
    job = world.job(job_id)
    assert job.state == "dry_failed"
    [finding] = [f for f in job.dry_findings if f["rule"] == "figure_kind"]
    assert "散点" in finding["zh"]
    assert "scatter" in finding["en"]
    assert not any("svg" in file for file in job.dry_result["files"])


@pytest.mark.parametrize(("kind", "rules"), [("bar", set()), ("scatter", {"figure_kind"})])
def test_check_of_a_figure_shows_it_and_explains(world: World, tmp_path, kind: str, rules: set[str]):
    """What a notebook's ``check`` sends: the figure's words and the table beside them."""
    (tmp_path / "t.csv").write_text(DRY, "utf-8")
    made = figure(tmp_path / "t.csv", kind="bar", x="sex", y="n", directory=tmp_path)
    made.path.write_text(made.path.read_text("utf-8").replace('"bar"', f'"{kind}"'), "utf-8")
    name, content = with_table(made.path, made.path.read_bytes())
    workspace, check_id = world.workspace("L1"), new_id()
    with SealedWriter(world.settings, check_id) as sealed:
        sealed.write(content)
    with world.database.begin() as session:
        session.add(
            PracticeCheck(
                id=check_id, workspace_id=workspace, author_id=world.actor("researcher").id, filename=name,
                digest="0" * 64, state="queued", created_at=utc_now(),
            )
        )  # fmt: skip

    class _Job:
        id, created_by = check_id, None

    jobs.check_practice(Context(world, _Job), {"check_id": check_id})
    with world.database.session() as session:
        check = session.get_one(PracticeCheck, check_id)
    assert {f["rule"] for f in check.findings if f["blocking"]} == rules
    assert [file["name"] for file in check.files if "svg" in file] == ([] if rules else ["t.svg"])

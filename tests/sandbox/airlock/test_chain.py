"""The chain of a sealed job, with people's decisions, on a simulated launcher."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from opendata.db import utc_now
from opendata.ledger.models import LedgerEntry
from opendata.publishing.models import Exposure
from opendata.storage.keys import public_key
from opendata.storage.rawdoor import RawDoorContext
from sandbox.airlock import rawdoor, service
from sandbox.airlock.errors import AirlockConflict, AirlockDenied, AirlockInvalid, BundleInvalid
from sandbox.airlock.models import Assignment, CodeReview, ReleasedOutput, ReleaseRequest
from sandbox.airlock.release import output_directory
from sandbox.airlock.rules import Decision, Forward
from sandbox.airlock.verify import verify_bundle
from sandbox.airlock.visibility import author_view
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.models import SandboxJob
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.sandbox_world import GOOD, SimulatedLauncher, World, code

WHY = "计数足够大，已取整，与用途相符"


def request_of(world: World, job_id: str) -> ReleaseRequest:
    with world.database.session() as session:
        found = session.scalar(select(ReleaseRequest).where(ReleaseRequest.job_id == job_id))
        assert found is not None
        return found


def drawn(world: World, case_id: str) -> list[str]:
    with world.database.session() as session:
        rows = session.scalars(select(Assignment).where(Assignment.subject_id == case_id).order_by(Assignment.position))
        names = {actor.id: name for name, actor in world.users.items()}
        return [names[row.checker_id] for row in rows]


def vote(world: World, case_id: str, who: str, decision: Decision, forward: Forward | None = None) -> None:
    with world.database.begin() as session:
        service.cast_vote(session, case_id, actor=world.actor(who), decision=decision, explanation=WHY, forward=forward)
    world.work()


def accept_code(world: World, job_id: str) -> None:
    with world.database.session() as session:
        review = session.scalar(select(CodeReview).where(CodeReview.job_id == job_id))
    if review is not None:
        vote(world, review.id, drawn(world, review.id)[0], Decision.APPROVE)


def seen(world: World, job_id: str) -> str:
    """Everything the author can read about a job, as bytes would travel; its own id left out."""
    with world.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        request = service.request_of(session, job)
        shown = author_view(job, request, now=utc_now() + timedelta(seconds=30), ticks=Ticks(base_s=0.01, wall_s=600.0))
    return json.dumps(shown, ensure_ascii=False).replace(job_id, "ID")


def test_good_output_is_released_and_verifies(world: World):
    workspace = world.workspace("L1")
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    assert world.job(job_id).state == "finished"
    request = request_of(world, job_id)
    assert (request.state, request.blocking_findings) == ("in_review", 0)
    [checker] = drawn(world, request.id)
    assert checker.startswith("checker-")
    vote(world, request.id, checker, Decision.APPROVE)
    with world.database.session() as session:
        output = session.scalars(select(ReleasedOutput)).one()
        entry = session.scalars(select(LedgerEntry).where(LedgerEntry.index == output.ledger_index)).one()
        assert entry.type == "airlock:output:release"
        assert session.scalar(select(Exposure).where(Exposure.kind == "release")) is not None
    directory = output_directory(world.settings, workspace, output.id)
    found = verify_bundle(directory, public_key(world.settings, "release"))
    assert found.files == ("t.csv",)
    assert (directory / "t.csv").read_text() == "sex,n,mean_visits\n女,1500,3\n男,1500,3\n"
    assert json.loads(seen(world, job_id))["state"] == "released"
    (directory / "t.csv").write_text("sex,n,mean_visits\n女,1500,4\n男,1500,3\n")
    with pytest.raises(BundleInvalid):
        verify_bundle(directory, public_key(world.settings, "release"))


def test_outputs_that_differ_in_every_cell_look_the_same_to_the_author(world: World):
    workspace = world.workspace("L1")
    outputs = [
        {"t.csv": GOOD},  # passes every check
        {"t.csv": "sex,n,mean_visits\n甲,35,9.87654\n乙,40,1.23\n丙,45,2\n"},  # other labels, counts, rows
        {"t.csv": "sex,n,mean_visits\nP00001,1,1\n"},  # breaks several rules: blocked
        {"a.csv": GOOD, "b.csv": "k,n\nx,3\n"},  # other files
        {},  # nothing at all
    ]
    programs = [code(output) for output in outputs] + [code({}, state="failed"), code({}, state="killed")]
    jobs = [world.submit(workspace, program) for program in programs]
    states = {request_of(world, job_id).state for job_id in jobs}
    assert states == {"in_review", "blocked"}
    answers = []
    for job_id in jobs:
        answer = seen(world, job_id)
        answers.append(answer.replace(world.job(job_id).created_at.isoformat(), "AT"))
    assert set(answers) == {answers[0]}
    assert json.loads(answers[0])["state"] == "finished"


def test_blocked_output_cannot_be_approved_and_only_a_fixed_reason_is_told(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": "sex,n\n男,3\n"}, {"t.csv": "sex,n\n男,500\n"}))
    request = request_of(world, job_id)
    assert request.state == "blocked"
    [checker] = drawn(world, request.id)
    with pytest.raises(AirlockInvalid):
        vote(world, request.id, checker, Decision.APPROVE)
    vote(world, request.id, checker, Decision.REJECT, Forward.SMALL_COUNTS)
    shown = json.loads(seen(world, job_id))
    assert (shown["state"], shown["message"]["en"]) == ("rejected", "small counts")
    assert WHY not in json.dumps(shown, ensure_ascii=False)
    with world.database.session() as session:
        assert session.scalar(select(ReleasedOutput)) is None


def test_dry_run_with_findings_stops_before_raw_data_and_explains(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}, {"t.csv": "sex,n\n男,3\n"}))
    job = world.job(job_id)
    assert job.state == "dry_failed"
    assert {finding["rule"] for finding in job.dry_findings} >= {"small_count"}
    assert job.sealed_started_at is None


def test_failing_dry_run_stops_before_raw_data(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}, dry_state="failed"))
    assert world.job(job_id).state == "dry_failed"


def test_code_is_reviewed_at_its_first_run_only(world: World):
    workspace = world.workspace("L2")
    program = code({"t.csv": GOOD})
    first = world.submit(workspace, program)
    assert world.job(first).state == "code_review"
    accept_code(world, first)
    assert world.job(first).state == "finished"
    assert world.job(world.submit(workspace, program)).state == "finished"
    assert world.job(world.submit(workspace, code({"t.csv": GOOD}, comment=1))).state == "code_review"


def test_rejected_code_never_meets_raw_data(world: World):
    workspace = world.workspace("L2")
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    with world.database.session() as session:
        review = session.scalars(select(CodeReview)).one()
    vote(world, review.id, drawn(world, review.id)[0], Decision.REJECT)
    assert world.job(job_id).state == "code_rejected"
    assert world.job(world.submit(workspace, code({"t.csv": GOOD}))).state == "code_rejected"


def test_two_checkers_at_higher_levels_and_a_third_when_they_disagree(world: World):
    job_id = world.submit(world.workspace("L4"), code({"t.csv": GOOD}))
    accept_code(world, job_id)
    request = request_of(world, job_id)
    first, second = drawn(world, request.id)
    vote(world, request.id, first, Decision.APPROVE)
    assert request_of(world, job_id).state == "in_review"
    assert json.loads(seen(world, job_id))["state"] == "finished"
    vote(world, request.id, second, Decision.REJECT, Forward.CONTEXT)
    assert request_of(world, job_id).state == "third_review"
    third = drawn(world, request.id)[2]
    assert third not in {first, second}
    vote(world, request.id, third, Decision.APPROVE)
    assert request_of(world, job_id).state == "released"


def test_votes_are_blind_until_the_case_is_decided(world: World):
    job_id = world.submit(world.workspace("L4"), code({"t.csv": GOOD}))
    accept_code(world, job_id)
    request = request_of(world, job_id)
    first, second = drawn(world, request.id)
    vote(world, request.id, first, Decision.APPROVE)
    with world.database.session() as session:
        case = service.find_case(session, request.id)
        assert service.votes_of(session, case, viewer=world.actor(second)) == []
    vote(world, request.id, second, Decision.APPROVE)
    with world.database.session() as session:
        case = service.find_case(session, request.id)
        assert len(service.votes_of(session, case, viewer=world.actor(second))) == 2


def test_who_may_vote(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    request = request_of(world, job_id)
    [checker] = drawn(world, request.id)
    other = next(f"checker-{i}" for i in range(1, 6) if f"checker-{i}" != checker)
    with pytest.raises(AirlockDenied, match="own output"):
        vote(world, request.id, "researcher", Decision.APPROVE)
    for who, error in (("reviewer", AirlockDenied), (other, WorkspaceNotFound), ("home-checker", WorkspaceNotFound)):
        with pytest.raises(error):
            vote(world, request.id, who, Decision.APPROVE)
    vote(world, request.id, checker, Decision.REJECT)
    with pytest.raises(AirlockConflict):
        vote(world, request.id, checker, Decision.APPROVE)


def test_vote_needs_an_explanation(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    request = request_of(world, job_id)
    [checker] = drawn(world, request.id)
    with pytest.raises(AirlockInvalid), world.database.begin() as session:
        service.cast_vote(session, request.id, actor=world.actor(checker), decision=Decision.APPROVE, explanation="好")


def test_checker_sees_table_checks_and_code_and_nobody_else_does(world: World):
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    request = request_of(world, job_id)
    [checker] = drawn(world, request.id)
    door = RawDoorContext(world.settings, world.database, world.vault, world.keys)
    answer = rawdoor.view(door, world.actor(checker), {"id": request.id, "purpose": "出域审查"})
    assert answer.audit.type == "airlock:case:view"
    assert answer.body["files"][0]["rows"] == [["女", "1500", "3"], ["男", "1500", "3"]]
    assert "sealed" in answer.body["code"]
    for who in ("researcher", "auditor", "officer"):
        with pytest.raises((AirlockDenied, WorkspaceNotFound)):
            rawdoor.view(door, world.actor(who), {"id": request.id, "purpose": "出域审查"})


def test_released_output_can_be_revoked(world: World):
    workspace = world.workspace("L1")
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    request = request_of(world, job_id)
    vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    with world.database.begin() as session:
        output = session.scalars(select(ReleasedOutput)).one()
        with pytest.raises(AirlockDenied):
            service.revoke(session, output, actor=world.actor("researcher"), reason="这不是我应当撤回的")
        service.revoke(session, output, actor=world.actor("security"), reason="数据提供部门要求撤回该产出")
    assert json.loads(seen(world, job_id))["state"] == "revoked"


def test_closed_door_runs_nothing_and_says_so(world: World, monkeypatch):
    monkeypatch.setattr(SimulatedLauncher, "open", False)
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    job = world.job(job_id)
    assert job.state == "unavailable"
    assert "closed" in job.dry_result["message"]["en"]


def test_raw_values_are_in_no_plain_file(world: World):
    workspace = world.workspace("L1")
    world.submit(workspace, code({"t.csv": "who,n\nP00017,50\n"}, {"t.csv": "who,n\nx,500\n"}))
    world.database.dispose()
    for path in world.settings.home.rglob("*"):
        if path.is_file():
            assert b"P00017" not in path.read_bytes() or "vault" in path.parts, path
            assert b"P00017" not in path.read_bytes(), path


def test_pool_too_small_draws_nobody_until_it_has_grown(world: World):
    from opendata.identity import User

    workspace = world.workspace("L1")
    with world.database.begin() as session:
        for name in ("checker-4", "checker-5"):
            session.get_one(User, world.actor(name).id).active = False
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    request = request_of(world, job_id)
    assert drawn(world, request.id) == []
    with world.database.begin() as session:
        session.get_one(User, world.actor("checker-4").id).active = True
    with world.database.begin() as session:
        service.queue(session, world.actor("checker-1"))
    assert len(drawn(world, request.id)) == 1

"""The chain of a sealed job, with people's decisions, on a simulated launcher."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from opendata.db import utc_now
from opendata.errors import NotFoundError, OpenDataError
from opendata.jobs import Job
from opendata.ledger.models import LedgerEntry
from opendata.publishing.models import Exposure
from opendata.storage.keys import public_key
from opendata.storage.rawdoor import RawDoorContext
from sandbox.airlock import rawdoor, service
from sandbox.airlock.errors import AirlockConflict, AirlockDenied, AirlockInvalid, BundleInvalid
from sandbox.airlock.models import Assignment, CodeReview, ReleasedOutput, ReleaseRequest
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.release import output_directory
from sandbox.airlock.rules import Decision, Forward
from sandbox.airlock.verify import verify_bundle
from sandbox.airlock.visibility import author_view
from sandbox.web import views
from sandbox.web.released_files import RECHECK_S, ReleasedFile
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceNotFound
from sandbox.workspaces.models import SandboxJob, Workspace
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
    """Look, if that is allowed, and vote."""
    with suppress(OpenDataError):
        world.look(case_id, who)
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
    world.look(request.id, checker)
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


def released(world: World) -> tuple[str, str, str]:
    """A released output: workspace, job, output."""
    workspace = world.workspace("L1")
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    request = request_of(world, job_id)
    vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    with world.database.session() as session:
        return workspace, job_id, session.scalars(select(ReleasedOutput.id)).one()


def test_revocation_shuts_the_download_tells_the_members_and_is_for_good(world: World):
    workspace, job_id, output_id = released(world)
    with world.database.session() as session:
        before = session.get_one(ReleasedOutput, output_id).record_digest
    download = ReleasedFile(
        output_directory(world.settings, workspace, output_id) / "t.csv", database=world.database,
        actor=world.actor("researcher"), workspace=workspace, output=output_id, media_type="text/csv", name="t.csv",
    )  # fmt: skip
    download.check()
    with world.database.begin() as session:
        output = session.get_one(ReleasedOutput, output_id)
        service.revoke(session, output, actor=world.actor("security"), reason="数据提供部门要求撤回该产出")
    with pytest.raises(ConnectionAbortedError):  # one that was running: cut at its next look, within RECHECK_S
        download.check()
    assert RECHECK_S < 60
    with world.database.begin() as session:
        found = session.get_one(Workspace, workspace)
        with pytest.raises(AirlockConflict, match="delete the copies"):
            service.get_output(session, found, output_id)
        assert service.outputs_of(session, found) == []
        [told] = [views.revoked(each) for each in service.revoked_of(session, found)]
        assert (told["record_sha256"], told["reason"]) == (before, "数据提供部门要求撤回该产出")
        with pytest.raises(AirlockConflict, match="cannot be undone"):
            service.revoke(
                session, session.get_one(ReleasedOutput, output_id), actor=world.actor("security"), reason="再撤回一次"
            )
        assert [e.type for e in session.scalars(select(LedgerEntry))].count("airlock:output:revoke") == 1
    assert json.loads(seen(world, job_id))["state"] == "revoked"


def test_a_running_download_is_cut_for_a_removed_member_too(world: World):
    workspace, _, output_id = released(world)
    world.join(workspace, "colleague")
    path = output_directory(world.settings, workspace, output_id) / "t.csv"
    download = ReleasedFile(
        path, database=world.database, actor=world.actor("colleague"), workspace=workspace, output=output_id,
        media_type="text/csv", name="t.csv",
    )  # fmt: skip
    download.check()
    with world.database.begin() as session:
        workspaces.remove_member(
            session, session.get_one(Workspace, workspace), actor=world.actor("researcher"), username="colleague"
        )
    with pytest.raises(ConnectionAbortedError):
        download.check()


def test_the_start_of_a_sealed_run_is_in_no_ledger_before_its_tick(world: World, monkeypatch):
    """The ledger's size is public: between queueing and the tick after the run nothing is appended."""
    from sandbox.airlock import sealed

    sizes: dict[str, list[str]] = {}

    def ledger() -> list[str]:
        with world.database.session() as session:
            return [entry.type for entry in session.scalars(select(LedgerEntry).order_by(LedgerEntry.index))]

    real_begin, real_wait = sealed.begin, sealed.wait_for_tick
    monkeypatch.setattr(sealed, "begin", lambda *a: sizes.setdefault("queued", ledger()) and real_begin(*a))
    monkeypatch.setattr(sealed, "wait_for_tick", lambda *a: sizes.setdefault("ended", ledger()) and real_wait(*a))
    world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    assert sizes["queued"] == sizes["ended"]
    assert sizes["queued"][-1] == "sandbox:job:seal"
    added = ledger()[len(sizes["ended"]) :]
    assert added == ["airlock:request:submit", "airlock:request:check", "airlock:checker:draw"]


STEPS = ("before begin", *(f"after {step}" for step in ("begin", "sealed run", "check", "tick", "review", "seed")))
INSIDE = ("after the run is stored", "after the package is stored", "before the run's own object goes")


@pytest.mark.integration
@pytest.mark.parametrize("moment", [*STEPS, *INSIDE])
def test_killed_worker_leaves_one_request_and_no_plain_output(world: World, moment: str):
    """`kill -9` of the process that runs the sealed chain, at every step; another one goes on from what is recorded."""
    workspace = world.workspace("L1")
    program = code({"t.csv": "sex,n,mean_visits\n女,1500,3.0\n男,1500,3.0\n"}, comment="P00017")
    job_id = queued_only(world, workspace, program)
    if (child := os.fork()) == 0:
        die_at(world, moment)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, f"the process was not killed at {moment}"
    world.database.dispose()
    with world.database.begin() as session:
        session.query(Job).filter(Job.kind == "sandbox.sealed").update({"state": "queued"})
    world.work()
    job = world.job(job_id)
    with world.database.session() as session:
        [request] = session.scalars(select(ReleaseRequest)).all()
        types = [entry.type for entry in session.scalars(select(LedgerEntry))]
        assert len(session.scalars(select(Assignment)).all()) == 1
    assert (job.state, request.state, request.blocking_findings) == ("finished", "in_review", 0)
    assert types.count("airlock:request:submit") == types.count("airlock:request:check") == 1
    with pytest.raises(NotFoundError), world.vault.open_object(f"sealed-{job_id}"):
        pytest.fail("the run's own output outlives its package")
    with world.vault.open_object(package_name(request.id)) as stream:
        assert Package.from_bytes(stream.read()).files[0].name == "t.csv"
    vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    with world.database.session() as session:
        assert len(session.scalars(select(ReleasedOutput)).all()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("moment", ["before release", "after the bundle is written", "after release"])
def test_killed_release_lets_out_one_bundle(world: World, moment: str):
    workspace = world.workspace("L1")
    request = request_of(world, world.submit(workspace, code({"t.csv": GOOD})))
    world.look(request.id, drawn(world, request.id)[0])
    with world.database.begin() as session:
        who = world.actor(drawn(world, request.id)[0])
        service.cast_vote(session, request.id, actor=who, decision=Decision.APPROVE, explanation=WHY)
    if (child := os.fork()) == 0:
        die_at(world, moment)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    world.database.dispose()
    with world.database.begin() as session:
        session.query(Job).filter(Job.kind == "sandbox.release").update({"state": "queued"})
    world.work()
    with world.database.session() as session:
        output = session.scalars(select(ReleasedOutput)).one()
        types = [entry.type for entry in session.scalars(select(LedgerEntry))]
    assert types.count("airlock:output:release") == 1
    assert verify_bundle(
        output_directory(world.settings, workspace, output.id), public_key(world.settings, "release")
    ).files == ("t.csv",)


def queued_only(world: World, workspace: str, program: bytes) -> str:
    """Submit and do the dry run; the sealed run stays queued."""
    from sandbox.airlock import jobs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "sealed", lambda *_: None)
        job_id = world.submit(workspace, program)
    with world.database.begin() as session:
        session.query(Job).filter(Job.kind == "sandbox.sealed").update({"state": "queued"})
    assert world.job(job_id).state == "sealed_queued"
    return job_id


def die_at(world: World, moment: str) -> None:
    """In a child: run the queued jobs on connections of its own and kill the process at the moment."""
    from sandbox.airlock import checking, release
    from tests.sandbox import sandbox_world

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def then_kill(function: Any) -> Any:
        def run(*arguments: Any, **more: Any) -> None:
            function(*arguments, **more)
            kill()

        return run

    def step(self: Any, name: str, function: Any, *arguments: Any) -> Any:
        if moment == f"before {name}":
            kill()
        result = function(*arguments)
        if moment == f"after {name}":
            kill()
        return result

    try:
        world.database.engine.dispose(close=False)
        sandbox_world.Context.step = step  # type: ignore[method-assign]
        if moment == "after the run is stored":
            type(world.vault).put_object = then_kill(type(world.vault).put_object)  # type: ignore[method-assign]
        elif moment == "after the package is stored":
            checking._store_package = lambda *_, **__: kill()  # type: ignore[assignment]
        elif moment == "before the run's own object goes":
            type(world.vault).destroy_object = lambda *_: kill()  # type: ignore[method-assign]
        elif moment == "after the bundle is written":
            release.write_bundle = then_kill(release.write_bundle)
        world.work()
    finally:
        os._exit(7)

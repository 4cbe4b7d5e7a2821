"""Every action in every state by every role: allowed exactly where the table below says, on a real database.

Each attempt is made in a transaction of its own that is rolled back. The table is data; when an attempt differs from
it, the failure prints action, state, role and what was expected.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.app import create_app
from opendata.db import new_id, utc_now
from opendata.errors import OpenDataError
from opendata.identity import Actor, Role
from opendata.identity import service as identity
from opendata.ledger.events import AuditEvent
from opendata.ledger.models import LedgerOpening
from opendata.ledger.service import append
from sandbox.airlock import jobs, release, reruns, scoring, service, usage
from sandbox.airlock.limits import default_limits
from sandbox.airlock.looking import LOOK
from sandbox.airlock.models import Assignment, CodeReview, ReleasedOutput, ReleaseRequest, Vote
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.rules import Decision, Forward
from sandbox.airlock.sources import kernel_digest
from sandbox.airlock.states import RequestState
from sandbox.workspaces import permissions as workspace_permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.states import JobState, WorkspaceState
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.airlock.test_chain import WHY
from tests.sandbox.sandbox_world import GOOD, SimulatedLauncher, World, code, make_world

TICKS: Final = Ticks(base_s=0.01, wall_s=600.0)
ALL: Final = "*"
DECIDERS: Final = ("reviewer", "auditor", "officer", "security")
Allowed = Mapping[str, str | set[str]]

# Who may do what with a release request, by its state. Roles that are not named may never.
REQUESTS: Final[dict[str, Allowed]] = {
    "vote to refuse, forward a fixed reason": {"drawn": {"in_review", "blocked", "third_review"}},
    "vote to approve": {"drawn": {"in_review", "third_review"}},
    "vote unseen": {},
    "look at the case": {"drawn": ALL},
    "uncover rows": {"drawn": {"in_review", "blocked", "third_review"}},
    "uncover rows unseen": {},
    "download": {role: {"released"} for role in ("author", "member", "reader", "member checker")},
    "revoke": {"reviewer": {"released"}, "security": {"released"}},
    "release": {"worker": {"approved", "releasing", "released", "revoked"}},  # the last two: what is released already
}
# With a review of code, by its state.
REVIEWS: Final[dict[str, Allowed]] = {
    "vote approve": {"drawn": {"in_review"}},
    "vote reject": {"drawn": {"in_review"}},
    "vote unseen": {},
}
# With a job, by its state.
JOBS: Final[dict[str, Allowed]] = {
    "cancel": {"author": {"submitted", "dry_running", "code_review", "sealed_queued"}},
    "run again": {"author": {"finished"}, "member": {"finished"}},
    "read": dict.fromkeys(("author", "member", "reader", "member checker"), ALL),
}
# With a workspace, by its state.
WORKSPACES: Final[dict[str, Allowed]] = {
    "submit": {"author": {"approved"}, "member": {"approved"}},
    "add a member": {"author": {"approved"}},
    "decide": {"officer": {"applied"}},
    "see": dict.fromkeys(("author", "member", "reader", "member checker", *DECIDERS), ALL),
}
# With nothing in particular.
ALONE: Final[dict[str, Allowed]] = {
    "apply": dict.fromkeys(("author", "member", "reader", "outsider"), ALL),
    "list the queue": dict.fromkeys(("drawn", "checker", "home checker", "member checker", "auditor"), ALL),
    "see hit rates": {"security": ALL, "auditor": ALL},
    "see usage": {"security": ALL, "auditor": ALL, "system": ALL},
}


@dataclass
class Stage:
    """One workspace with a job, its request, its released output, and a person of every role."""

    world: World
    workspace: str
    job: str
    request: str
    review: str
    output: str
    roles: dict[str, Actor] = field(default_factory=dict)


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "Launcher", SimulatedLauncher)
        patch.setattr(jobs, "airlock_ticks", lambda: TICKS)
        with make_world(tmp_path_factory.mktemp("roles") / "home") as world:
            yield set_stage(world)


def set_stage(world: World) -> Stage:
    workspace = world.workspace("L2")
    world.join(workspace, "colleague")
    _person(world, "reader", "uni", Role.RESEARCHER)
    world.join(workspace, "reader", role="reader")
    for name, role in (
        ("system", Role.SYSTEM_ADMIN),
        ("audit", Role.AUDIT_ADMIN),
        ("applicant", Role.APPLICANT),
    ):
        _person(world, name, "bureau", role)
    job = world.submit(workspace, code({"t.csv": GOOD}))
    with world.database.session() as session:
        review = session.scalars(select(CodeReview)).one()
        chosen = session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == review.id)).one()
    reviewer_of_code = next(actor for actor in world.users.values() if actor.id == chosen)
    world.look(review.id, reviewer_of_code.username)
    with world.database.begin() as session:
        service.cast_vote(session, review.id, actor=reviewer_of_code, decision=Decision.APPROVE, explanation=WHY)
    world.work()
    with world.database.begin() as session:
        request = session.scalars(select(ReleaseRequest)).one()
        output = ReleasedOutput(
            id=new_id(), request_id=request.id, workspace_id=workspace, record_digest="0" * 64, files=[],
            ledger_index=0, released_at=utc_now(),
        )  # fmt: skip
        [drawn] = session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == request.id))
        # The checker of the output is the checker of the code too; a colleague and a member are drawn against the rules.
        session.query(Assignment).filter(Assignment.subject_id == review.id).update({"checker_id": drawn})
        for subject, kind in ((request.id, "output"), (review.id, "code")):
            for name in ("home-checker", "researcher", "colleague"):
                session.add(
                    Assignment(
                        kind=kind,
                        subject_id=subject,
                        checker_id=world.actor(name).id,
                        position=9,
                        author_id=world.actor("researcher").id,
                        drawn_at=utc_now(),
                    )
                )
        session.query(Vote).delete()
        # Nobody has looked yet.
        session.query(LedgerOpening).filter(LedgerOpening.subject == f"review:{review.id}").delete()
        identifiers = (request.id, review.id)
        session.add(output)
        output_id = output.id
    people = {actor.id: actor for actor in world.users.values()}
    member = world.actor("colleague")
    roles = {
        "author": world.actor("researcher"),
        "member": member,
        "reader": world.actor("reader"),
        "outsider": world.actor("outsider"),
        "drawn": people[drawn],
        "checker": next(a for n, a in world.users.items() if n.startswith("checker-") and a.id != drawn),
        "home checker": world.actor("home-checker"),
        "member checker": _as(member, Role.OUTPUT_CHECKER),
        "reviewer": world.actor("reviewer"),
        "officer": world.actor("officer"),
        "security": world.actor("security"),
        "system": world.actor("system"),
        "audit": world.actor("audit"),
        "auditor": world.actor("auditor"),
        "applicant": world.actor("applicant"),
    }
    return Stage(world, workspace, job, identifiers[0], identifiers[1], output_id, roles)


class _RollBack(Exception):
    pass


def attempt(stage: Stage, act: Callable[[Session], Any]) -> bool:
    """Whether ``act`` is allowed; whatever it did is undone."""
    allowed = False
    with suppress(_RollBack), stage.world.database.begin() as session:
        try:
            act(session)
            session.flush()
            allowed = True
        except OpenDataError:
            pass
        raise _RollBack
    return allowed


def differences(
    stage: Stage, table: Mapping[str, Allowed], states: list[str], acts: Mapping[str, Callable[..., Any]]
) -> list[str]:
    """Where an attempt is not as the table says."""
    assert set(acts) == set(table)
    wrong = []
    for action, act in acts.items():
        for role, who in {**stage.roles, "worker": None}.items():
            if (who is None) != (action == "release"):
                continue
            for state in states:
                expected = table[action].get(role, set())
                wanted = expected == ALL or state in expected
                found = attempt(stage, lambda session, act=act, who=who, state=state: act(session, stage, who, state))
                if found is not wanted:
                    wrong.append(f"{action} by {role} in {state}: expected {wanted}, was {found}")
    return wrong


def request_in(session: Session, stage: Stage, state: str) -> ReleaseRequest:
    request = session.get_one(ReleaseRequest, stage.request)
    request.state, request.blocking_findings = state, int(state == "blocked")
    output = session.get_one(ReleasedOutput, stage.output)
    if state == "revoked":
        output.revoked_at = utc_now()
    elif state != "released":
        session.delete(output)
    session.flush()
    return request


def has_looked(session: Session, case: str, who: Actor) -> None:
    """As if this person's look at the case's content stood in the ledger, whoever it is."""
    subject = service.find_case(session, case).subject
    append(session, AuditEvent(LOOK, who.id, subject, utc_now(), {"purpose": "出域审查"}))


def ballot(decision: Decision, forward: Forward | None = None, *, unseen: bool = False) -> Callable[..., Any]:
    def act(session: Session, stage: Stage, who: Actor, state: str) -> None:
        request_in(session, stage, state)
        has_looked(session, stage.review if unseen else stage.request, who)  # a look at another case is none
        service.cast_vote(session, stage.request, actor=who, decision=decision, explanation=WHY, forward=forward)

    return act


def look(session: Session, stage: Stage, who: Actor, state: str) -> None:
    request_in(session, stage, state)
    service.get_case(session, stage.request, actor=who)


def uncover(session: Session, stage: Stage, who: Actor, state: str) -> None:
    request_in(session, stage, state)
    has_looked(session, stage.request, who)
    service.case_to_reveal(session, stage.request, actor=who)


def uncover_unseen(session: Session, stage: Stage, who: Actor, state: str) -> None:
    request_in(session, stage, state)
    service.case_to_reveal(session, stage.request, actor=who)


def download(session: Session, stage: Stage, who: Actor, state: str) -> None:
    request_in(session, stage, state)
    workspace = workspaces.get_workspace(session, stage.workspace, actor=who)
    workspace_permissions.check_can_read(who, workspaces.facts(session, workspace))
    service.get_output(session, workspace, stage.output)


def revoke(session: Session, stage: Stage, who: Actor, state: str) -> None:
    request_in(session, stage, state)
    output = session.get(ReleasedOutput, stage.output) or ReleasedOutput(request_id=stage.request)
    service.revoke(session, output, actor=who, reason="数据提供部门要求撤回")


def let_out(session: Session, stage: Stage, _: None, state: str) -> None:
    request = request_in(session, stage, state)
    with stage.world.vault.open_object(package_name(request.id)) as stream:
        package = Package.from_bytes(stream.read())
    release.release(
        session, request, package, key=stage.world.keys.release_key(), limits=default_limits(),
        settings=stage.world.settings, now=utc_now(),
    )  # fmt: skip


def test_release_requests(stage: Stage):
    acts = {
        "vote to refuse, forward a fixed reason": ballot(Decision.REJECT, Forward.CONTEXT),
        "vote to approve": ballot(Decision.APPROVE),
        "vote unseen": ballot(Decision.REJECT, unseen=True),
        "look at the case": look,
        "uncover rows": uncover,
        "uncover rows unseen": uncover_unseen,
        "download": download,
        "revoke": revoke,
        "release": let_out,
    }
    wrong = differences(stage, REQUESTS, [str(state) for state in RequestState], acts)
    assert not wrong, "\n".join(wrong)


def test_reviews_of_code(stage: Stage):
    def act(decision: Decision, *, unseen: bool = False) -> Callable[..., Any]:
        def vote(session: Session, stage: Stage, who: Actor, state: str) -> None:
            session.get_one(CodeReview, stage.review).state = state
            has_looked(session, stage.request if unseen else stage.review, who)
            service.cast_vote(session, stage.review, actor=who, decision=decision, explanation=WHY)

        return vote

    acts = {
        "vote approve": act(Decision.APPROVE),
        "vote reject": act(Decision.REJECT),
        "vote unseen": act(Decision.REJECT, unseen=True),
    }
    wrong = differences(stage, REVIEWS, ["in_review", "approved", "rejected", "returned"], acts)
    assert not wrong, "\n".join(wrong)


def job_in(session: Session, stage: Stage, state: str) -> tuple[Workspace, SandboxJob]:
    job = session.get_one(SandboxJob, stage.job)
    job.state = state
    if state not in {"sealed_queued", "sealed_running", "finished"}:
        job.sealed_queued_at = None
    if state != "finished":
        job.sealed_finished_at = None
    session.flush()
    return session.get_one(Workspace, stage.workspace), job


def test_jobs(stage: Stage):
    def cancel(session: Session, stage: Stage, who: Actor, state: str) -> None:
        workspaces.cancel_job(session, job_in(session, stage, state)[1], actor=who)

    def again(session: Session, stage: Stage, who: Actor, state: str) -> None:
        workspace, job = job_in(session, stage, state)
        reruns.rerun(
            session, workspace, job, actor=who, kernel=kernel_digest(), grades=stage.world.grades,
            calendar=stage.world.calendar, charge_bits=1, ticks=TICKS, now=utc_now() + timedelta(seconds=30),
        )  # fmt: skip

    def read(session: Session, stage: Stage, who: Actor, state: str) -> None:
        workspace, _ = job_in(session, stage, state)
        workspace_permissions.check_can_read(who, workspaces.facts(session, workspace))

    acts = {"cancel": cancel, "run again": again, "read": read}
    wrong = differences(stage, JOBS, [str(state) for state in JobState], acts)
    assert not wrong, "\n".join(wrong)


def test_workspaces(stage: Stage):
    def at(session: Session, stage: Stage, state: str) -> Workspace:
        workspace = session.get_one(Workspace, stage.workspace)
        workspace.state = state
        session.flush()
        return workspace

    def submit(session: Session, stage: Stage, who: Actor, state: str) -> None:
        workspaces.submit_job(
            session, at(session, stage, state), actor=who, entry="x.py", code=b"x = 1", job_id=new_id(),
            grades=stage.world.grades, charge_bits=1, ticks=TICKS,
        )  # fmt: skip

    def add(session: Session, stage: Stage, who: Actor, state: str) -> None:
        workspaces.add_member(session, at(session, stage, state), actor=who, username="outsider")

    def decide(session: Session, stage: Stage, who: Actor, state: str) -> None:
        workspace = at(session, stage, state)
        if state == "applied":
            session.execute(_approvals_of(workspace))
        workspaces.decide(session, workspace, actor=who, approve=True, reason="同意", grades=stage.world.grades)

    def see(session: Session, stage: Stage, who: Actor, state: str) -> None:
        at(session, stage, state)
        workspaces.get_workspace(session, stage.workspace, actor=who)

    acts = {"submit": submit, "add a member": add, "decide": decide, "see": see}
    wrong = differences(stage, WORKSPACES, [str(state) for state in WorkspaceState], acts)
    assert not wrong, "\n".join(wrong)


def test_what_needs_no_state(stage: Stage):
    def apply(session: Session, stage: Stage, who: Actor, _: str) -> None:
        pledge = {**stage.world.signature("researcher"), "pledge_name": who.name}
        workspaces.apply(
            session, actor=who, name="another", title="研究", purpose="研究就诊次数与年龄的关系",
            datasets=["study-data"], term_days=30, **pledge, grades=stage.world.grades,
            calendar=stage.world.calendar,
        )  # fmt: skip

    acts = {
        "apply": apply,
        "list the queue": lambda session, _, who, __: service.queue(session, who),
        "see hit rates": lambda session, _, who, __: scoring.scores(session, who),
        "see usage": lambda session, _, who, __: usage.used(session, who),
    }
    wrong = differences(stage, ALONE, ["any"], acts)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("door", ["", "/checkers", "/usage", "/{case}"])
def test_anonymous_visitors_read_nothing(stage: Stage, door: str):
    path = f"/api/v1/airlock{door.format(case=stage.request)}"
    assert anonymous(stage).get(path).status_code == 401


def test_anonymous_visitors_do_nothing(stage: Stage):
    visitor = anonymous(stage)
    for path, body in (
        (f"/api/v1/airlock/{stage.request}/vote", {"decision": "approve", "explanation": WHY}),
        (f"/api/v1/airlock/{stage.request}/view", {"purpose": "出域审查"}),
        (f"/api/v1/airlock/{stage.request}/reveal", {"file": "t.csv", "purpose": "出域审查"}),
        (f"/api/v1/airlock/outputs/{stage.output}/revoke", {"reason": "不应当可以"}),
        (f"/api/v1/workspaces/study/jobs/{stage.job}/rerun", {}),
        (f"/api/v1/workspaces/study/jobs/{stage.job}/cancel", {}),
    ):
        assert visitor.post(path, json=body).status_code in {401, 403}, path
    assert visitor.get(f"/api/v1/workspaces/study/outputs/{stage.output}/t.csv").status_code in {401, 404}


def anonymous(stage: Stage) -> TestClient:
    return TestClient(create_app(stage.world.settings), base_url="http://localhost:8000")


def test_the_tables_can_fail(stage: Stage):
    """Control: a wrong line of the table is found and named."""
    wrong = differences(stage, {"look at the case": {"author": ALL}}, ["in_review"], {"look at the case": look})
    assert "look at the case by author in in_review: expected True, was False" in wrong
    assert "look at the case by drawn in in_review: expected False, was True" in wrong


def test_two_checkers_voting_at_once_lose_and_double_no_vote(tmp_path, monkeypatch):
    """Threads on a real database: of two votes of one person one counts, of two persons both, and one decision falls."""
    monkeypatch.setattr(jobs, "Launcher", SimulatedLauncher)
    monkeypatch.setattr(jobs, "airlock_ticks", lambda: TICKS)
    with make_world(tmp_path / "home") as world:
        workspace = world.workspace("L4")
        job = world.submit(workspace, code({"t.csv": GOOD}))
        with world.database.session() as session:
            review = session.scalars(select(CodeReview)).one()
            [checker] = session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == review.id))
        people = {actor.id: actor for actor in world.users.values()}
        world.look(review.id, people[checker].username)
        assert at_once(world, review.id, [people[checker]] * 4).count(True) == 1
        world.work()
        with world.database.session() as session:
            request = service.request_of(session, session.get_one(SandboxJob, job))
            assert request is not None
            drawn = list(session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == request.id)))
        for each in drawn:
            world.look(request.id, people[each].username)
        results = at_once(world, request.id, [people[each] for each in drawn for _ in range(3)])
        assert results.count(True) == 2
        with world.database.session() as session:
            votes = session.scalars(select(Vote).where(Vote.subject_id == request.id)).all()
            assert sorted(vote.checker_id for vote in votes) == sorted(drawn)
            assert session.get_one(ReleaseRequest, request.id).state == "approved"
        world.work()
        with world.database.session() as session:
            assert session.get_one(ReleaseRequest, request.id).state == "released"
            assert len(session.scalars(select(ReleasedOutput)).all()) == 1


def at_once(world: World, case: str, voters: list[Actor]) -> list[bool]:
    """All vote as nearly at one moment as threads can; whose vote was taken."""
    together, taken = threading.Barrier(len(voters)), [False] * len(voters)

    def vote(place: int) -> None:
        together.wait()
        with suppress(OpenDataError), world.database.begin() as session:
            service.cast_vote(session, case, actor=voters[place], decision=Decision.APPROVE, explanation=WHY)
            taken[place] = True

    threads = [threading.Thread(target=vote, args=(place,)) for place in range(len(voters))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def _person(world: World, name: str, place: str, role: Role) -> None:
    organization = next(a.organization_id for a in world.users.values() if a.organization_name == place)
    from opendata.identity.models import Organization

    with world.database.begin() as session:
        user = identity.create_user(
            session, username=name, name=name, organization=session.get_one(Organization, organization), roles=[role]
        )
        world.users[name] = identity.actor_of(user)


def _as(actor: Actor, role: Role) -> Actor:
    return Actor(
        actor.id, actor.username, actor.name, actor.organization_id, actor.organization_name, frozenset({role})
    )


def _approvals_of(workspace: Workspace) -> Any:
    from sqlalchemy import delete

    from sandbox.workspaces.models import WorkspaceApproval

    return delete(WorkspaceApproval).where(WorkspaceApproval.workspace_id == workspace.id)

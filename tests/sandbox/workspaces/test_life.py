"""How a workspace is agreed to, entered, stopped, extended and ended: rows, jobs, files and ledger entries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from opendata.access import service as access
from opendata.access.errors import RequestConflict
from opendata.access.models import Grant, GrantBasis
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.identity import service as identity
from opendata.jobs import Job
from opendata.jobs.context import Resources
from opendata.ledger.models import LedgerEntry, LedgerOpening
from sandbox.workspaces import ends, service
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceInvalid, WorkspaceNotFound
from sandbox.workspaces.models import Membership, Workspace
from sandbox.workspaces.pledge import current_pledge
from sandbox.workspaces.quotas import default_quotas
from tests.sandbox.sandbox_world import World, code


def decide(world: World, identifier: str, name: str, *, approve: bool = True, reason: str = "目的明确") -> str:
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        actor = world.actor(name)
        return service.decide(
            session, workspace, actor=actor, approve=approve, reason=reason, grades=world.grades
        ).state


def state(world: World, identifier: str) -> str:
    with world.database.session() as session:
        return session.get_one(Workspace, identifier).state


def resources(world: World) -> Resources:
    return Resources(world.settings, world.database, world.vault, world.keys, world.editions)


def kinds(world: World) -> list[str]:
    """Types of the ledger's entries, in order."""
    with world.database.session() as session:
        return [entry.type for entry in session.scalars(select(LedgerEntry).order_by(LedgerEntry.index))]


def test_l4_needs_the_department_and_a_second_person(world: World):
    identifier = world.workspace("L4", approve=False)
    assert decide(world, identifier, "reviewer") == "applied"  # a further person alone opens nothing
    with world.database.session() as session:
        workspace = session.get_one(Workspace, identifier)
        waiting = service.waiting_decision(session, workspace, world.grades)
        assert waiting is not None
        assert (waiting.progress.agreed, waiting.progress.needed) == (1, 2)
        shown = service.shown_parts(session, waiting)
        assert [(part["person"], part["approve"]) for part in shown] == [("reviewer", True), (None, None)]
        assert not service.decision_queue(session, world.actor("reviewer"), world.grades)  # has decided
        assert len(service.decision_queue(session, world.actor("officer"), world.grades)) == 1
    with pytest.raises(WorkspaceConflict):
        decide(world, identifier, "reviewer")
    assert decide(world, identifier, "officer") == "approved"
    recorded = [kind for kind in kinds(world) if kind.startswith("sandbox:workspace:")]
    assert recorded[1:] == ["sandbox:workspace:approve", "sandbox:workspace:approve", "sandbox:workspace:open"]


def test_one_refusal_refuses_the_whole_and_its_reason_stays_out_of_the_ledger(world: World):
    identifier = world.workspace("L4", approve=False)
    decide(world, identifier, "reviewer")
    assert decide(world, identifier, "officer", approve=False, reason="用途与数据不符") == "rejected"
    with pytest.raises(WorkspaceConflict):
        decide(world, identifier, "officer")
    with world.database.session() as session:
        workspace = session.get_one(Workspace, identifier)
        assert workspace.decision_reason == "用途与数据不符"
        assert workspace.expires_at is None
        recorded = [each.payload for each in session.scalars(select(LedgerOpening))]
        assert any("sandbox" in each or "round" in each for each in recorded)
        assert not any("用途与数据不符" in each or "\\u7528\\u9014" in each for each in recorded)


@pytest.mark.parametrize("name", ["reviewer", "researcher", "auditor", "security", "outsider", "checker-1"])
def test_nobody_but_the_department_decides_on_its_data(world: World, name: str):
    identifier = world.workspace("L1", approve=False)
    with pytest.raises(WorkspaceDenied):
        decide(world, identifier, name)
    assert state(world, identifier) == "applied"
    with pytest.raises(WorkspaceInvalid):
        decide(world, identifier, "officer", reason=" ")


def test_a_level_shut_meanwhile_is_not_approved(world: World):
    identifier = world.workspace("L2", approve=False)
    with world.database.begin() as session:
        session.scalars(select(Dataset)).one().level = "core"
    with pytest.raises(WorkspaceDenied):
        decide(world, identifier, "officer")


def test_owner_takes_an_application_back(world: World):
    identifier = world.workspace(approve=False)
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        with pytest.raises(WorkspaceNotFound):
            service.withdraw(session, workspace, actor=world.actor("colleague"))
        service.withdraw(session, workspace, actor=world.actor("researcher"))
    with pytest.raises(WorkspaceConflict):
        decide(world, identifier, "officer")


def test_nobody_works_before_signing_the_pledge(world: World):
    identifier = world.workspace()
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        service.add_member(session, workspace, actor=world.actor("researcher"), username="colleague")
    with pytest.raises(WorkspaceDenied, match="承诺书"):
        world.submit(identifier, code({}), author="colleague")
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        pledge = current_pledge()
        with pytest.raises(WorkspaceInvalid):
            service.sign_pledge(
                session, workspace, actor=world.actor("colleague"), version=pledge.version, name="researcher"
            )
        signed = service.sign_pledge(
            session, workspace, actor=world.actor("colleague"), version=pledge.version, name="colleague"
        )
        assert signed.pledge_digest == pledge.digest
    assert "sandbox:pledge:sign" in kinds(world)
    assert world.job(world.submit(identifier, code({}), author="colleague")).state != "cancelled"


def test_a_new_text_is_signed_anew(world: World):
    identifier = world.workspace()
    with world.database.begin() as session:
        session.scalars(select(Membership)).one().pledge_digest = "0" * 64  # an earlier version
    with pytest.raises(WorkspaceDenied, match="承诺书"):
        world.submit(identifier, code({}))


def test_readers_read_and_run_nothing(world: World):
    identifier = world.workspace("L2")
    world.join(identifier, "colleague")
    job = world.submit(identifier, code({}), author="colleague")
    assert world.job(job).state == "code_review"
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        owner = world.actor("researcher")
        service.change_role(session, workspace, actor=owner, username="colleague", role="reader")
        with pytest.raises(WorkspaceDenied):
            service.change_role(session, workspace, actor=owner, username="researcher", role="reader")
        with pytest.raises(WorkspaceInvalid):
            service.change_role(session, workspace, actor=owner, username="colleague", role="owner")
    assert world.job(job).state == "cancelled"
    with pytest.raises(WorkspaceDenied):
        world.submit(identifier, code({}), author="colleague")


@pytest.mark.parametrize("how", ["removed", "suspended", "closed", "expired", "account closed"])
def test_waiting_jobs_end_with_their_right(world: World, how: str):
    """Queued for the sealed run, and in code review; the rows of the job engine end as well."""
    identifier = world.workspace("L2")
    world.join(identifier, "colleague")
    in_review = world.submit(identifier, code({}), author="colleague")
    queued = world.submit(identifier, b"#" + code({})[1:] + b" ", author="colleague")
    with world.database.begin() as session:
        service.queue_sealed(session, session.merge(world.job(queued)), now=utc_now())
    now = utc_now()
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        if how == "removed":
            service.remove_member(session, workspace, actor=world.actor("researcher"), username="colleague")
        elif how == "suspended":
            service.suspend(session, workspace, actor=world.actor("security"), reason="核查")
        elif how == "closed":
            service.close(session, workspace, actor=world.actor("officer"))
        elif how == "expired":
            workspace.expires_at = now - timedelta(seconds=1)
        else:
            session.scalars(
                select(Membership).where(Membership.user_id == world.actor("colleague").id)
            ).one().removed_at = now
    ends.sweep(resources(world))
    assert {world.job(in_review).state, world.job(queued).state} == {"cancelled"}
    with world.database.session() as session:
        assert session.get_one(Job, world.job(queued).sealed_job_id).state == "cancelled"
    world.work()
    assert world.job(queued).sealed_started_at is None
    assert kinds(world).count("sandbox:job:stop") == 2


def test_suspension_ends_every_act_until_it_is_lifted(world: World):
    identifier = world.workspace()
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        for name in ("researcher", "officer", "reviewer", "auditor"):
            with pytest.raises(WorkspaceDenied):
                service.suspend(session, workspace, actor=world.actor(name), reason="核查")
        with pytest.raises(WorkspaceConflict):
            service.lift(session, workspace, actor=world.actor("security"))
        service.suspend(session, workspace, actor=world.actor("security"), reason="核查")
        with pytest.raises(WorkspaceConflict):
            service.add_member(session, workspace, actor=world.actor("researcher"), username="colleague")
    with pytest.raises(WorkspaceConflict, match="暂停"):
        world.submit(identifier, code({}))
    with world.database.begin() as session:
        service.lift(session, session.get_one(Workspace, identifier), actor=world.actor("security"))
    world.submit(identifier, code({}))


def test_term_is_extended_by_the_same_people(world: World):
    identifier = world.workspace("L4")
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        before = workspace.expires_at
        ask = {"actor": world.actor("researcher"), "reason": "论文审稿要求补充", "calendar": world.calendar}
        for days in (0, 367):
            with pytest.raises(WorkspaceInvalid):
                service.ask_extension(session, workspace, days=days, **ask)
        service.ask_extension(session, workspace, days=60, **ask)
        with pytest.raises(WorkspaceConflict):
            service.ask_extension(session, workspace, days=60, **ask)
        assert len(service.decision_queue(session, world.actor("officer"), world.grades)) == 1
    decide(world, identifier, "officer")
    with world.database.session() as session:
        assert session.get_one(Workspace, identifier).expires_at == before  # one of two
    decide(world, identifier, "reviewer")
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        assert workspace.expires_at == before + timedelta(days=60)
        service.ask_extension(session, workspace, days=60, **ask)
    decide(world, identifier, "officer", approve=False)
    with world.database.session() as session:
        workspace = session.get_one(Workspace, identifier)
        assert (workspace.state, workspace.expires_at) == ("approved", before + timedelta(days=60))
        assert [each.state for each in service.extensions_of(session, workspace)] == ["approved", "rejected"]


def test_an_expired_workspace_opens_again_until_its_homes_are_cleared(world: World):
    identifier = world.workspace()
    home = ends.homes_of(world.settings, identifier)
    assert home.is_dir()  # the worker's own, so that it can clear it
    (home / "u1").mkdir()
    (home / "u1" / "notes.txt").write_text("x" * 5000)
    practice = practice_path(world.settings, identifier, "study-data")
    assert practice.exists()
    assert (ends.home_bytes(world.settings, identifier) or 0) >= 5000
    days = default_quotas().home_days_after_end

    def end(ago: timedelta) -> None:
        with world.database.begin() as session:
            session.get_one(Workspace, identifier).expires_at = utc_now() - ago
        ends.sweep(resources(world))

    ask = {"actor": world.actor("researcher"), "days": 9, "reason": "补充分析", "calendar": world.calendar}
    end(timedelta(seconds=1))
    assert state(world, identifier) == "expired"
    assert practice.exists()
    with world.database.begin() as session:
        service.ask_extension(session, session.get_one(Workspace, identifier), **ask)
    decide(world, identifier, "officer")
    assert state(world, identifier) == "approved"
    end(timedelta(days=days, seconds=-60))
    assert practice.exists()
    end(timedelta(days=days, seconds=1))
    assert not home.exists()
    assert not practice.exists()
    assert kinds(world)[-1] == "sandbox:workspace:clear"
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        assert workspace.cleared_at is not None
        with pytest.raises(WorkspaceConflict):
            service.ask_extension(session, workspace, **ask)
    entries = len(kinds(world))
    ends.sweep(resources(world))
    assert len(kinds(world)) == entries  # nothing is done twice


def test_clearing_that_fails_is_tried_again_and_recorded_once(world: World, monkeypatch):
    identifier = world.workspace()
    (ends.homes_of(world.settings, identifier) / "u1").mkdir()
    with world.database.begin() as session:
        long_ago = timedelta(days=default_quotas().home_days_after_end + 1)
        session.get_one(Workspace, identifier).expires_at = utc_now() - long_ago
    with monkeypatch.context() as patched:
        patched.setattr(ends.shutil, "rmtree", lambda *_, **__: None)
        ends.sweep(resources(world))
        ends.sweep(resources(world))
    assert kinds(world).count("sandbox:workspace:clear") == 1
    ends.sweep(resources(world))
    assert not ends.homes_of(world.settings, identifier).exists()
    assert kinds(world).count("sandbox:workspace:clear") == 1


def test_quota_of_the_level_stops_the_next_job(world: World):
    identifier = world.workspace("L4")
    for number in range(2):
        world.submit(identifier, code({}, number=number))  # both wait for their code review
    with pytest.raises(WorkspaceDenied, match="未结束"):
        world.submit(identifier, code({}, number=2))
    with world.database.session() as session:
        workspace = session.get_one(Workspace, identifier)
        assert workspace.bits_budget == default_quotas().of("L4").bits
        assert service.use_of(session, workspace, now=utc_now()) == (2, 2)


def test_how_many_jobs_run_is_judged_by_what_their_author_may_see(world: World):
    """The end of a sealed run frees its place at the tick, not when it happens (PRIVACY.md 14)."""
    identifier = world.workspace("L2")
    job_id = world.submit(identifier, code({}))
    start = utc_now()
    with world.database.begin() as session:
        job = session.merge(world.job(job_id))
        job.state, job.sealed_queued_at, job.sealed_started_at = "finished", start, start
        job.sealed_finished_at = start + timedelta(seconds=16)  # the next tick is at 30 s
    with world.database.session() as session:
        workspace = session.get_one(Workspace, identifier)
        running = [service.use_of(session, workspace, now=start + timedelta(seconds=s))[0] for s in (17, 29.9, 30)]
    assert running == [1, 1, 0]


def test_an_operator_needs_central_authorization_which_opens_nothing_else(world: World):
    """PRIVACY.md 28: eligible, and no more: the department still agrees, and a lost authorization stops jobs."""
    name = world.dataset("traffic", "L1")
    with world.database.begin() as session:
        firm = identity.create_organization(session, name_zh="数据运营公司", kind="operator")
        user = identity.create_user(
            session, username="operator", name="operator", organization=firm, roles=["researcher"]
        )
        world.users["operator"] = identity.actor_of(user)
        dataset_id = session.scalars(select(Dataset.id).where(Dataset.name == name)).one()

    def apply() -> str:
        with world.database.begin() as session:
            return service.apply(
                session, actor=world.actor("operator"), name="ops", title="运营", purpose="为企业提供出行统计服务",
                datasets=[name], term_days=30, **world.signature("operator"), grades=world.grades,
                calendar=world.calendar,
            ).id  # fmt: skip

    def authorize(basis: GrantBasis) -> None:
        now = utc_now()
        with world.database.begin() as session:
            session.add(
                Grant(
                    basis=basis, dataset_id=dataset_id, user_id=world.actor("operator").id, quota_per_day=1,
                    organization_id=world.actor("operator").organization_id, purpose="运营", starts_at=now,
                    expires_at=now + timedelta(days=9), created_at=now,
                )
            )  # fmt: skip

    with pytest.raises(WorkspaceDenied, match="集中授权"):
        apply()
    authorize(GrantBasis.APPLICATION)  # a grant of another kind does not make it eligible
    with pytest.raises(WorkspaceDenied, match="集中授权"):
        apply()
    authorize(GrantBasis.CENTRAL_AUTHORIZATION)
    with world.database.begin() as session:
        dataset, now = session.get_one(Dataset, dataset_id), utc_now()
        found = access.living_grant(session, dataset, world.actor("operator"), now=now)
        assert found is not None
        assert found.basis == GrantBasis.APPLICATION  # the authorization itself opens no edition
        found.revoked_at = now
        assert access.living_grant(session, dataset, world.actor("operator"), now=now) is None
        central = session.scalars(select(Grant).where(Grant.revoked_at.is_(None))).one()
        with pytest.raises(RequestConflict):
            access.issue_app_key(session, central, actor=world.actor("operator"))
    identifier = apply()
    assert state(world, identifier) == "applied"
    world.approve(identifier)
    world.submit(identifier, code({}), author="operator")
    with world.database.begin() as session:
        for grant in session.scalars(select(Grant)):
            grant.revoked_at = utc_now()
    with pytest.raises(WorkspaceDenied, match="集中授权"):
        world.submit(identifier, code({}, again=1), author="operator")

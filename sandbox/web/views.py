"""What the API says of workspaces, cases and outputs: one function a thing, used by the pages too."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.identity import Actor, User
from sandbox.airlock import scoring
from sandbox.airlock import service as airlock
from sandbox.airlock.earlier import earlier_of
from sandbox.airlock.limits import airlock_ticks
from sandbox.airlock.models import ReleasedOutput, ReleaseRequest, SeededCase, Vote
from sandbox.airlock.seeding import PLANTED
from sandbox.airlock.service import Case
from sandbox.airlock.visibility import author_view
from sandbox.contracts import MIB
from sandbox.workspaces import service as workspaces
from sandbox.workspaces import standing
from sandbox.workspaces.decisions import Decision
from sandbox.workspaces.kin import bits_spent
from sandbox.workspaces.models import SandboxJob, Workspace, WorkspaceDataset
from sandbox.workspaces.practice import NOTE
from sandbox.workspaces.quotas import default_quotas
from sandbox.workspaces.states import MemberRole
from sandbox.workspaces.visibility import bits_of

WORKSPACE_STATES: dict[str, dict[str, str]] = {
    "applied": {"zh": "待审批", "en": "waiting for a decision"},
    "approved": {"zh": "已批准", "en": "approved"},
    "rejected": {"zh": "未批准", "en": "not approved"},
    "withdrawn": {"zh": "已撤回", "en": "withdrawn"},
    "closed": {"zh": "已关闭", "en": "closed"},
    "suspended": {"zh": "已暂停", "en": "suspended"},
    "expired": {"zh": "已到期", "en": "expired"},
}

MEMBER_ROLES: dict[str, dict[str, str]] = {
    "owner": {"zh": "负责人", "en": "owner"},
    "member": {"zh": "成员", "en": "member"},
    "reader": {"zh": "读者", "en": "reader"},
}

CASE_STATES: dict[str, dict[str, str]] = {
    "submitted": {"zh": "已提交", "en": "submitted"},
    "checking": {"zh": "自动检查中", "en": "being checked"},
    "blocked": {"zh": "自动检查已阻断", "en": "blocked by the checks"},
    "in_review": {"zh": "审查中", "en": "in review"},
    "third_review": {"zh": "第三人审查中", "en": "with a third checker"},
    "approved": {"zh": "已同意", "en": "approved"},
    "releasing": {"zh": "放行中", "en": "being released"},
    "released": {"zh": "已放行", "en": "released"},
    "revoked": {"zh": "放行已撤回", "en": "release revoked"},
    "returned": {"zh": "已退回", "en": "returned"},
    "rejected": {"zh": "不同意", "en": "refused"},
}


def workspace(session: Session, found: Workspace, *, now: datetime) -> dict[str, Any]:
    """A workspace as its members, deciding reviewers and auditors see it."""
    state = workspace_state(found, now)
    return {
        "id": found.id,
        "name": found.name,
        "title": found.title,
        "purpose": found.purpose,
        "state": state,
        "state_title": WORKSPACE_STATES[state],
        "term_days": found.term_days,
        "applied_at": found.applied_at.isoformat(),
        "due_at": found.due_at.isoformat(),
        "decided_at": found.decided_at.isoformat() if found.decided_at else None,
        "decision_reason": found.decision_reason,
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        "cleared_at": found.cleared_at.isoformat() if found.cleared_at else None,
        "members": [member.username for member in workspaces.members_of(session, found)],
        "datasets": [dataset.name for dataset in workspaces.datasets_of(session, found)],
        "bits": {"spent": found.bits_spent, "budget": found.bits_budget},
    }


def workspace_state(found: Workspace, now: datetime) -> str:
    """The stored state, and ``expired`` once the term is over."""
    if found.state in {"approved", "suspended"} and found.expires_at is not None and now >= found.expires_at:
        return "expired"
    return found.state


def decision(session: Session, found: Decision, *, now: datetime) -> dict[str, Any]:
    """What waits for a decision and how far it is: every place, taken or awaited, and the clock."""
    extension = found.extension
    return {
        "kind": "extension" if extension else "application",
        "days": extension.days if extension else found.workspace.term_days,
        "reason": extension.reason if extension else None,
        "agreed": found.progress.agreed,
        "needed": found.progress.needed,
        "due_at": found.due_at.isoformat(),
        "overdue": now > found.due_at,
        "parts": workspaces.shown_parts(session, found),
    }


def members(session: Session, found: Workspace, *, digest: str) -> list[dict[str, Any]]:
    """Who is in a workspace as what, and whether they signed the pledge as it stands."""
    order = {MemberRole.OWNER: 0, MemberRole.MEMBER: 1, MemberRole.READER: 2}
    rows = []
    for each in workspaces.memberships_of(session, found):
        person = session.get_one(User, each.user_id)
        rows.append(
            {
                "username": person.username,
                "name": person.name,
                "organization": {
                    "zh": person.organization.name_zh,
                    "en": person.organization.name_en or person.organization.name_zh,
                },
                "role": each.role,
                "role_title": MEMBER_ROLES[each.role],
                "signed_at": each.pledged_at.isoformat() if each.pledged_at and each.pledge_digest == digest else None,
            }
        )
    return sorted(rows, key=lambda row: (order[MemberRole(row["role"])], row["username"]))


def history(session: Session, found: Workspace, *, without: int | None = None) -> list[dict[str, Any]]:
    """Every part of every decision on a workspace, oldest first, one that is still open left out."""
    return [
        {
            "round": part.round,
            "organization": workspaces.organization_title(session, part.organization_id),
            "person": session.get_one(User, part.decider_id).name,
            "approve": part.approve,
            "reason": part.reason,
            "at": part.decided_at.isoformat(),
        }
        for number in (0, *(each.number for each in workspaces.extensions_of(session, found)))
        if number != without
        for part in workspaces.parts_of(session, found, number)
    ]


def running(session: Session, *, now: datetime) -> list[dict[str, Any]]:
    """Workspaces that run or are suspended, for those who may stop them."""
    found = session.scalars(
        select(Workspace).where(Workspace.state.in_(["approved", "suspended"])).order_by(Workspace.expires_at)
    )
    return [workspace(session, each, now=now) for each in found]


def quota(session: Session, found: Workspace, grades: Grades, *, now: datetime) -> dict[str, Any]:
    """Used and allowed of each quota; ``per_job`` is what one sealed run costs, ``jobs`` how many are left.

    ``spent`` counts what kin spent on the same data, as the budget does (PRIVACY.md 17).
    """
    ticks = airlock_ticks()
    level = workspaces.door_of(session, found, grades).level
    allowed = default_quotas().of(level)
    running, today = workspaces.use_of(session, found, now=now, ticks=ticks)
    spent = bits_spent(session, found)
    return {
        "level": level,
        "level_title": DataLevel(level).titles,
        "bits": _bits(spent, found.bits_budget, bits_of(ticks)),
        "jobs_at_once": {"used": running, "limit": allowed.jobs_at_once},
        "jobs_a_day": {"used": today, "limit": allowed.jobs_a_day},
        "members": {"used": len(workspaces.memberships_of(session, found)), "limit": allowed.members},
        "home_bytes": allowed.home_mib * MIB,
    }


def _bits(spent: int, budget: int, per_job: int) -> dict[str, int]:
    left = max(0, budget - spent)
    return {"spent": spent, "budget": budget, "per_job": per_job, "left": left, "jobs": left // per_job}


def dataset(session: Session, found: WorkspaceDataset) -> dict[str, Any]:
    """A dataset of a workspace and what stands under ``/data``; ``lack`` says what is missing for working with it."""
    entry = session.get_one(Dataset, found.dataset_id)
    lack, here = standing.lack_of(session, found), not standing.gone(session, found)
    return {
        "name": found.name,
        "title": {"zh": entry.title_zh, "en": entry.title_en},
        "level": entry.level,
        "level_title": DataLevel(entry.level).titles if entry.level else None,
        "kind": found.kind if here else None,
        "edition": found.edition_id if here and found.kind == standing.EDITION else None,
        "lack": lack,
        "lack_title": lack.text if lack else None,
        "path": f"/data/{found.name}/{found.name}.parquet",
        "rows": found.rows if here else None,
        "prepared_at": found.prepared_at.isoformat() if found.prepared_at and here else None,
    }


def practice(session: Session, found: WorkspaceDataset) -> dict[str, Any]:
    """The same with columns and the warning that practice results mean nothing."""
    shown = dataset(session, found)
    note = {"practice": NOTE, "edition": {"zh": "已发布的版本", "en": "the published edition"}}.get(str(shown["kind"]))
    note = note or shown["lack_title"]
    return shown | {"columns": found.columns or [], "note": note, "digest": found.digest}


def job(session: Session, found: SandboxJob, *, now: datetime) -> dict[str, Any]:
    """A job as members see it."""
    return author_view(found, airlock.request_of(session, found), now=now, ticks=airlock_ticks())


def output(found: ReleasedOutput) -> dict[str, Any]:
    """A released output."""
    return {
        "id": found.id,
        "files": found.files,
        "record_sha256": found.record_digest,
        "ledger_index": found.ledger_index,
        "released_at": found.released_at.isoformat(),
    }


def revoked(found: ReleasedOutput) -> dict[str, Any]:
    """An output that was taken back, for members: its digest, when and why; nothing to download."""
    return {
        "id": found.id,
        "record_sha256": found.record_digest,
        "released_at": found.released_at.isoformat(),
        "revoked_at": found.revoked_at.isoformat() if found.revoked_at else None,
        "reason": found.revoke_reason,
    }


def overseen(session: Session, found: ReleasedOutput) -> dict[str, Any]:
    """An output as those who may revoke it see it: whose, what and when; no content."""
    job = session.get_one(SandboxJob, session.get_one(ReleaseRequest, found.request_id).job_id)
    place = session.get_one(Workspace, found.workspace_id)
    return output(found) | {
        "workspace": {"name": place.name, "title": place.title},
        "entry": job.entry,
        "level": job.level,
        "level_title": DataLevel(job.level).titles,
        "revoked_at": found.revoked_at.isoformat() if found.revoked_at else None,
        "reason": found.revoke_reason,
    }


def case(session: Session, found: Case, actor: Actor, *, now: datetime) -> dict[str, Any]:
    """A case as its checker sees it: no cell of it, and no vote of another before all are in."""
    votes = airlock.votes_of(session, found, viewer=actor)
    measured = scoring.feedback(session, found)
    return {
        "id": found.id,
        "kind": found.kind,
        "workspace": found.title,
        "purpose": found.purpose,
        "entry": found.entry,
        "level": found.level,
        "level_title": DataLevel(found.level).titles,
        "state": str(found.state),
        "state_title": CASE_STATES.get(str(found.state), {"zh": str(found.state), "en": str(found.state)}),
        "needed": found.needed,
        "blocking": found.blocking,
        "created_at": found.created_at.isoformat(),
        "due_at": found.due_at.isoformat() if found.due_at else None,
        "overdue": found.due_at is not None and now > found.due_at,
        "looked": airlock.has_looked(session, found, actor),
        "voted": any(each.checker_id == actor.id for each in votes),
        "votes": [vote(session, each, actor) for each in votes],
        "earlier": earlier_of(session, found),
        "feedback": _feedback(measured),
    }


def _feedback(measured: SeededCase | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {"hit": measured.hit, "good": measured.good, "planted": PLANTED[measured.template]}


def vote(session: Session, found: Vote, viewer: Actor) -> dict[str, Any]:
    """A vote with its explanation, for checkers."""
    voter = session.get_one(User, found.checker_id)
    return {
        "checker": voter.name,
        "own": found.checker_id == viewer.id,
        "decision": found.decision,
        "explanation": found.explanation,
        "forward": found.forward,
        "cast_at": found.cast_at.isoformat(),
    }

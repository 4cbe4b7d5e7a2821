"""Deciding on an application or an extension: each person's part is recorded; the last one needed opens the workspace.

The reasons stay with the workspace for those who may see it; the ledger records who, for which organisation, and how.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from opendata.db import utc_now
from opendata.identity import Actor, Organization, Role, User
from opendata.jobs import enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from sandbox.workspaces import approval, rules
from sandbox.workspaces.approval import ApprovalRule, Part, Progress, Question
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceError
from sandbox.workspaces.extensions import extend, move_extension, waiting_extension
from sandbox.workspaces.lookups import door_of, facts, sources
from sandbox.workspaces.models import Workspace, WorkspaceApproval, WorkspaceExtension
from sandbox.workspaces.quotas import default_quotas
from sandbox.workspaces.states import (
    WORKSPACE_TRANSITIONS,
    ExtensionState,
    WorkspaceState,
    check_transition,
)

PREPARE_JOB: Final = "sandbox.prepare"
APPLICATION: Final = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What waits for a decision: the application (round 0) or an extension, its clock, and how far it is."""

    workspace: Workspace
    extension: WorkspaceExtension | None
    question: Question
    parts: tuple[WorkspaceApproval, ...]
    progress: Progress

    @property
    def round(self) -> int:
        """The number its parts are kept under."""
        return self.extension.number if self.extension else APPLICATION

    @property
    def due_at(self) -> datetime:
        """When it should be decided."""
        return self.extension.due_at if self.extension else self.workspace.due_at


def decide(
    session: Session,
    workspace: Workspace,
    *,
    actor: Actor,
    approve: bool,
    reason: str,
    grades: Grades,
    now: datetime | None = None,
) -> Workspace:
    """Take part in what waits for a decision; a reason is always needed. The last part needed carries it out.

    Raises WorkspaceDenied (not this person's to decide), WorkspaceConflict (nothing waits, decided already).
    """
    now = now or utc_now()
    session.refresh(workspace, with_for_update=True)
    waiting = waiting_decision(session, workspace, grades)
    if waiting is None:
        raise WorkspaceConflict("没有等待决定的申请 · nothing waits for a decision")
    approval.check_can_decide(actor, waiting.question, map(_part, waiting.parts))
    rules.check_reason(reason)
    if approve:
        door_of(session, workspace, grades)
    verb = "approve" if approve else "reject"
    payload = {"round": waiting.round, "organization": actor.organization_id}
    append(session, AuditEvent(f"sandbox:workspace:{verb}", actor.id, f"workspace:{workspace.id}", now, payload))
    part = WorkspaceApproval(
        workspace_id=workspace.id,
        round=waiting.round,
        decider_id=actor.id,
        organization_id=actor.organization_id,
        approve=approve,
        reason=reason.strip(),
        decided_at=now,
    )
    session.add(part)
    try:
        session.flush()
    except IntegrityError:
        raise WorkspaceConflict("您已经作出决定 · you have decided already") from None
    reached = approval.progress([*map(_part, waiting.parts), _part(part)], waiting.question)
    if reached.outcome is not None:
        _carry_out(session, waiting, outcome=reached.outcome, part=part, grades=grades, now=now)
    return workspace


def waiting_decision(session: Session, workspace: Workspace, grades: Grades) -> Decision | None:
    """The application or extension of this workspace that waits for a decision, if there is one."""
    extension = waiting_extension(session, workspace)
    if extension is None and workspace.state != WorkspaceState.APPLIED:
        return None
    parts = tuple(parts_of(session, workspace, extension.number if extension else APPLICATION))
    asked = question_of(session, workspace, grades)
    return Decision(workspace, extension, asked, parts, approval.progress([_part(each) for each in parts], asked))


def decision_queue(session: Session, actor: Actor, grades: Grades) -> list[Decision]:
    """What waits for this person's part, most urgent first."""
    if not actor.roles & {Role.REVIEWER, Role.DATA_OFFICER}:
        return []
    asked = select(WorkspaceExtension.workspace_id).where(WorkspaceExtension.state == ExtensionState.APPLIED)
    found = session.scalars(
        select(Workspace).where((Workspace.state == WorkspaceState.APPLIED) | Workspace.id.in_(asked)),
    )
    waiting = [decision for each in found if (decision := waiting_decision(session, each, grades)) is not None]
    return sorted((each for each in waiting if can_decide(actor, each)), key=lambda each: each.due_at)


def can_decide(actor: Actor, decision: Decision) -> bool:
    """The twin of the check, for queues and templates. Somebody whose part would change nothing is not asked."""
    try:
        approval.check_can_decide(actor, decision.question, map(_part, decision.parts))
    except WorkspaceError:
        return False
    ours = actor.organization_id in decision.progress.missing and approval.is_controller(actor, decision.question)
    return ours or decision.progress.further_missing > 0


def question_of(session: Session, workspace: Workspace, grades: Grades) -> Question:
    """Who must agree, by the strictest of the datasets' rules."""
    known = facts(session, workspace)
    rows = [
        grades.workspaces(DataLevel(each.level) if each.level else None, negative_list=each.negative_list)
        for each in sources(session, workspace)
    ]
    rule = approval.strictest([ApprovalRule(row.controllers, row.others, row.persons) for row in rows])
    involved = known.member_ids | {workspace.owner_id}
    deciding = rule.controllers | rule.others
    outsider = any(
        deciding.intersection(user.roles)
        for user in session.scalars(
            select(User).where(User.active, User.organization_id.not_in(known.organization_ids)),
        )
        if rule.others.intersection(user.roles) or user.organization_id in known.providing_organizations
    )
    return Question(
        providers=known.providing_organizations,
        involved_persons=involved,
        own_organizations=known.organization_ids,
        rule=rule,
        outsider_there=outsider,
    )


def parts_of(session: Session, workspace: Workspace, round_: int) -> list[WorkspaceApproval]:
    """The parts of one decision, in order."""
    return list(
        session.scalars(
            select(WorkspaceApproval)
            .where(WorkspaceApproval.workspace_id == workspace.id, WorkspaceApproval.round == round_)
            .order_by(WorkspaceApproval.decided_at),
        ),
    )


def shown_parts(session: Session, decision: Decision) -> list[dict[str, Any]]:
    """Every place of a decision for pages: which organisation, who agreed with what reason, or that it is awaited."""
    shown = [_shown(session, part) for part in decision.parts]
    missing = [session.get_one(Organization, each) for each in sorted(decision.progress.missing)]
    return [*shown, *map(_awaited, missing), *([_awaited(None)] * decision.progress.further_missing)]


def organization_title(session: Session, organization_id: str) -> dict[str, str]:
    """The name of an organisation in both languages."""
    return _title(session.get_one(Organization, organization_id))


def _carry_out(
    session: Session, decision: Decision, *, outcome: str, part: WorkspaceApproval, grades: Grades, now: datetime
) -> None:
    workspace, extension = decision.workspace, decision.extension
    if extension is not None:
        move_extension(extension, ExtensionState(outcome))
        extension.decided_at = now
        if outcome == "approved":
            extend(session, workspace, extension.days, now)
        return
    check_transition(WORKSPACE_TRANSITIONS, WorkspaceState(workspace.state), WorkspaceState(outcome))
    workspace.state = WorkspaceState(outcome)
    workspace.decided_by, workspace.decided_at, workspace.decision_reason = part.decider_id, now, part.reason
    if outcome == "approved":
        workspace.expires_at = now + timedelta(days=workspace.term_days)
        workspace.bits_budget = default_quotas().of(door_of(session, workspace, grades).level).bits
        append(session, AuditEvent("sandbox:workspace:open", None, f"workspace:{workspace.id}", now))
        enqueue(session, PREPARE_JOB, {"workspace_id": workspace.id}, actor_id=part.decider_id)


def _part(row: WorkspaceApproval) -> Part:
    return Part(row.decider_id, row.organization_id, row.approve)


def _shown(session: Session, part: WorkspaceApproval) -> dict[str, Any]:
    return {
        "organization": _title(session.get_one(Organization, part.organization_id)),
        "person": session.get_one(User, part.decider_id).name,
        "approve": part.approve,
        "reason": part.reason,
        "at": part.decided_at.isoformat(),
    }


def _awaited(organization: Organization | None) -> dict[str, Any]:
    anybody = {"zh": "另一位审核人员（其他机构）", "en": "another reviewer (of another organisation)"}
    title = anybody if organization is None else _title(organization)
    return {"organization": title, "person": None, "approve": None, "reason": None, "at": None}


def _title(organization: Organization) -> dict[str, str]:
    return {"zh": organization.name_zh, "en": organization.name_en or organization.name_zh}

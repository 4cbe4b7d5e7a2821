"""Reproducible reruns: the same code over the same intakes in the same environment, as a sealed run of its own.

Source: SATRE 2.1.11. A rerun needs no new review of code and passes the airlock like every run: the author learns
nothing early, the checkers see whether its canonical files are those of the first run. What cannot be the same any
more (an erased intake, another kernel lock) is said, and nothing runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.catalog.workdays import WorkCalendar
from opendata.db import new_id, utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.models import Intake, IntakeState
from sandbox.airlock import service
from sandbox.airlock.errors import AirlockConflict
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.visibility import author_state
from sandbox.workspaces import permissions, rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.imports import still_mounted
from sandbox.workspaces.kin import bits_spent
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.quotas import check_jobs, default_quotas
from sandbox.workspaces.standing import Lack, check_complete
from sandbox.workspaces.states import JobState
from sandbox.workspaces.submissions import use_of
from sandbox.workspaces.visibility import Ticks

REPEATABLE: Final = frozenset({"finished", "released", "returned", "rejected"})
"""States, as the author sees them, from which a job may be run again. What was taken back is submitted anew."""


def rerun(
    session: Session,
    workspace: Workspace,
    first: SandboxJob,
    *,
    actor: Actor,
    kernel: str | None,
    grades: Grades,
    calendar: WorkCalendar,
    charge_bits: int,
    ticks: Ticks,
    now: datetime | None = None,
) -> SandboxJob:
    """Queue the job again. ``kernel`` is the present lock's digest.

    Raises WorkspaceDenied (right, budget, quota), WorkspaceConflict (not live), AirlockConflict (what changed).
    """
    now = now or utc_now()
    check_may_rerun(session, workspace, first, actor=actor, kernel=kernel, ticks=ticks, now=now)
    rules.check_budget(bits_spent(session, workspace), charge_bits, workspace.bits_budget)
    door = workspaces.door_of(session, workspace, grades)
    running, today = use_of(session, workspace, now=now, ticks=ticks)
    check_jobs(default_quotas().of(door.level), running=running, today=today)
    job = SandboxJob(
        id=new_id(),
        workspace_id=workspace.id,
        author_id=actor.id,
        entry=first.entry,
        code_digest=first.code_digest,
        scope_digest=first.scope_digest,
        code_object=first.code_object,
        state=JobState.CODE_REVIEW,  # where its first run stood when its code was accepted
        level=door.level,
        created_at=now,
        dry_result=first.dry_result,
        dry_findings=first.dry_findings,
        dry_shape=first.dry_shape,
        bits_charged=charge_bits,
        imports=first.imports,
        reproduces_id=first.id,
    )
    workspace.bits_spent = Workspace.bits_spent + charge_bits
    session.add(job)
    session.flush()
    payload = {"job": job.id, "reproduces": first.id, "code": first.code_digest}
    append(session, AuditEvent("sandbox:job:rerun", actor.id, f"workspace:{workspace.id}", now, payload))
    if door.code_review and service.approved_code(session, job.scope_digest) is None:
        service.open_code_review(session, job, calendar=calendar, now=now)  # the level has risen since
    else:
        workspaces.queue_sealed(session, job, now=now)
    return job


def check_may_rerun(
    session: Session,
    workspace: Workspace,
    first: SandboxJob,
    *,
    actor: Actor,
    kernel: str | None,
    ticks: Ticks,
    now: datetime,
) -> None:
    """Raise unless this person may have this job run again now, budget and quotas aside."""
    permissions.check_can_work(actor, workspaces.facts(session, workspace))
    rules.check_live(workspace.state, workspace.expires_at, now)
    check_complete(session, workspace, needed={Lack.WITHDRAWN})
    if author_state(first, service.request_of(session, first), now=now, ticks=ticks) not in REPEATABLE:
        raise AirlockConflict(
            "只能重跑密封运行已结束、放行未被撤回的作业 · "
            "only a job whose sealed run has ended and whose release was not revoked can be run again",
        )
    check_same(session, workspace, first, kernel=kernel)


def check_same(session: Session, workspace: Workspace, first: SandboxJob, *, kernel: str | None) -> None:
    """Raise AirlockConflict, naming what changed, unless intakes, imports and environment are those of ``first``."""
    intakes = first.sealed_intakes or {}
    live = set(
        session.scalars(
            select(Intake.id).where(Intake.id.in_(set(intakes.values())), Intake.state != IntakeState.ERASED)
        )
    )
    gone = sorted(name for name, intake in intakes.items() if intake not in live)
    if gone or not intakes:
        names = ", ".join(gone)
        raise AirlockConflict(
            f"不能重跑：当时的数据批次已销毁（{names}） · "
            f"cannot be run again: the intake it ran on was destroyed ({names})",
        )
    if not still_mounted(session, workspace, first.imports):
        raise AirlockConflict(
            "不能重跑：当时的导入数据已移除 · cannot be run again: an import it used was removed",
        )
    if kernel is None or kernel != first.kernel_digest:
        then, today = (first.kernel_digest or "–")[:12], (kernel or "–")[:12]
        raise AirlockConflict(
            f"不能重跑：软件环境已变，kernel.lock 当时为 {then}，现在为 {today} · "
            f"cannot be run again: the environment changed, kernel.lock was {then} and is {today}",
        )


can_rerun = permissions.permits(check_may_rerun)


def reproduction(first: SandboxJob, before: Sequence[Mapping[str, Any]], files: Sequence[Mapping[str, Any]]) -> dict:
    """How a rerun's canonical files compare with the first's, by digest. For checkers' eyes only."""
    then = {str(file["name"]): str(file["sha256"]) for file in before}
    now = {str(file["name"]): str(file["sha256"]) for file in files}
    return {
        "of": first.id,
        "identical": then == now,
        "different": sorted(name for name in then.keys() & now.keys() if then[name] != now[name]),
        "missing": sorted(then.keys() - now.keys()),
        "new": sorted(now.keys() - then.keys()),
    }


def reproduced_from(session: Session, job: SandboxJob, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """For the released record: which job this one repeats, and, if that one was released, whether alike."""
    if job.reproduces_id is None:
        return None
    first = session.get_one(SandboxJob, job.reproduces_id)
    request = service.request_of(session, first)
    output = request and session.scalar(select(ReleasedOutput).where(ReleasedOutput.request_id == request.id))
    found: dict[str, Any] = {"job": first.id}
    if output is not None:
        found |= {"output": output.id, "identical": bool((run.get("reproduction") or {}).get("identical"))}
    return found

"""What the author of a job may see, in one function: every page and API answer about a job is built here.

Source: PRIVACY.md 14. Up to the sealed run everything is about practice data and is shown. From then on the answer
depends only on ids, times the author caused, and the fixed state at the last tick; after the votes also on the fixed
outcome and, for a refusal, one of a few fixed reasons.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sandbox.airlock.models import ReleaseRequest
from sandbox.airlock.rules import FORWARD_TEXT, Forward
from sandbox.airlock.states import DECIDED, RequestState
from sandbox.workspaces.models import SandboxJob
from sandbox.workspaces.states import JobState
from sandbox.workspaces.visibility import IN_SEALED_PHASE, Ticks, sealed_state

STATE_TITLES: Final[dict[str, dict[str, str]]] = {
    "submitted": {"zh": "已提交，等待试运行", "en": "submitted, waiting for its dry run"},
    "dry_running": {"zh": "正在仿真数据上试运行", "en": "dry run on practice data"},
    "dry_failed": {"zh": "试运行未通过", "en": "the dry run did not pass"},
    "code_review": {"zh": "代码审查中", "en": "code under review"},
    "code_rejected": {"zh": "代码未通过审查", "en": "code not accepted"},
    "queued": {"zh": "密封运行：排队中", "en": "sealed run: queued"},
    "running": {"zh": "密封运行：运行中", "en": "sealed run: running"},
    "finished": {"zh": "密封运行：已结束，等待审查", "en": "sealed run: finished, waiting for checkers"},
    "cancelled": {"zh": "已取消", "en": "cancelled"},
    "unavailable": {"zh": "沙箱未开放，没有运行", "en": "the sandbox door is closed; nothing ran"},
    "released": {"zh": "产出已放行", "en": "output released"},
    "returned": {"zh": "产出被退回", "en": "output returned"},
    "rejected": {"zh": "产出未予放行", "en": "output refused"},
    "revoked": {"zh": "放行已撤回", "en": "release revoked"},
}
_OUTCOMES: Final = {
    RequestState.RELEASED: "released",
    RequestState.RETURNED: "returned",
    RequestState.REJECTED: "rejected",
    RequestState.REVOKED: "revoked",
}


def author_view(job: SandboxJob, request: ReleaseRequest | None, *, now: datetime, ticks: Ticks) -> dict[str, Any]:
    """The one answer about a job its workspace's members get. The same members in every state, in one order."""
    state = author_state(job, request, now=now, ticks=ticks)
    forwarded = request.forwarded if request is not None and state in {"returned", "rejected"} else None
    return {
        "id": job.id,
        "entry": job.entry,
        "submitted_at": job.created_at.isoformat(),
        "reproduces": job.reproduces_id,
        "state": state,
        "state_title": STATE_TITLES[state],
        "dry_run": _dry_run(job),
        "message": FORWARD_TEXT[Forward(forwarded)] if forwarded else None,
    }


def author_state(job: SandboxJob, request: ReleaseRequest | None, *, now: datetime, ticks: Ticks) -> str:
    """The state shown: the job's own before raw data, then a fixed one, then the outcome of the votes."""
    if JobState(job.state) not in IN_SEALED_PHASE or job.sealed_queued_at is None:
        return job.state
    shown = sealed_state(
        queued_at=job.sealed_queued_at,
        started_at=job.sealed_started_at,
        finished_at=job.sealed_finished_at,
        now=now,
        ticks=ticks,
    )
    if shown == "finished" and request is not None and RequestState(request.state) in DECIDED:
        return _OUTCOMES.get(RequestState(request.state), shown)
    return shown


def _dry_run(job: SandboxJob) -> dict[str, Any] | None:
    """Everything about the dry run: it met practice data only."""
    if job.dry_result is None:
        return None
    return {**job.dry_result, "findings": job.dry_findings or []}

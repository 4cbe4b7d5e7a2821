"""The sealed run: the same code in the same jail on raw data; only the airlock sees what comes out.

However a run ends, the author sees what every author sees; whatever breaks, nothing can leave.
"""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from opendata.catalog import workdays
from opendata.db import utc_now
from opendata.errors import NotFoundError
from opendata.jobs.context import JobContext
from sandbox import contracts
from sandbox.airlock import service
from sandbox.airlock.checking import has_package
from sandbox.airlock.planting import plant
from sandbox.airlock.reruns import check_same
from sandbox.airlock.running import run_code, usage_of
from sandbox.airlock.sources import kernel_digest, load_grades, read_object, sources_of
from sandbox.contracts import BadContract, JobResult, Quiet
from sandbox.errors import SandboxError
from sandbox.execution.client import Launcher
from sandbox.imports.runs import sealed_inputs
from sandbox.workspaces import rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceError
from sandbox.workspaces.imports import still_mounted
from sandbox.workspaces.kin import kin
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.runs import Feeder, feed_parquet
from sandbox.workspaces.standing import Lack, check_complete
from sandbox.workspaces.states import JobState
from sandbox.workspaces.visibility import Ticks

NEEDED: Final = frozenset({Lack.WITHDRAWN, Lack.ERASED})
"""Without a published edition there are no limits, without its intake no table; a rerun has the intake of its own."""


def begin(context: JobContext, job_id: str) -> bool:
    """Right, level and intakes once more at the very start; the request exists from here on, whatever happens."""
    now = utc_now()
    grades = load_grades(context)
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        if JobState(job.state) not in {JobState.SEALED_QUEUED, JobState.SEALED_RUNNING}:
            return False
        workspace = session.get_one(Workspace, job.workspace_id)
        if JobState(job.state) is JobState.SEALED_QUEUED:
            try:
                rules.check_live(workspace.state, workspace.expires_at, now)
                door = workspaces.door_of(session, workspace, grades)
                if job.author_id not in workspaces.facts(session, workspace).member_ids:
                    raise WorkspaceError("提交人已不是成员 · the author is no member any more")  # noqa: TRY301
                if not still_mounted(session, workspace, job.imports):
                    raise WorkspaceError("导入已撤回 · an import was withdrawn")  # noqa: TRY301
                check_complete(session, workspace, needed={Lack.WITHDRAWN} if job.reproduces_id else NEEDED)
                intakes = _intakes_to_repeat(session, workspace, job)
                sources = sources_of(session, workspace, intakes=intakes)
            except WorkspaceError:
                workspaces.move_job(job, JobState.CANCELLED)
                return False
            job.sealed_intakes = {source.name: source.intake_id or "" for source in sources}
            job.level = door.level
            job.kernel_digest = kernel_digest()
            workspaces.move_job(job, JobState.SEALED_RUNNING)
            job.sealed_started_at = now
            service.open_request(session, job, checkers=door.checkers, now=now)
        return True


def run(context: JobContext, launcher: Launcher, ticks: Ticks, job_id: str) -> None:
    """Run on raw data. However it ends, the end is recorded and the chain goes on."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, job.workspace_id)
        entry, name, intakes = job.entry, job.code_object, dict(job.sealed_intakes or {})
        imports = dict(job.imports or {})
        quiet = _quiet(session, job, workspace, ticks)
        if has_package(session, job):  # its output was checked before a crash: nothing is run twice
            return
    result: JobResult
    content = b""
    try:
        inputs = [(f"/data/{n}/{n}.parquet", _raw_feeder(context, intake)) for n, intake in sorted(intakes.items())]
        inputs += sealed_inputs(context, workspace.id, imports)
        code = read_object(context, name)
        ran = run_code(
            context,
            launcher,
            run_name(job_id),
            workspace.id,
            "sealed",
            entry=entry,
            code=code,
            inputs=inputs,
            quiet=quiet,
        )
        result, content = ran.result, ran.content
    except (SandboxError, NotFoundError, BadContract):
        result = JobResult("killed", "unavailable", None, 0.0, None)
    stored = f"sealed-{job_id}"
    context.vault.put_object(stored, io.BytesIO(content))
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        job.sealed_object = stored
        job.sealed_result = {"state": result.state, "reason": result.reason}
        job.usage = {**(job.usage or {}), "sealed": usage_of(result)}


def wait_for_tick(context: JobContext, launcher: Launcher, ticks: Ticks, job_id: str) -> str:
    """Nothing that others can watch, the ledger's growth included, happens at any other moment than a tick.

    It is the tick at which the launcher lets the sessions go on; without one, of this job's own ticks the next.
    """
    with context.database.session() as session:
        queued = session.get_one(SandboxJob, job_id).sealed_queued_at
    assert queued is not None
    try:
        settled = launcher.settle(run_name(job_id))
    except SandboxError:
        settled = None
    if settled is None:
        tick = ticks.next_at(queued, utc_now())
    else:
        tick = ticks.meant_at(queued, datetime.fromtimestamp(settled, UTC))
    while (left := (tick - utc_now()).total_seconds()) > 0:
        time.sleep(min(left, 5.0))
    return tick.isoformat()


def run_name(job_id: str) -> str:
    """The name by which the launcher knows a job's sealed run."""
    return f"{job_id}-sealed"


def start_review(context: JobContext, job_id: str, tick: str) -> None:
    """Let the checkers have it, and let the author see that it ended."""
    now = utc_now()
    calendar = workdays.load(context.settings)
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        request = service.request_of(session, job)
        assert request is not None
        service.start_review(session, request, blocking=request.blocking_findings, calendar=calendar, now=now)
        if JobState(job.state) is JobState.SEALED_RUNNING:
            workspaces.move_job(job, JobState.FINISHED)
            job.sealed_finished_at = datetime.fromisoformat(tick)


def _intakes_to_repeat(session: Session, workspace: Workspace, job: SandboxJob) -> dict[str, str] | None:
    """For a rerun, the intakes of the run it repeats, if all still is as it was then."""
    if job.reproduces_id is None:
        return None
    first = session.get_one(SandboxJob, job.reproduces_id)
    check_same(session, workspace, first, kernel=kernel_digest())
    return first.sealed_intakes


def _quiet(session: Session, job: SandboxJob, workspace: Workspace, ticks: Ticks) -> Quiet:
    """Whose sessions stand still while the job runs, and from when its ticks count."""
    assert job.sealed_queued_at is not None
    return Quiet(
        level=job.level,
        queued_at=job.sealed_queued_at.timestamp(),
        ticks=contracts.Ticks(base_s=ticks.base_s, wall_s=ticks.wall_s),
        kin=tuple(sorted(kin(session, workspace) - {workspace.id})),
    )


def seed(context: JobContext, job_id: str) -> int:
    """With a real request a seeded one may come in, for another checker."""
    with context.database.session() as session:
        request = service.request_of(session, session.get_one(SandboxJob, job_id))
    return plant(context, request.id, now=utc_now()) if request is not None else 0


def _raw_feeder(context: JobContext, intake_id: str) -> Feeder:
    return feed_parquet(lambda: context.vault.read_table(intake_id))

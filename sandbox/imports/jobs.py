"""The durable jobs of the import airlock. Each step may run again after a crash and doubles nothing."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from opendata.db import utc_now
from opendata.errors import JobFailed, NotFoundError
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.models import Intake
from sandbox.errors import SandboxError
from sandbox.imports import mounting, runs, scanning, steps
from sandbox.imports.models import Import
from sandbox.imports.states import ImportState
from sandbox.workspaces.imports import counts_object
from sandbox.workspaces.models import WorkspaceDataset

BROKEN: Final = (
    "检查没有完成：服务内部出错，请重新上传 · the scan did not finish because the service failed; upload it again"
)
UNFINISHED: Final = (
    "挂载没有完成：服务内部出错，请重新上传 · mounting did not finish because the service failed; upload it again"
)
ENDED: Final = frozenset({ImportState.REJECTED, ImportState.REFUSED, ImportState.WITHDRAWN})


def scan(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.import_scan``: read, profile, look for person keys; or one clear reason why not."""
    import_id = arguments["import_id"]
    if not context.step("begin", lambda each: scanning.begin(context, each), import_id):
        return
    try:
        context.progress("read", 0.1)
        sentence = context.step("read", lambda each: scanning.read(context, each), import_id)
        if not sentence:
            context.progress("describe", 0.5)
            context.step("describe", lambda each: scanning.describe(context, each), import_id)
            context.step("accept", lambda each: scanning.accept(context, each), import_id)
            return
    except JobFailed:
        context.step("fail", lambda each: scanning.reject(context, each, BROKEN), import_id)
        context.step("destroy", lambda each: _destroy(context, each), import_id)
        raise
    context.step("reject", lambda each: scanning.reject(context, each, sentence), import_id)
    context.step("destroy", lambda each: _destroy(context, each), import_id)


def mount(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.import_mount``: compare with earlier versions, count, mount, hand to the launcher."""
    import_id = arguments["import_id"]
    try:
        sentence = context.step("compare", lambda each: mounting.compare(context, each), import_id)
        if not sentence:
            context.step("count", lambda each: mounting.count(context, each), import_id)
            sentence = context.step("mount", lambda each: mounting.mount(context, each), import_id)
    except JobFailed:
        context.step("fail", lambda each: mounting.refuse(context, each, UNFINISHED), import_id)
        context.step("destroy", lambda each: _destroy(context, each), import_id)
        raise
    if sentence:
        context.step("refuse", lambda each: mounting.refuse(context, each, sentence), import_id)
        context.step("destroy", lambda each: _destroy(context, each), import_id)


def destroy(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.import_destroy``: the launcher's copy goes, then the data key; what ended was recorded before."""
    import_id = arguments["import_id"]
    context.step("hand over", lambda each: _hand_over(context, each), import_id)
    context.step("destroy", lambda each: _destroy(context, each), import_id)


def open_for_sessions(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.import_open``: put a workspace's imports into the launcher's memory, for a session to start."""
    workspace_id = arguments["workspace_id"]
    context.step("hand over", lambda each: runs.hand_over(context, each), workspace_id)


def _hand_over(context: JobContext, import_id: str) -> bool:
    """Take a withdrawn import out of the launcher's memory; without a launcher there is no memory to take it from."""
    with context.database.session() as session:
        workspace_id = session.get_one(Import, import_id).workspace_id
    try:
        runs.hand_over(context, workspace_id)
    except SandboxError:
        return False
    return True


def _destroy(context: JobContext, import_id: str) -> None:
    """The data key, the table and the counts go. Fingerprints of a version that was mounted stay, for comparison."""
    with context.database.session() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) not in ENDED:
            return
        mounted = found.mounted_at is not None
        intakes = session.scalars(
            select(Intake.id)
            .join(WorkspaceDataset, WorkspaceDataset.dataset_id == Intake.dataset_id)
            .where(WorkspaceDataset.workspace_id == found.workspace_id)
        ).all()
    context.vault.destroy(import_id)
    for name in (counts_object(import_id, intake) for intake in intakes):
        if _exists(context, name):
            context.vault.destroy_object(name)
    if not mounted and _exists(context, mounting.fingerprints_object(import_id)):
        context.vault.destroy_object(mounting.fingerprints_object(import_id))
    now = utc_now()
    with context.database.begin() as session:
        found = session.get_one(Import, import_id)
        if ImportState(found.state) in ENDED:
            of = {"workspace": found.workspace_id}
            append(session, AuditEvent("sandbox:import:destroy", None, f"import:{import_id}", now, of))
            found.outcome = found.state
            steps.move(found, ImportState.DESTROYED)


def _exists(context: JobContext, name: str) -> bool:
    try:
        context.vault.open_object(name).close()
    except NotFoundError:
        return False
    return True

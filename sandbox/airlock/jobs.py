"""The durable chain of a submitted job: dry run, code review, sealed run, checks, review, release.

Every step may be repeated after a crash: it looks at what is recorded and goes on from there. A sealed run that was
interrupted is run again; its outputs replace the earlier ones under the same name. Steps return references and small
facts only, since their results are kept by the job engine.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.policy.load import load
from masking.policy.model import MaskingPolicy
from masking.taxonomy import Role as AttributeRole
from opendata.catalog import workdays
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition
from opendata.db import utc_now
from opendata.errors import JobFailed, NotFoundError
from opendata.jobs.context import JobContext
from opendata.publishing.models import Intake, PolicyVersion
from sandbox.airlock import release as releasing
from sandbox.airlock import service
from sandbox.airlock.checks import CheckInput, Finding, explain, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.limits import RUN_WALL_S, AirlockLimits, airlock_ticks, default_limits
from sandbox.airlock.models import PracticeCheck, ReleaseRequest
from sandbox.airlock.package import Package, PackageFile, package_name
from sandbox.airlock.rawdoor import code_text
from sandbox.airlock.states import RequestState
from sandbox.airlock.typed import Shape, TypedTable, canonical_csv, shape_of, typed_tables
from sandbox.contracts import JobKind, JobResult, JobSpec, Limits, ParsedOutput
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.execution.client import Launcher
from sandbox.workspaces import rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.errors import WorkspaceError
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.runs import (
    Feeder,
    RunOutput,
    executed_notebook,
    feed_bytes,
    feed_file,
    feed_parquet,
    notebook_error,
    pack_single,
    parse_output,
    run_job,
)
from sandbox.workspaces.states import JobState

RUN_LIMITS: Final = Limits(wall_s=RUN_WALL_S)
_STRINGS: Final = re.compile(r"""(['"])((?:(?!\1)[^\\\n]){1,80})\1""")
CLOSED: Final = {
    "zh": "沙箱未开放：本机缺少必需的隔离功能。没有运行任何代码；请运维人员查看 opendata doctor。",
    "en": "The sandbox is closed: this machine lacks a required isolation feature. Nothing ran; see opendata doctor.",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset of a workspace as a run needs it."""

    name: str
    dataset_id: str
    intake_id: str | None
    policy: MaskingPolicy
    columns: tuple[str, ...]
    distinct: dict[str, int]


def dry(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.dry``: take the snapshot, run it on practice data, check its output, go on if all is well."""
    job_id = arguments["job_id"]
    try:
        if context.step("begin", lambda: _begin_dry(context, job_id)):
            context.progress("dry run", 0.2)
            passed = context.step("dry run", lambda: _run_dry(context, job_id))
            context.step("next", lambda: _after_dry(context, job_id, passed))
    except JobFailed as error:
        sentence = str(error)
        context.step("failed", lambda: _fail_dry(context, job_id, sentence))
        raise


def sealed(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.sealed``: the same code in the same jail on raw data; only the airlock sees what comes out."""
    job_id = arguments["job_id"]
    if context.step("begin", lambda: _begin_sealed(context, job_id)):
        try:
            context.step("sealed run", lambda: _run_sealed(context, job_id))
            context.step("check", lambda: _check_sealed(context, job_id))
        except JobFailed:
            # Whatever broke, the author sees what every author sees; the checkers see that nothing can leave.
            context.step("fail closed", lambda: _package_failure(context, job_id))
        tick = context.step("tick", lambda: _wait_for_tick(context, job_id))
        context.step("review", lambda: _start_review(context, job_id, tick))


def release(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.release``: bundle, sign, record, make visible."""
    context.step("release", lambda: _release(context, arguments["request_id"]))


def check_practice(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.check``: the checks on a file a member made from practice data, explained in full."""
    context.step("check", lambda: _check_practice(context, arguments["check_id"]))


# Dry run


def _begin_dry(context: JobContext, job_id: str) -> bool:
    """Put the snapshot into the quarantine under its SHA-256; False when there is nothing left to do."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        state, name = JobState(job.state), job.code_object
    if state not in {JobState.SUBMITTED, JobState.DRY_RUNNING}:
        return False
    if state is JobState.SUBMITTED:
        with context.vault.open(job_id) as upload:
            context.vault.put_object(name, upload)
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        if JobState(job.state) is JobState.SUBMITTED:
            workspaces.move_job(job, JobState.DRY_RUNNING)
        going = JobState(job.state) is JobState.DRY_RUNNING
    context.vault.destroy(job_id)
    return going


def _run_dry(context: JobContext, job_id: str) -> bool:
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, job.workspace_id)
        sources = sources_of(session, workspace)
        limits = limits_of(context, session, workspace, sources)
        datasets = workspaces.datasets_of(session, workspace)
        entry, name = job.entry, job.code_object
    unprepared = [dataset.name for dataset in datasets if dataset.kind is None]
    if unprepared:
        sentence = f"仿真数据尚未就绪：{', '.join(unprepared)} · practice data is not ready: {', '.join(unprepared)}"
        return _store_dry(context, job_id, _dry_result("failed", "exit", sentence), [], None)
    inputs = [
        (
            f"/data/{dataset.name}/{dataset.name}.parquet",
            feed_file(practice_path(context.settings, workspace.id, dataset.name)),
        )
        for dataset in datasets
    ]
    code = _object(context, name)
    launcher = Launcher(context.settings.launcher_worker_socket)
    try:
        run = _run(context, launcher, f"{job_id}-dry", workspace.id, "dry", entry=entry, code=code, inputs=inputs)
        parsed = parse_output(launcher, f"{job_id}-dryparse", workspace.id, run.content) if run.content else None
    except SandboxUnavailable:
        return _store_unavailable(context, job_id)
    error = notebook_error(executed_notebook(run.content)) if run.result.state != "ok" else ""
    output = parsed or ParsedOutput(())
    tables = typed_tables(output, attributes=attributes_of(sources), shape=None)
    findings = run_checks(
        CheckInput(output, tables, limits, direct=direct_of(sources), known=known_of(sources, entry, code)),
    )
    if run.result.state != "ok":
        findings = [Finding("run_not_ok"), *(f for f in findings if f.rule != "no_output")]
    shape = shape_of(tables, max_labels=limits.max_labels)
    result = _dry_result(run.result.state, run.result.reason, error)
    result["files"] = [{"name": t.original_name, "rows": len(t.rows), "kind": str(t.kind)} for t in tables]
    return _store_dry(context, job_id, result, explain(findings, limits), shape)


def _dry_result(state: str, reason: str, error: str) -> dict[str, Any]:
    return {"state": state, "reason": reason, "error": error, "files": []}


def _store_dry(
    context: JobContext,
    job_id: str,
    result: dict[str, Any],
    findings: list[dict[str, Any]],
    shape: Shape | None,
) -> bool:
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        job.dry_result, job.dry_findings = result, findings
        job.dry_shape = shape.to_json() if shape else None
    return result["state"] == "ok" and not any(finding["blocking"] for finding in findings)


def _store_unavailable(context: JobContext, job_id: str) -> bool:
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        job.dry_result = {**_dry_result("unavailable", "unavailable", ""), "message": CLOSED}
        workspaces.move_job(job, JobState.UNAVAILABLE)
    return False


def _fail_dry(context: JobContext, job_id: str, sentence: str) -> None:
    """Something of ours broke in the dry run: say so and stop; nothing raw was met."""
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        if JobState(job.state) is JobState.SUBMITTED:
            workspaces.move_job(job, JobState.DRY_RUNNING)
        if JobState(job.state) is JobState.DRY_RUNNING:
            job.dry_result = _dry_result("failed", "exit", sentence)
            workspaces.move_job(job, JobState.DRY_FAILED)


def _after_dry(context: JobContext, job_id: str, passed: bool) -> None:
    now = utc_now()
    calendar = workdays.load(context.settings)
    grades = load_grades(context)
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        if JobState(job.state) is not JobState.DRY_RUNNING:
            return
        if not passed:
            workspaces.move_job(job, JobState.DRY_FAILED)
            return
        workspace = session.get_one(Workspace, job.workspace_id)
        door = workspaces.door_of(session, workspace, grades)
        if not door.code_review or service.approved_code(session, job.scope_digest) is not None:
            workspaces.queue_sealed(session, job, now=now)
            return
        workspaces.move_job(job, JobState.CODE_REVIEW)
        review = service.open_code_review(session, job, calendar=calendar, now=now)
        if RequestState(review.state) in {RequestState.REJECTED, RequestState.RETURNED}:
            workspaces.move_job(job, JobState.CODE_REJECTED)


# Sealed run


def _begin_sealed(context: JobContext, job_id: str) -> bool:
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
            except WorkspaceError:
                workspaces.move_job(job, JobState.CANCELLED)
                return False
            sources = sources_of(session, workspace)
            job.sealed_intakes = {source.name: source.intake_id or "" for source in sources}
            job.level = door.level
            job.kernel_digest = kernel_digest()
            workspaces.move_job(job, JobState.SEALED_RUNNING)
            job.sealed_started_at = now
            service.open_request(session, job, checkers=door.checkers, now=now)
        return True


def _run_sealed(context: JobContext, job_id: str) -> None:
    """Run on raw data. However it ends, the end is recorded and the chain goes on."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, job.workspace_id)
        entry, name, intakes = job.entry, job.code_object, dict(job.sealed_intakes or {})
    launcher = Launcher(context.settings.launcher_worker_socket)
    result: JobResult
    content = b""
    try:
        inputs = [(f"/data/{n}/{n}.parquet", _raw_feeder(context, intake)) for n, intake in sorted(intakes.items())]
        code = _object(context, name)
        run = _run(context, launcher, f"{job_id}-sealed", workspace.id, "sealed", entry=entry, code=code, inputs=inputs)
        result, content = run.result, run.content
    except (SandboxError, NotFoundError):
        result = JobResult("killed", "unavailable", None, 0.0, None)
    stored = f"sealed-{job_id}"
    context.vault.put_object(stored, io.BytesIO(content))
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        job.sealed_object = stored
        job.sealed_result = {"state": result.state, "reason": result.reason}


def _check_sealed(context: JobContext, job_id: str) -> None:
    """Parse in the check jail, re-serialise, check against raw data, keep the package in the quarantine."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, job.workspace_id)
        sources = sources_of(session, workspace, intakes=job.sealed_intakes)
        limits = limits_of(context, session, workspace, sources)
        request = service.request_of(session, job)
        assert request is not None
        if request.object_name is not None:  # done before a crash; the run's own object is gone already
            return
        entry, shape, run = job.entry, Shape.from_json(job.dry_shape), dict(job.sealed_result or {})
        tar_name, code_name, request_id = job.sealed_object or "", job.code_object, request.id
    tar, code = _object(context, tar_name), _object(context, code_name)
    parsed: ParsedOutput | None = None
    if tar:
        try:
            launcher = Launcher(context.settings.launcher_worker_socket)
            parsed = parse_output(launcher, f"{job_id}-parse", workspace.id, tar)
        except SandboxError:
            parsed = None
    output = parsed or ParsedOutput(())
    tables = typed_tables(output, attributes=attributes_of(sources), shape=shape)
    findings = run_checks(
        CheckInput(
            output,
            tables,
            limits,
            shape=shape,
            direct=direct_of(sources),
            known=known_of(sources, entry, code),
            raws=[raw_table(context, source) for source in sources if source.intake_id],
        ),
    )
    if run.get("state") != "ok":
        findings = [Finding("run_not_ok"), *findings]
    files = package_files(tables, shape, limits)
    package = Package(
        files=files,
        findings=explain(findings, limits),
        entry=entry,
        code=code_text(entry, code),
        executed=executed_notebook(tar),
        run=run,
    )
    context.vault.put_object(package_name(request_id), package.to_stream())
    _store_package(context, request_id, files, len(findings), sum(finding.blocking for finding in findings))
    context.vault.destroy_object(tar_name)


def _package_failure(context: JobContext, job_id: str) -> None:
    """A package without files and with one blocking finding: it can only be refused."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        request = service.request_of(session, job)
        assert request is not None
        request_id, entry = request.id, job.entry
    findings = explain([Finding("run_not_ok")], default_limits())
    package = Package(files=[], findings=findings, entry=entry, code="", run={"state": "killed", "reason": "internal"})
    context.vault.put_object(package_name(request_id), package.to_stream())
    _store_package(context, request_id, [], len(findings), len(findings))


def _store_package(
    context: JobContext,
    request_id: str,
    files: Sequence[PackageFile],
    findings: int,
    blocking: int,
) -> None:
    with context.database.begin() as session:
        request = session.get_one(ReleaseRequest, request_id)
        request.object_name = package_name(request_id)
        request.files = [file.entry() for file in files]
        request.findings_count, request.blocking_findings = findings, blocking
        if RequestState(request.state) is RequestState.SUBMITTED:
            service.move(request, RequestState.CHECKING)


def _wait_for_tick(context: JobContext, job_id: str) -> str:
    """Nothing that others can watch, the ledger's growth included, happens at any other moment than a tick."""
    with context.database.session() as session:
        queued = session.get_one(SandboxJob, job_id).sealed_queued_at
    assert queued is not None
    tick = airlock_ticks().next_at(queued, utc_now())
    while (left := (tick - utc_now()).total_seconds()) > 0:
        time.sleep(min(left, 5.0))
    return tick.isoformat()


def _start_review(context: JobContext, job_id: str, tick: str) -> None:
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


# Release and practice checks


def _release(context: JobContext, request_id: str) -> None:
    package = Package.from_bytes(_object(context, package_name(request_id)))
    with context.database.begin() as session:
        request = session.get_one(ReleaseRequest, request_id)
        workspace = session.get_one(Workspace, request.workspace_id)
        limits = limits_of(context, session, workspace, sources_of(session, workspace))
        releasing.release(
            session,
            request,
            package,
            key=context.keys.release_key(),
            limits=limits,
            settings=context.settings,
            now=utc_now(),
        )


def _check_practice(context: JobContext, check_id: str) -> None:
    with context.database.session() as session:
        check = session.get_one(PracticeCheck, check_id)
        workspace = session.get_one(Workspace, check.workspace_id)
        sources = sources_of(session, workspace)
        limits = limits_of(context, session, workspace, sources)
        filename, state = check.filename, check.state
    if state != "queued":
        return
    with context.vault.open(check_id) as stream:
        content = stream.read()
    findings: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    try:
        launcher = Launcher(context.settings.launcher_worker_socket)
        parsed = parse_output(launcher, f"{check_id}-check", workspace.id, pack_single(filename, content))
    except SandboxUnavailable:
        state = "unavailable"
    else:
        state = "done"
        output = parsed or ParsedOutput(())
        tables = typed_tables(output, attributes=attributes_of(sources), shape=None)
        found = run_checks(CheckInput(output, tables, limits, direct=direct_of(sources)))
        findings = explain(found, limits)
        files = [file.entry() for file in package_files(tables, None, limits)]
    with context.database.begin() as session:
        check = session.get_one(PracticeCheck, check_id)
        check.state, check.findings, check.files, check.finished_at = state, findings, files, utc_now()
    context.vault.destroy(check_id)


# What runs and checks need to know


def sources_of(session: Session, workspace: Workspace, *, intakes: dict[str, str] | None = None) -> list[Source]:
    """The workspace's datasets with the intake and masking policy of their current editions.

    ``intakes`` fixes the intakes of an earlier moment: what a job ran on is what its output is compared with.
    """
    sources = []
    for each in workspaces.datasets_of(session, workspace):
        edition = session.scalar(
            select(Edition)
            .join(Dataset, Dataset.current_edition_id == Edition.id)
            .where(Dataset.id == each.dataset_id),
        )
        if edition is None:
            raise WorkspaceError(f"数据集 {each.name} 已没有发布版本 · {each.name} has no published edition any more")
        intake_id = (intakes or {}).get(each.name) or edition.intake_id
        intake = session.get_one(Intake, intake_id)
        version = session.get_one(PolicyVersion, edition.policy_version_id)
        sources.append(
            Source(
                name=each.name,
                dataset_id=each.dataset_id,
                intake_id=intake.id,
                policy=load(version.yaml),
                columns=tuple(column["name"] for column in intake.schema),
                distinct={c["name"]: int(c["distinct"]) for c in intake.profile if c.get("distinct") is not None},
            ),
        )
    return sources


def limits_of(
    context: JobContext,
    session: Session,
    workspace: Workspace,
    sources: Iterable[Source],
) -> AirlockLimits:
    """The limits of a workspace: defaults under its datasets' own rules and its level."""
    door = workspaces.door_of(session, workspace, load_grades(context))
    rules_ = [source.policy.sandbox for source in sources]
    return default_limits().tightened(rules_, registered_only=door.registered_kinds_only)


def load_grades(context: JobContext) -> Grades:
    """The matrix of this installation."""
    from opendata.catalog import grades

    return grades.load(context.settings)


def attributes_of(sources: Iterable[Source]) -> frozenset[str]:
    """Names of the raw tables' columns."""
    return frozenset(name for source in sources for name in source.columns)


def direct_of(sources: Iterable[Source]) -> frozenset[str]:
    """Names of direct identifiers, lower case."""
    return frozenset(
        name.casefold()
        for source in sources
        for name, rule in source.policy.attributes.items()
        if rule.role is AttributeRole.DIRECT_IDENTIFIER
    )


def known_of(sources: Iterable[Source], entry: str, code: bytes) -> frozenset[str]:
    """Labels that cannot come from raw data: code lists of the policies and string constants of the code."""
    codes = {
        str(code)
        for source in sources
        for rule in source.policy.attributes.values()
        for code in (*(rule.codes or ()), *((rule.practice or {}).get("values") or ()))
    }
    return frozenset(codes | {match.group(2) for match in _STRINGS.finditer(code_text(entry, code))})


def raw_table(context: JobContext, source: Source) -> RawTable:
    """The raw table of a source as the checks stream it."""
    intake_id = source.intake_id or ""
    return RawTable(source.name, lambda: context.vault.read_table(intake_id), source.distinct)


def package_files(tables: Iterable[TypedTable], shape: Shape | None, limits: AirlockLimits) -> list[PackageFile]:
    """The canonical files of typed tables."""
    return [
        PackageFile(
            table.name,
            str(table.kind),
            canonical_csv(
                table,
                digits=limits.significant_digits,
                order=shape.columns_of(table.original_name) if shape else (),
            ),
        )
        for table in tables
    ]


def kernel_digest() -> str | None:
    """SHA-256 of the notebook kernels' lock, when the checkout has it."""
    import hashlib

    from sandbox.settings import CODE_ROOT

    lock = CODE_ROOT / "requirements" / "kernel.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def _run(
    context: JobContext,
    launcher: Launcher,
    spec_id: str,
    workspace_id: str,
    kind: JobKind,
    *,
    entry: str,
    code: bytes,
    inputs: list[tuple[str, Feeder]],
) -> RunOutput:
    spec = JobSpec(id=spec_id, workspace=workspace_id, kind=kind, entry=entry, limits=RUN_LIMITS)
    waiting: Callable[[], None] = context.check_cancelled if kind == "dry" else lambda: None
    return run_job(launcher, spec, [(f"/job/{entry}", feed_bytes(code)), *inputs], waiting=waiting)


def _raw_feeder(context: JobContext, intake_id: str) -> Feeder:
    return feed_parquet(lambda: context.vault.read_table(intake_id))


def _object(context: JobContext, name: str) -> bytes:
    with context.vault.open_object(name) as stream:
        return stream.read()

"""The dry run: the author's code on practice data. All of it is the author's to read; nothing raw is met here."""

from __future__ import annotations

from typing import Any, Final

from opendata.catalog import workdays
from opendata.db import utc_now
from opendata.jobs.context import JobContext
from sandbox.airlock import service
from sandbox.airlock.checks import CheckInput, Finding, explain, run_checks
from sandbox.airlock.exposures import comparable
from sandbox.airlock.figures import figures_of
from sandbox.airlock.models import PracticeCheck
from sandbox.airlock.package import PackageFile
from sandbox.airlock.reasons import Text, both, how_it_ended
from sandbox.airlock.running import RUN_LIMITS, package_files, run_code, usage_of
from sandbox.airlock.sources import attributes_of, direct_of, known_of, limits_of, load_grades, read_object, sources_of
from sandbox.airlock.states import RequestState
from sandbox.airlock.typed import Shape, shape_of, typed_tables
from sandbox.contracts import ParsedOutput
from sandbox.errors import SandboxUnavailable
from sandbox.execution.client import Launcher
from sandbox.imports.runs import columns_of, direct_columns_of, dry_inputs, imports_in_run
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.imports import imports_of
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.runs import error_of, feed_file, pack_single, parse_output
from sandbox.workspaces.standing import gone
from sandbox.workspaces.states import JobState

CLOSED: Final = {
    "zh": "沙箱未开放：本机缺少必需的隔离功能。没有运行任何代码；请运维人员查看 opendata doctor。",
    "en": "The sandbox is closed: this machine lacks a required isolation feature. Nothing ran; see opendata doctor.",
}


def begin(context: JobContext, job_id: str) -> bool:
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


def run(context: JobContext, launcher: Launcher, job_id: str) -> bool:
    """Run, parse, check, keep what was found; whether the job may go on to raw data."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, job.workspace_id)
        sources = sources_of(session, workspace)
        limits = limits_of(context, session, workspace, sources)
        datasets = workspaces.datasets_of(session, workspace)
        entry, name, imports = job.entry, job.code_object, dict(job.imports or {})
        unprepared = [each.name for each in datasets if each.kind is None or gone(session, each)]
    if unprepared:
        sentence = f"仿真数据尚未就绪：{', '.join(unprepared)} · practice data is not ready: {', '.join(unprepared)}"
        return _store_dry(context, job_id, _dry_result("failed", "exit", message=both(sentence)), [], None)
    inputs = [
        (
            f"/data/{dataset.name}/{dataset.name}.parquet",
            feed_file(practice_path(context.settings, workspace.id, dataset.name)),
        )
        for dataset in datasets
    ]
    inputs += dry_inputs(context, workspace.id, imports)
    code = read_object(context, name)
    try:
        ran = run_code(context, launcher, f"{job_id}-dry", workspace.id, "dry", entry=entry, code=code, inputs=inputs)
        parsed = parse_output(launcher, f"{job_id}-dryparse", workspace.id, ran.content) if ran.content else None
    except SandboxUnavailable:
        return _store_unavailable(context, job_id)
    failed = ran.result.state != "ok"
    error = error_of(ran.content) if failed else ""
    output = parsed or ParsedOutput(())
    own = imports_in_run(context, workspace.id, imports)
    direct = direct_of(sources) | direct_columns_of(own)
    tables = typed_tables(output, attributes=attributes_of(sources) | columns_of(own), shape=None)
    figures = figures_of(output, shape=None)
    known = known_of(sources, entry, code)
    findings = run_checks(CheckInput(output, tables, limits, direct=direct, known=known, figures=figures))
    if failed:
        findings = [Finding("run_not_ok"), *(f for f in findings if f.rule != "no_output")]
    words = {figure.original_name: figure.words for figure in figures}
    shape = shape_of(tables, max_labels=limits.max_labels, figures=words)
    used = usage_of(ran.result)
    message = how_it_ended(ran.result, RUN_LIMITS)
    result = _dry_result(ran.result.state, ran.result.reason, error, message=message)
    result["files"] = [{"name": t.original_name, "rows": len(t.rows), "kind": str(t.kind)} for t in tables]
    result["files"] += [_shown(file) for file in package_files(tables, None, limits, figures) if file.figure]
    return _store_dry(context, job_id, result, explain(findings, limits), shape, used)


def fail(context: JobContext, job_id: str, sentence: str) -> None:
    """Something of ours broke in the dry run: say so and stop; nothing raw was met."""
    with context.database.begin() as session:
        stop(session.get_one(SandboxJob, job_id), sentence)


def stop(job: SandboxJob, sentence: str) -> None:
    """The dry run of ``job`` did not come to its end, if it has not ended already."""
    if JobState(job.state) is JobState.SUBMITTED:
        workspaces.move_job(job, JobState.DRY_RUNNING)
    if JobState(job.state) is JobState.DRY_RUNNING:
        job.dry_result = _dry_result("failed", "exit", message=both(sentence))
        workspaces.move_job(job, JobState.DRY_FAILED)


def follow(context: JobContext, job_id: str, passed: bool) -> None:
    """Stop here, wait for the review of code, or queue the sealed run."""
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


def check_file(context: JobContext, launcher: Launcher, check_id: str) -> None:
    """The checks on one file that a member made from practice data."""
    with context.database.session() as session:
        check = session.get_one(PracticeCheck, check_id)
        workspace = session.get_one(Workspace, check.workspace_id)
        sources = sources_of(session, workspace)
        limits = limits_of(context, session, workspace, sources)
        own = imports_of(session, workspace)
        filename, state = check.filename, check.state
    if state != "queued":
        return
    with context.vault.open(check_id) as stream:
        content = stream.read()
    findings: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    try:
        parsed = parse_output(launcher, f"{check_id}-check", workspace.id, _packed(filename, content))
    except SandboxUnavailable:
        state = "unavailable"
    else:
        state = "done"
        output = parsed or ParsedOutput(())
        attributes, direct = attributes_of(sources) | columns_of(own), direct_of(sources) | direct_columns_of(own)
        tables = typed_tables(output, attributes=attributes, shape=None)
        figures = figures_of(output, shape=None)
        found = run_checks(CheckInput(output, tables, limits, direct=direct, figures=figures))
        with context.database.session() as session:
            found += comparable(context.settings, session, workspace, tables, attributes)
        findings = explain(found, limits)
        files = [_shown(file) for file in package_files(tables, None, limits, figures)]
    with context.database.begin() as session:
        check = session.get_one(PracticeCheck, check_id)
        check.state, check.findings, check.files, check.finished_at = state, findings, files, utc_now()
    context.vault.destroy(check_id)


def _packed(filename: str, content: bytes) -> bytes:
    """A file as the parser takes it; a figure comes with its table, in a tar as hostile as a job's own."""
    return content if filename.endswith(".tar") else pack_single(filename, content)


def _shown(file: PackageFile) -> dict[str, Any]:
    """A file of practice output: its line, and a figure as it is drawn."""
    return {**file.entry(), "svg": file.content.decode()} if file.figure else file.entry()


def _dry_result(state: str, reason: str, error: str = "", *, message: Text | None = None) -> dict[str, Any]:
    """``message`` says how it ended, ``error`` is what the code said of itself: the end of its traceback."""
    return {"state": state, "reason": reason, "message": message, "error": error, "files": []}


def _store_dry(
    context: JobContext,
    job_id: str,
    result: dict[str, Any],
    findings: list[dict[str, Any]],
    shape: Shape | None,
    used: dict[str, Any] | None = None,
) -> bool:
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        job.usage = {"dry": used} if used else None
        job.dry_result, job.dry_findings = result, findings
        job.dry_shape = shape.to_json() if shape else None
    return result["state"] == "ok" and not any(finding["blocking"] for finding in findings)


def _store_unavailable(context: JobContext, job_id: str) -> bool:
    with context.database.begin() as session:
        job = session.get_one(SandboxJob, job_id)
        job.dry_result = _dry_result("unavailable", "unavailable", message=CLOSED)
        workspaces.move_job(job, JobState.UNAVAILABLE)
    return False

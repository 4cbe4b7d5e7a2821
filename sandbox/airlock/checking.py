"""What came out of a sealed run: parsed in a jail, checked against raw data and all that was shown, kept in quarantine.

Whatever breaks here leaves a package that can only be refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from opendata.jobs.context import JobContext
from sandbox.airlock import service
from sandbox.airlock.checks import CheckInput, Finding, explain, run_checks
from sandbox.airlock.exposures import compare, exposed
from sandbox.airlock.figures import figures_of
from sandbox.airlock.limits import AirlockLimits, default_limits
from sandbox.airlock.models import ReleaseRequest
from sandbox.airlock.package import Package, PackageFile, package_name
from sandbox.airlock.rawdoor import code_text
from sandbox.airlock.reruns import reproduction
from sandbox.airlock.running import package_files
from sandbox.airlock.sources import attributes_of, direct_of, known_of, limits_of, raw_table, read_object, sources_of
from sandbox.airlock.states import RequestState
from sandbox.airlock.typed import Shape, typed_tables
from sandbox.contracts import ParsedOutput
from sandbox.errors import SandboxError
from sandbox.execution.client import Launcher
from sandbox.imports.runs import columns_of, direct_columns_of, import_raws, joins_of
from sandbox.workspaces.imports import imports_of_run
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.runs import executed_notebook, parse_output


def check(context: JobContext, launcher: Launcher, job_id: str) -> None:
    """Parse in the check jail, re-serialise, check against raw data, keep the package in the quarantine."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        workspace = session.get_one(Workspace, job.workspace_id)
        sources = sources_of(session, workspace, intakes=job.sealed_intakes)
        limits = limits_of(context, session, workspace, sources)
        request = service.request_of(session, job)
        assert request is not None
        done = request.object_name is not None
        entry, shape = job.entry, Shape.from_json(job.dry_shape)
        own, intakes = imports_of_run(session, workspace, job.imports), dict(job.sealed_intakes or {})
        tar_name, code_name, request_id = job.sealed_object or "", job.code_object, request.id
        run = {**(job.sealed_result or {}), "usage": (job.usage or {}).get("sealed")}
    if done:  # before a crash
        context.vault.destroy_object(tar_name)
        return
    tar, code = read_object(context, tar_name), read_object(context, code_name)
    parsed: ParsedOutput | None = None
    if tar:
        try:
            parsed = parse_output(launcher, f"{job_id}-parse", workspace.id, tar, sealed=True)
        except SandboxError:
            parsed = None
    output = parsed or ParsedOutput(())
    attributes = attributes_of(sources) | columns_of(own)
    raws = [raw_table(context, source) for source in sources if source.intake_id]
    tables = typed_tables(output, attributes=attributes, shape=shape)
    figures = figures_of(output, shape=shape)
    findings = run_checks(
        CheckInput(
            output,
            tables,
            limits,
            shape=shape,
            direct=direct_of(sources) | direct_columns_of(own),
            known=known_of(sources, entry, code),
            raws=[*raws, *import_raws(context, own)],
            figures=figures,
            joins=joins_of(context, own, intakes),
        ),
    )
    if run.get("state") != "ok":
        findings = [Finding("run_not_ok"), *findings]
    files = package_files(tables, shape, limits, figures)
    with context.database.session() as session:
        run |= _reproduction(session, session.get_one(SandboxJob, job_id), files)
    package = Package(
        files=files,
        findings=[],
        entry=entry,
        code=code_text(entry, code),
        executed=executed_notebook(tar),
        run=run,
    )
    populations = frozenset(source.dataset_id for source in sources)
    while not _compare_and_store(context, request_id, package, findings, limits, populations, attributes):
        pass  # something of this population came in between: compare with it too
    context.vault.destroy_object(tar_name)


def package_failure(context: JobContext, job_id: str) -> None:
    """A package without files and with one blocking finding: it can only be refused."""
    with context.database.session() as session:
        job = session.get_one(SandboxJob, job_id)
        request = service.request_of(session, job)
        assert request is not None
        if has_package(session, job):  # what was checked stays what it is
            return
        request_id, entry = request.id, job.entry
    findings = explain([Finding("run_not_ok")], default_limits())
    package = Package(files=[], findings=findings, entry=entry, code="", run={"state": "killed", "reason": "internal"})
    context.vault.put_object(package_name(request_id), package.to_stream())
    with context.database.begin() as session:
        _store_package(session, request_id, [], len(findings), len(findings))


def has_package(session: Session, job: SandboxJob) -> bool:
    """Whether the output of the job's sealed run was checked already."""
    request = service.request_of(session, job)
    return request is not None and request.object_name is not None


def _compare_and_store(
    context: JobContext,
    request_id: str,
    package: Package,
    findings: Sequence[Finding],
    limits: AirlockLimits,
    populations: frozenset[str],
    attributes: frozenset[str],
) -> bool:
    """Compare with all that was shown, keep the package; False when more was shown meanwhile."""
    with context.database.session() as session:
        earlier = exposed(session, populations, but=request_id)
    found = [*findings, *compare(context, package.tables, earlier, limits, attributes=attributes)]
    found.sort(key=lambda finding: not finding.blocking)
    package = replace(package, findings=explain(found, limits))
    context.vault.put_object(package_name(request_id), package.to_stream())
    blocking = sum(finding.blocking for finding in found)
    with context.database.begin() as session:
        if exposed(session, populations, but=request_id) != earlier:
            return False
        _store_package(session, request_id, package.files, len(found), blocking)
    return True


def _store_package(
    session: Session, request_id: str, files: Sequence[PackageFile], findings: int, blocking: int
) -> None:
    request = session.get_one(ReleaseRequest, request_id)
    request.object_name = package_name(request_id)
    request.files = [file.entry() for file in files]
    request.findings_count, request.blocking_findings = findings, blocking
    if RequestState(request.state) is RequestState.SUBMITTED:
        service.move(request, RequestState.CHECKING)


def _reproduction(session: Session, job: SandboxJob, files: Sequence[PackageFile]) -> dict[str, Any]:
    if job.reproduces_id is None:
        return {}
    first = session.get_one(SandboxJob, job.reproduces_id)
    request = service.request_of(session, first)
    before = (request.files if request is not None else None) or []
    return {"reproduction": reproduction(first, before, [file.entry() for file in files])}

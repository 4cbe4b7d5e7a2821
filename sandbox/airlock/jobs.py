"""The durable chain of a submitted job: dry run, code review, sealed run, checks, review, release.

Every step may be repeated after a crash: it looks at what is recorded and goes on from there. A sealed run that was
interrupted is run again; its outputs replace the earlier ones under the same name. Steps return references and small
facts only, since their results are kept by the job engine.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from opendata.db import utc_now
from opendata.errors import JobFailed
from opendata.jobs.context import JobContext
from sandbox.airlock import checking, ends
from sandbox.airlock import dry as drying
from sandbox.airlock import release as releasing
from sandbox.airlock import sealed as sealing
from sandbox.airlock.limits import airlock_ticks
from sandbox.airlock.models import ReleaseRequest
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.sources import limits_of, read_object, sources_of
from sandbox.execution.client import Launcher
from sandbox.workspaces.models import Workspace


def dry(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.dry``: take the snapshot, run it on practice data, check its output, go on if all is well."""
    job_id, launcher = arguments["job_id"], _launcher(context)
    try:
        if context.step("begin", lambda: drying.begin(context, job_id)):
            context.progress("dry run", 0.2)
            passed = context.step("dry run", lambda: drying.run(context, launcher, job_id))
            context.step("next", lambda: drying.follow(context, job_id, passed))
    except JobFailed as error:
        sentence = str(error)
        context.step("failed", lambda: drying.fail(context, job_id, sentence))
        raise


def sealed(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.sealed``: the same code in the same jail on raw data; only the airlock sees what comes out."""
    job_id, launcher = arguments["job_id"], _launcher(context)
    if context.step("begin", lambda: sealing.begin(context, job_id)):
        try:
            context.step("sealed run", lambda: sealing.run(context, launcher, airlock_ticks(), job_id))
            context.step("check", lambda: checking.check(context, launcher, job_id))
        except JobFailed:
            # Whatever broke, the author sees what every author sees; the checkers see that nothing can leave.
            context.step("fail closed", lambda: checking.package_failure(context, job_id))
        _to_review(context, launcher, job_id)


def end_sealed(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.sealed_end``: a sealed job that was left behind (`sandbox.airlock.ends`) goes to its checkers.

    Nothing is run again. Without a checked output it is a package that can only be refused.
    """
    job_id, launcher = arguments["job_id"], _launcher(context)
    if context.step("begin", lambda: ends.still_running(context, job_id)):
        context.step("fail closed", lambda: checking.package_failure(context, job_id))
        _to_review(context, launcher, job_id)


def release(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.release``: bundle, sign, record, make visible."""
    context.step("release", lambda: _release(context, arguments["request_id"]))


def check_practice(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.check``: the checks on a file a member made from practice data, explained in full."""
    launcher = _launcher(context)
    context.step("check", lambda: drying.check_file(context, launcher, arguments["check_id"]))


def _to_review(context: JobContext, launcher: Launcher, job_id: str) -> None:
    """At a tick, and not before, its end is shown and recorded."""
    tick = context.step("tick", lambda: sealing.wait_for_tick(context, launcher, airlock_ticks(), job_id))
    context.step("review", lambda: sealing.start_review(context, job_id, tick))
    with suppress(JobFailed):  # a seeded case that fails concerns no real one
        context.step("seed", lambda: sealing.seed(context, job_id))


def _release(context: JobContext, request_id: str) -> None:
    package = Package.from_bytes(read_object(context, package_name(request_id)))
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


def _launcher(context: JobContext) -> Launcher:
    return Launcher(context.settings.launcher_worker_socket)

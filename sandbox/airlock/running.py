"""Running someone's code in a jail and making canonical files of what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from opendata.jobs.context import JobContext
from sandbox.airlock.figures.files import figure_files
from sandbox.airlock.figures.spec import Figure
from sandbox.airlock.limits import RUN_WALL_S, AirlockLimits
from sandbox.airlock.package import PackageFile
from sandbox.airlock.typed import Shape, TypedTable, canonical_csv
from sandbox.contracts import JobKind, JobResult, JobSpec, Limits, Quiet
from sandbox.execution.client import Launcher
from sandbox.workspaces.runs import Feeder, RunOutput, feed_bytes, run_job

RUN_LIMITS: Final = Limits(wall_s=RUN_WALL_S)


def run_code(
    context: JobContext,
    launcher: Launcher,
    spec_id: str,
    workspace_id: str,
    kind: JobKind,
    *,
    entry: str,
    code: bytes,
    inputs: list[tuple[str, Feeder]],
    quiet: Quiet | None = None,
) -> RunOutput:
    """Run ``code`` over ``inputs``; only a dry run is given up when somebody cancels it."""
    spec = JobSpec(id=spec_id, workspace=workspace_id, kind=kind, entry=entry, limits=RUN_LIMITS, quiet=quiet)
    waiting: Callable[[], None] = context.check_cancelled if kind == "dry" else lambda: None
    return run_job(launcher, spec, [(f"/job/{entry}", feed_bytes(code)), *inputs], waiting=waiting)


def usage_of(result: JobResult) -> dict[str, Any]:
    """What a run used: seconds, peak memory, bytes (SATRE 2.2.13). No author ever sees it (PRIVACY.md 14)."""
    return {"seconds": round(result.seconds, 3), "peak_memory": result.peak_memory, "output_bytes": result.output_bytes}


def package_files(
    tables: Sequence[TypedTable], shape: Shape | None, limits: AirlockLimits, figures: Sequence[Figure] = ()
) -> list[PackageFile]:
    """The canonical files of typed tables, and the figures drawn from them."""
    files = [
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
    return files + figure_files(figures, tables, files, limits)

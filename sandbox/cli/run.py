"""``sandbox run``: submit a notebook or script as a sealed job and watch what its author may see."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from opendata.cli.output import AsJSON
from sandbox.cli.acting import As, TokenFile, Url, client

SETTLED: Final = frozenset(
    {
        "dry_failed",
        "code_review",
        "code_rejected",
        "finished",
        "cancelled",
        "unavailable",
        "released",
        "returned",
        "rejected",
    },
)
FAILED: Final = frozenset({"dry_failed", "code_rejected", "cancelled", "unavailable", "returned", "rejected"})


def run(
    notebook: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="笔记本或脚本 · notebook or script")],
    workspace: Annotated[str, typer.Option("--workspace", "-w", help="沙箱名称 · name of the workspace")],
    *,
    as_: As = None,
    url: Url = None,
    token_file: TokenFile = None,
    wait: Annotated[bool, typer.Option(help="等到需要人处理为止 · wait until people have to act")] = True,
    every_s: Annotated[float, typer.Option(min=0.2, help="查询间隔秒数 · seconds between questions")] = 2.0,
    as_json: AsJSON = False,
) -> None:
    """提交密封作业：先在仿真数据上试运行，再在原始数据上密封运行 · submit a sealed job."""
    speaking = client(as_, token_file, url)
    path = f"/api/v1/workspaces/{workspace}/jobs"
    job = speaking.post(path, params={"filename": notebook.name}, content=notebook.read_bytes())
    shown = ""
    while wait and job["state"] not in SETTLED:
        if job["state"] != shown and not as_json:
            typer.echo(_line(job), err=True)
            shown = job["state"]
        time.sleep(every_s)
        job = speaking.get(f"{path}/{job['id']}")
    if as_json:
        typer.echo(json.dumps(job, ensure_ascii=False, indent=2))
    else:
        _show(job)
    if job["state"] in FAILED:
        sys.exit(1)


def _line(job: Mapping[str, Any]) -> str:
    return f"{job['id']}  {job['state_title']['zh']} · {job['state_title']['en']}"


def _show(job: Mapping[str, Any]) -> None:
    typer.echo(_line(job))
    dry = job.get("dry_run") or {}
    if dry.get("message"):
        typer.echo(f"{dry['message']['zh']} · {dry['message']['en']}")
    if dry.get("error"):
        typer.echo(dry["error"])
    for finding in dry.get("findings") or []:
        place = " · ".join(part for part in (finding["file"], finding["column"]) if part)
        mark = "✗" if finding["blocking"] else "!"
        typer.echo(f"  {mark} {place}  {finding['message']['zh']} — {finding['advice']['zh']}")
        typer.echo(f"    {finding['message']['en']} — {finding['advice']['en']}")

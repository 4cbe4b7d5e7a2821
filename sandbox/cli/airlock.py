"""``sandbox airlock``: a checker's queue, views, votes; revoking releases; offline verification of released bundles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from opendata.cli.output import AsJSON, show, show_one
from sandbox.airlock.rules import Decision, Forward
from sandbox.cli.acting import As, TokenFile, Url, client

airlock = typer.Typer(help="出域审查 · the airlock", no_args_is_help=True)


@airlock.command("list")
def list_cases(*, as_json: AsJSON = False, as_: As = None, url: Url = None, token_file: TokenFile = None) -> None:
    """分配给我的审查事项 · cases assigned to me."""
    cases = client(as_, token_file, url).get("/api/v1/airlock")["cases"]
    keys = ("id", "kind", "workspace", "entry", "level", "due_at", "voted")
    rows = cases if as_json else [{key: case[key] for key in keys} for case in cases]
    show(rows, as_json=as_json, empty="没有待审查的事项 · nothing to check")


@airlock.command("show")
def show_case(
    case: str,
    *,
    purpose: Annotated[str, typer.Option(help="查看目的，记入存证 · why, for the ledger")] = "出域审查",
    as_json: AsJSON = False,
    as_: As = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """产出表、检查结果和代码 · output table, findings and code (logged)."""
    shown = client(as_, token_file, url).post(f"/api/v1/airlock/{case}/view", json={"purpose": purpose})
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for file in shown["files"]:
        covered = "  已遮盖 · covered" if file["covered"] else ""
        if "rows" in file:
            typer.echo(f"== {file['name']}  {file['row_count']} rows  sha256 {file['sha256']}{covered}")
            _table(file)
        else:
            typer.echo(f"== {file['name']}  {file['figure'].get('kind', '')}  sha256 {file['sha256']}{covered}")
    for finding in shown["findings"] or shown["dry_findings"]:
        place = " · ".join(part for part in (finding["file"], finding["column"]) if part)
        typer.echo(
            f"{'✗' if finding['blocking'] else '!'} {place}  {finding['message']['zh']} · {finding['message']['en']}"
        )
    typer.echo(f"== {shown['entry']}\n{shown['code']}")


@airlock.command("reveal")
def reveal(
    case: str,
    file: Annotated[str, typer.Argument(help="被遮盖的表 · a covered table")],
    *,
    purpose: Annotated[str, typer.Option(help="揭示的目的，记入存证 · why, for the ledger")],
    as_json: AsJSON = False,
    as_: As = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """揭示一张被遮盖的表的前 20 行 · the first 20 rows of a covered table (logged)."""
    body = {"file": file, "purpose": purpose}
    shown = client(as_, token_file, url).post(f"/api/v1/airlock/{case}/reveal", json=body)
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    typer.echo(f"== {shown['name']}  {len(shown['rows'])} / {shown['row_count']} rows")
    _table(shown)


@airlock.command("vote")
def vote(
    case: str,
    decision: Decision,
    *,
    explanation: Annotated[str, typer.Option("--explanation", "-e", help="理由 · why")],
    forward: Annotated[Forward | None, typer.Option(help="告知作者的固定原因 · fixed reason for the author")] = None,
    as_json: AsJSON = False,
    as_: As = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """投票：approve、return 或 reject · vote."""
    body = {"decision": str(decision), "explanation": explanation, "forward": forward and str(forward)}
    answer = client(as_, token_file, url).post(f"/api/v1/airlock/{case}/vote", json=body)
    shown = answer if as_json else {key: answer[key] for key in ("id", "kind", "entry", "state", "voted")}
    show_one(shown, as_json=as_json)


@airlock.command("outputs")
def outputs(*, as_json: AsJSON = False, as_: As = None, url: Url = None, token_file: TokenFile = None) -> None:
    """已放行的产出，供撤回 · released outputs, for those who may revoke one."""
    found = client(as_, token_file, url).get("/api/v1/airlock/outputs")["outputs"]
    rows = found if as_json else [_line(each) for each in found]
    show(rows, as_json=as_json, empty="没有已放行的产出 · nothing was released")


@airlock.command("revoke")
def revoke(
    output: Annotated[str, typer.Argument(help="产出的编号 · the output's id")],
    *,
    reason: Annotated[str, typer.Option(help="撤回的理由，成员会看到 · why; members read it")],
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · do not ask")] = False,
    as_json: AsJSON = False,
    as_: As = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """撤回一项放行，不能撤销 · take a released output back, for good."""
    if not yes:
        typer.confirm("撤回不能撤销，确定吗？ · this cannot be undone: revoke it?", abort=True, err=True)
    answer = client(as_, token_file, url).post(f"/api/v1/airlock/outputs/{output}/revoke", json={"reason": reason})
    shown = answer if as_json else {key: answer[key] for key in ("id", "revoked_at", "reason")}
    show_one(shown, as_json=as_json)


@airlock.command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="产出目录 · folder of the output")],
    *,
    key: Annotated[Path, typer.Option("--key", exists=True, dir_okay=False, help="公钥 · the public key (PEM)")],
    as_json: AsJSON = False,
) -> None:
    """离线核验放行的产出 · verify a released output offline."""
    from sandbox.airlock.verify import verify_bundle

    found = verify_bundle(bundle, key.read_bytes())
    record = found.record
    answer = {
        "verdict": "ok",
        "output": record["output"],
        "released_at": record["released_at"],
        "code_sha256": record["code"]["sha256"],
        "votes": len(record["votes"]),
        "files": list(found.files),
    }
    show_one(answer, as_json=as_json)


def _table(file: Mapping[str, Any]) -> None:
    """Columns by place: covered names are all alike."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in file["columns"]:
        table.add_column(Text(name), overflow="fold")
    for row in file["rows"]:
        table.add_row(*map(Text, row))
    Console().print(table)


def _line(output: Mapping[str, Any]) -> dict[str, Any]:
    place = output["workspace"]["title"]
    return {"id": output["id"], "workspace": place, **{key: output[key] for key in ("entry", "level", "revoked_at")}}

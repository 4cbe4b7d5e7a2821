"""`opendata ledger` and `opendata verify`: evidence that needs nobody's trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from opendata.cli.output import AsJSON, show_one
from opendata.errors import InvalidInputError
from opendata.settings import Settings

ledger = typer.Typer(help="存证 · the ledger", no_args_is_help=True)


@ledger.command("export")
def export(target: Annotated[Path, typer.Argument(help="写到这个文件 · file to write")]) -> None:
    """导出全部条目与检查点 · write every entry and checkpoint, without anybody's salts."""
    from opendata.cli.people import administering
    from opendata.ledger.service import export as write

    with administering() as session:
        write(session, target)
    typer.echo(str(target))


@ledger.command("verify")
def verify_ledger(
    source: Annotated[Path | None, typer.Argument(help="导出文件；不给则先导出本机存证 · an export")] = None,
    *,
    key: Annotated[Path | None, typer.Option(help="检查点公钥 · public key of the checkpoints")] = None,
    earlier: Annotated[Path | None, typer.Option(help="先前保存的检查点 · a checkpoint kept from earlier")] = None,
    as_json: AsJSON = False,
) -> None:
    """离线核验存证 · verify the ledger offline; any rewritten entry is found."""
    import tempfile

    from opendata.ledger.verify import verify_export

    settings = Settings.load()
    public = (key or settings.keys_dir / "public" / "checkpoint.pub").read_text(encoding="utf-8")
    before = earlier.read_text(encoding="utf-8") if earlier else None
    if source is not None:
        verdict = verify_export(source, public, before)
    else:
        with tempfile.TemporaryDirectory() as folder:
            export_file = Path(folder) / "ledger.jsonl"
            from opendata.cli.people import administering
            from opendata.ledger.service import export as write

            with administering() as session:
                write(session, export_file)
            verdict = verify_export(export_file, public, before)
    show_one({name: getattr(verdict, name) for name in verdict.__slots__}, as_json=as_json)


def verify(
    file: Path,
    *,
    receipt: Annotated[Path | None, typer.Option(help="receipt.json，离线核验 · offline")] = None,
    key: Annotated[Path | None, typer.Option(help="发布公钥 · public key of releases")] = None,
    url: Annotated[str | None, typer.Option(help="门户地址 · the portal to ask")] = None,
    as_json: AsJSON = False,
) -> None:
    """核验一个文件：原样、同表异字节、非本站 · is this file ours? exact, same table other bytes, not ours."""
    if (receipt is None) != (key is None):
        raise InvalidInputError("离线核验需要同时给出 --receipt 与 --key（offline: give both）")
    if receipt is not None and key is not None:
        from opendata.publishing.verify import verify_offline

        verdict = str(verify_offline(file, receipt, key).verdict)
    else:
        from opendata.cli.client import Client

        answer = Client(url or Settings.load().public_url).upload("/api/v1/verify", file, filename=file.name)
        verdict = answer["verdict"]
    typer.echo(json.dumps({"verdict": str(verdict)}, ensure_ascii=False) if as_json else str(verdict))
    if str(verdict) == "not ours":
        raise typer.Exit(1)

"""`opendata doctor`: what this machine enforces, what is weaker, what is off, as measured and not as hoped."""

from __future__ import annotations

from typing import Annotated

import typer

from opendata.cli.output import AsJSON, show
from opendata.parts import Finding, installed_parts
from opendata.settings import Settings

MARKS = {"enforced": "✓", "weaker": "!", "off": "✗"}


def doctor(
    *,
    deep: Annotated[bool, typer.Option("--deep", help="也运行较慢的检查 · also run slow checks")] = False,
    as_json: AsJSON = False,
) -> None:
    """本机真正执行的保护 · what this machine really enforces."""
    settings = Settings.load()
    findings: list[Finding] = []
    for part in installed_parts():
        if part.doctor is not None:
            findings += part.doctor(settings)
    if deep:
        findings += deep_findings(settings)
    show(
        [
            {
                "": finding.state if as_json else MARKS[finding.state],
                "检查 check": f"{finding.name['zh']} {finding.name['en']}",
                "结果 result": f"{finding.detail['zh']} {finding.detail['en']}",
            }
            for finding in findings
        ],
        as_json=as_json,
        empty="没有检查 · nothing to check",
    )
    if any(finding.state == "off" for finding in findings):
        raise typer.Exit(1)


def deep_findings(settings: Settings) -> list[Finding]:
    """Checks that read everything: the whole ledger verified offline."""
    import tempfile
    from pathlib import Path

    from opendata.cli.people import administering
    from opendata.errors import OpenDataError, safe_sentence
    from opendata.ledger.service import export
    from opendata.ledger.verify import verify_export

    name = {"zh": "存证全量核验", "en": "ledger verified"}
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "ledger.jsonl"
            with administering() as session:
                export(session, target)
            verify_export(target, (settings.keys_dir / "public" / "checkpoint.pub").read_text(encoding="utf-8"))
    except (OpenDataError, OSError, ValueError) as error:
        return [Finding(name, "off", {"zh": safe_sentence(error), "en": ""})]
    return [Finding(name, "enforced", {"zh": "全部条目一致", "en": "all entries consistent"})]

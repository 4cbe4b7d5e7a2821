"""The command ``tabulate``: counts and sums with margins, protected and audited, instead of records."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from masking.cli import files, running, show
from masking.cli.flags import English, TimeLimit
from masking.cli.options import pairs, values

if TYPE_CHECKING:
    from masking.disclosure import DisclosureReport

VERSION: Final = 1
Method = Literal["suppression", "rounding", "random_rounding", "cell_key"]


def tabulate(
    table: Annotated[
        Path, typer.Argument(help="表格文件 table: csv, csv.gz, tsv, parquet, jsonl, xlsx", metavar="INPUT")
    ],
    output: Annotated[
        Path, typer.Argument(help="结果文件；空格为隐去 the table of cells; empty: hidden", metavar="OUTPUT")
    ],
    by: Annotated[
        list[str],
        typer.Option(
            "--by", help="分组的列，可带层级文件 dimension, with a hierarchy file perhaps", metavar="COLUMN[=FILE]"
        ),
    ],
    measure: Annotated[
        list[str],
        typer.Option(
            "--measure",
            help="统计量 figure, as persons=count:* total=sum:cost mean=mean:cost visits=records:*",
            metavar="NAME=FUNCTION:COLUMN",
        ),
    ],
    unit: Annotated[str | None, typer.Option("--unit", help="区分人的列 column that tells persons apart")] = None,
    method: Annotated[Method, typer.Option("--method", help="保护方法 method of protection")] = "suppression",
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            help="规则，如 threshold=10、dominance=1,0.5、p_percent=10、base=5 parameters of the method",
            metavar="NAME=VALUE",
        ),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="密钥文件 keys file {version: 1, keys: {name: base64}}")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="内部报告，含审核 internal report with the audit (JSON)")
    ] = None,
    time_limit: TimeLimit = None,
    json: Annotated[bool, typer.Option("--json", help="输出 JSON report as JSON, without cells")] = False,
    en: English = False,
) -> None:
    """统计表：隐去、舍入或加噪，并审核能否还原 A table of cells, protected, audited: all of it or nothing."""
    from masking.disclosure import protect
    from masking.errors import Cancelled
    from masking.keys import as_keys
    from masking.table import file_format

    file_format(output)  # an output that cannot be written is refused before anything is read
    files.refuse_same_file(table, output)
    dimensions = _dimensions(by)
    measures = _measures(measure)
    rules = {**values(rule, "--rule"), "method": method}
    with running.stoppable() as cancelled, show.progress("统计、保护、审核 tabulating, protecting, auditing"):
        late = running.stop_after(time_limit) or (lambda: False)
        made = protect(
            files.open_table(table).read_all(),
            dimensions,
            measures,
            unit,
            rules,
            keys=as_keys(keys),
            stop=lambda: cancelled() or late(),
        )
        if cancelled():
            raise Cancelled("the run was cancelled; nothing was written")
    files.write_table(made.table, output)
    told = _told(made.report)
    if report is not None:
        whole = {**told, "cells_in_detail": made.report.statuses.to_pylist()}
        files.write_text(report, json_module.dumps(whole, ensure_ascii=False, indent=2, default=str) + "\n")
    if json:
        show.as_json(told)
        return
    headers = ("measure", "value") if en else ("度量", "值")
    left_out = () if method == "suppression" else ("complementary", "optimal")
    rows = [(words[en], _in_words(told[name], en=en)) for name, words in _WORDS.items() if name not in left_out]
    asked = told["audit"]
    rows.append((_AUDIT[en], f"{asked['asked'] - len(asked['broken'])} / {asked['asked']}"))
    show.as_table(output.name, headers, rows)


def _dimensions(given: list[str]) -> dict[str, dict[str, Any] | None]:
    from masking.hierarchies import read_rows

    found: dict[str, dict[str, Any] | None] = {}
    for each in given:
        name, _, file = each.rpartition("=") if "=" in each else (each, "", "")
        if not name or name in found:
            raise typer.BadParameter("每列一次 each column once", param_hint="--by")
        found[name] = {"hierarchy": read_rows(Path(file))} if file else None
    return found


def _measures(given: list[str]) -> dict[str, dict[str, str]]:
    found = {}
    for name, text in pairs(given, "--measure").items():
        function, colon, column = text.partition(":")
        if not colon or not column:
            raise typer.BadParameter("应为 NAME=FUNCTION:COLUMN it is NAME=FUNCTION:COLUMN", param_hint="--measure")
        found[name] = {function: column}
    return found


def _in_words(value: Any, *, en: bool) -> Any:
    if not isinstance(value, bool):
        return value
    return ("yes" if value else "no") if en else ("是" if value else "否")


def _told(report: DisclosureReport) -> dict[str, Any]:
    """The report without its cells: counts only."""
    return {
        "version": VERSION,
        "rules": asdict(report.rules),
        **{name: getattr(report, name) for name in _WORDS},
        "audit": asdict(report.audit),
    }


_WORDS: Final[dict[str, tuple[str, str]]] = {
    "persons": ("人数（人）", "persons"),
    "cells": ("单元格（个，含合计）", "cells, margins included"),
    "empty": ("无人的单元格（个）", "cells of nobody"),
    "primary": ("敏感单元格（个：人太少或一人占比过大）", "sensitive cells: few persons, or one holds too much"),
    "complementary": ("为防推算另外隐去（个）", "hidden besides, against recomputation"),
    "optimal": ("隐去最少（已证明）", "nothing cheaper protects (proved)"),
    "furthest": ("计数的最大改变（人）", "furthest that a count moved (persons)"),
    "additive": ("各格之和等于合计", "cells add up to their margins"),
}
_AUDIT: Final = ("审核：未能还原的单元格与攻击者之对", "audit: pairs of cell and attacker that stay safe")

"""The command ``curve``: plans that no other plan beats, drawn, and the chosen one as a policy."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from masking.cli import files, plans, running, show
from masking.cli.flags import English, Json

if TYPE_CHECKING:
    from masking.policy.model import MaskingPolicy
    from masking.recoding.curve import Point
    from masking.reporting.words import Language

VERSION: Final = 1
Kind = Literal["local", "global", "both"]


def curve(
    table: Annotated[
        Path, typer.Argument(help="表格文件 table: csv, csv.gz, tsv, parquet, jsonl, xlsx", metavar="INPUT")
    ],
    policy: Annotated[Path, typer.Option("--policy", help="脱敏策略 masking policy (YAML)")],
    out: Annotated[
        Path | None, typer.Option("--out", help="曲线写到此处 write the curve here: .html, .svg or .json")
    ] = None,
    pick: Annotated[int | None, typer.Option("--pick", min=1, help="选第几个方案 the plan to take")] = None,
    policy_out: Annotated[
        Path | None, typer.Option("--policy-out", help="所选方案的策略 write the chosen plan's policy here")
    ] = None,
    k: Annotated[list[int] | None, typer.Option("--k", min=2, help="要试的 k（默认 2 3 5 10 20 50） k to try")] = None,
    recoding: Annotated[Kind, typer.Option("--recoding", help="各类分别、整列，或都试 local, global or both")] = "both",
    suppression: Annotated[
        list[float] | None,
        typer.Option("--suppression", min=0, max=1, help="要试的抑制比例（默认依策略） shares to try"),
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", min=0, help="至多若干秒，给出至此的方案 stop after so many seconds")
    ] = None,
    json: Json = False,
    en: English = False,
) -> None:
    """风险—效用曲线：可选的方案；选一个写成策略 Plans between risk and utility; the chosen one becomes a policy."""
    from masking.errors import LimitsNotMet
    from masking.policy.dump import dump
    from masking.policy.load import load
    from masking.recoding.curve import KS

    _check_options(policy, out, pick, policy_out)
    asked = load(policy)
    with (
        running.stoppable() as cancelled,
        running.pace("曲线 curve", ("fit", "search"), running.records_in(table)) as advance,
    ):
        loaded = plans.searchable(asked, table)
        points = plans.curve(
            loaded,
            table,
            policy.parent,
            ks=k or KS,
            recoding=("local", "global") if recoding == "both" else (recoding,),
            suppression=suppression or (),
            progress=advance,
            stop=running.stop_after(time_limit),
            cancelled=cancelled,
        )
    if not points:
        raise LimitsNotMet("no plan meets the limits; allow more suppression or smaller classes")
    told = _told(loaded, asked, points)
    if pick is not None and policy_out is not None:
        if pick > len(points):
            raise typer.BadParameter(f"只有 {len(points)} 个方案 there are {len(points)} plans", param_hint="--pick")
        files.write_text(policy_out, dump(plans.chosen(loaded, points[pick - 1])))
    if out is not None:
        files.write_text(out, _drawn(out.suffix.lower(), loaded, points, told, en=en))
    if json:
        show.as_json(told)
        return
    lang: Language = "en" if en else "zh"
    show.as_table(table.name, _headers(lang), _rows(points, lang))
    for name, parameters in told["proposed"].items():
        said = "proposed hierarchy" if en else "由数据提出的层级"
        show.line(f"{said}: {show.printable(name)} {parameters or '–'}")


def _check_options(policy: Path, out: Path | None, pick: int | None, policy_out: Path | None) -> None:
    from masking.errors import BadFile

    if (pick is None) != (policy_out is None):
        raise typer.BadParameter("须一并给出 give both or none", param_hint="--pick, --policy-out")
    if out is not None and out.suffix.lower() not in (".html", ".svg", ".json"):
        raise typer.BadParameter("应为 .html、.svg 或 .json it ends in .html, .svg or .json", param_hint="--out")
    if policy_out is None:
        return
    if policy_out.exists():
        raise BadFile(f"{policy_out.name!r} exists; nothing is overwritten")
    if policy_out.parent.resolve() != policy.parent.resolve():
        raise typer.BadParameter(
            "须与原策略同一文件夹：层级文件在那里 it stands beside the policy, where the hierarchies are",
            param_hint="--policy-out",
        )


def _told(policy: MaskingPolicy, asked: MaskingPolicy, points: tuple[Point, ...]) -> dict[str, Any]:
    proposed = {
        name: dict(rule.parameters)
        for name, rule in policy.attributes.items()
        if rule.technique != asked.attributes[name].technique
    }
    return {
        "version": VERSION,
        "dataset": policy.dataset,
        "proposed": proposed,
        "points": [{"number": number, **point.to_dict()} for number, point in enumerate(points, start=1)],
    }


def _drawn(suffix: str, policy: MaskingPolicy, points: tuple[Point, ...], told: dict[str, Any], *, en: bool) -> str:
    from masking.measures.effect import THRESHOLDS
    from masking.reporting.curve import Mark, scatter, to_html

    if suffix == ".json":
        return json_module.dumps(told, ensure_ascii=False, indent=2) + "\n"
    lang: Language = "en" if en else "zh"
    marks = [
        Mark(number, point.max_risk, point.granularity, point.recoding, f"k={point.k}, {_KINDS[point.recoding][en]}")
        for number, point in enumerate(points, start=1)
    ]
    lines = {_SHARING[name][en]: limit for name, limit in THRESHOLDS.items()}
    if suffix == ".svg":
        return scatter(marks, lines, lang) + "\n"
    title = policy.title.get(lang) or policy.dataset
    return to_html(title, marks, lines, _headers(lang), _rows(points, lang), lang)


def _headers(lang: Language) -> tuple[str, ...]:
    return tuple(words[lang == "en"] for words in _COLUMNS)


def _rows(points: tuple[Point, ...], lang: Language) -> list[tuple[str, ...]]:
    en = lang == "en"
    return [
        (
            f"{number}",
            f"{point.k}",
            _KINDS[point.recoding][en],
            f"{point.max_risk:.3g}",
            f"{point.average_risk:.3g}",
            f"{point.suppressed:.2%}",
            f"{point.granularity:.4f}",
            f"{point.loss:.4f}",
            f"{point.classes:,}",
            ("yes" if en else "是") if point.optimal else "–",
        )
        for number, point in enumerate(points, start=1)
    ]


_COLUMNS: Final = (
    ("方案", "plan"),
    ("k（人）", "k (persons)"),
    ("泛化", "recoding"),
    ("最高风险", "highest risk"),
    ("平均风险", "average risk"),
    ("抑制的记录", "records suppressed"),
    ("粒度", "granularity"),
    ("损失", "loss"),
    ("等价类", "classes"),
    ("同类最优", "optimal of its kind"),
)
_KINDS: Final = {"local": ("局部", "local"), "global": ("整列", "global")}
_SHARING: Final = {"full_public": ("完全公开", "full publication"), "controlled": ("受控公开", "controlled sharing")}

"""The command ``anonymize``: the quick way from a table, hierarchies and limits to a generalized table."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from masking.cli import applying, quick, show
from masking.cli.flags import English, InternalReport, Json, TimeLimit
from masking.cli.options import numbers, pairs, values

if TYPE_CHECKING:
    from masking.limits import Limits

Kind = Literal["local", "global"]


def anonymize(
    table: Annotated[
        Path, typer.Argument(help="表格文件 table: csv, csv.gz, tsv, parquet, jsonl, xlsx", metavar="INPUT")
    ],
    output: Annotated[Path, typer.Argument(help="结果文件 the generalized table", metavar="OUTPUT")],
    hierarchy: Annotated[
        list[str],
        typer.Option(
            "--hierarchy",
            help="准标识符及其层级：文件，由数据提出 propose，数字为代码时 codes quasi-identifier and its hierarchy",
            metavar="COLUMN=FILE|propose|codes",
        ),
    ],
    k: Annotated[int | None, typer.Option("--k", min=2, help="每个等价类至少几人 persons in a class at least")] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option("--sensitive", help="敏感属性 sensitive attribute", metavar="COLUMN")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            help="限值，如 distinct_l_diversity=3、recursive_cl_diversity=4,3、t_closeness=0.2 any limit of a policy",
            metavar="NAME=VALUE",
        ),
    ] = None,
    recoding: Annotated[
        Kind, typer.Option("--recoding", help="各类分别，或整列同一层级 each class, or whole columns")
    ] = "local",
    suppression: Annotated[
        float, typer.Option("--suppression", min=0, max=1, help="可抑制的记录比例 share that may be suppressed")
    ] = 1.0,
    unit: Annotated[
        str | None, typer.Option("--unit", help="区分人的列，结果中删去 column that tells persons apart; dropped")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="删去的列 column to drop", metavar="COLUMN")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="不泛化的准标识符 quasi-identifier to leave as it is", metavar="COLUMN"),
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option("--weight", help="损失的权重 how much its loss counts", metavar="COLUMN=NUMBER")
    ] = None,
    policy_out: Annotated[
        Path | None,
        typer.Option("--policy-out", help="写出得到同一张表的策略 write the policy that gives this very table"),
    ] = None,
    report: InternalReport = None,
    time_limit: TimeLimit = None,
    json: Json = False,
    en: English = False,
) -> None:
    """泛化到刚好满足限值 Generalize a table as little as its limits allow; columns not named pass as they are."""
    options = quick.Options(
        hierarchies=pairs(hierarchy, "--hierarchy", names_hold_equals=True),
        limits=_limits(limit, k, suppression),
        sensitive=tuple(sensitive or ()),
        recoding=recoding,
        unit=unit,
        drop=tuple(drop or ()),
        keep=tuple(keep or ()),
        weights=numbers(weight, "--weight"),
    )
    _refuse_contradictions(options)
    with tempfile.TemporaryDirectory() as passing:
        path = policy_out or Path(passing) / "policy.yaml"
        with quick.written(options, table, path) as policy:
            applying.run(
                policy,
                table,
                output,
                folder=path.parent,
                report=report,
                time_limit=time_limit,
                json=json,
                en=en,
            )
        passed = [name for name, rule in policy.attributes.items() if rule.role.value == "insensitive"]
    if passed and not json:
        said = "columns that pass as they are" if en else "原样输出的列"
        show.line(f"{said}: {', '.join(map(show.printable, passed))}")


def _limits(given: list[str] | None, k: int | None, suppression: float) -> Limits:
    from masking.limits import Limits

    asked: dict[str, Any] = values(given, "--limit")
    if k is not None:
        asked["k_anonymity"] = k
    if not asked:
        raise typer.BadParameter("至少要有一个限值 give at least one limit", param_hint="--k, --limit")
    return Limits.of({**asked, "suppression": suppression})


def _refuse_contradictions(options: quick.Options) -> None:
    quasi = set(options.hierarchies)
    for hint, names in (("--keep", options.keep), ("--weight", options.weights)):
        if set(names) - quasi:
            raise typer.BadParameter("只用于有 --hierarchy 的列 only for columns with --hierarchy", param_hint=hint)
    unit = [options.unit] if options.unit else []
    roles = [*quasi, *options.sensitive, *dict.fromkeys([*options.drop, *unit])]
    if len(set(roles)) < len(roles):
        raise typer.BadParameter(
            "一列只能是准标识符、敏感属性、删去三者之一 a column is a quasi-identifier, sensitive, or dropped",
            param_hint="--hierarchy, --sensitive, --drop, --unit",
        )

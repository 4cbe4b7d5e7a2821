"""The command ``measure``: what a table, raw or masked, risks and is still good for."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from masking.cli import compared, files, measured, measured_tables, show
from masking.cli.flags import English, Json
from masking.cli.trees import trees_of

Attack = Literal["containment", "matching", "algorithm"]
Model = Literal["logistic", "boosting"]


def measure(
    table: Annotated[
        Path, typer.Argument(help="表格文件 table: csv, csv.gz, tsv, parquet, jsonl, xlsx", metavar="INPUT")
    ],
    policy: Annotated[Path, typer.Option("--policy", help="脱敏策略 masking policy (YAML)")],
    raw: Annotated[
        Path | None, typer.Option("--raw", help="原始表：另给出效用与链接演练 the raw table: adds utility and linkage")
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="两表共有的编号列 id column of both, if records left or moved")
    ] = None,
    attack: Annotated[
        Attack | None,
        typer.Option("--attack", help="链接攻击的方式（默认取最强的） attack of the drill; the strongest"),
    ] = None,
    targets: Annotated[
        int | None, typer.Option("--targets", min=1, help="演练中攻击的记录数 records attacked in the drill (all)")
    ] = None,
    queries: Annotated[int, typer.Option("--queries", min=1, help="随机计数查询的个数 random counting queries")] = 200,
    train: Annotated[
        str | None, typer.Option("--train", help="预测该列的模型得分 score of a model that predicts this column")
    ] = None,
    model: Annotated[Model, typer.Option("--model", help="模型 model")] = "logistic",
    population: Annotated[
        int | None, typer.Option("--population", min=1, help="总体人数（人） persons of the population")
    ] = None,
    population_table: Annotated[
        Path | None,
        typer.Option("--population-table", help="总体的表，同样泛化 table of everyone, generalized in the same way"),
    ] = None,
    suda: Annotated[
        int, typer.Option("--suda", min=0, help="特殊唯一：至多几个属性，0 不查 special uniques of up to so many")
    ] = 0,
    json: Json = False,
    en: English = False,
) -> None:
    """度量风险、隐私模型、限值与效用 Measure risk, privacy models, limits and utility of a raw or masked table."""
    from masking.policy.load import load

    if population is not None and population_table is not None:
        raise typer.BadParameter("与 --population-table 二者择一 give one of the two", param_hint="--population")
    if raw is None and (link is not None or attack is not None or targets is not None or train is not None):
        raise typer.BadParameter("需要 --raw needs --raw", param_hint="--link, --attack, --targets, --train")
    loaded = load(policy)
    given = measured.Given.of(files.open_table(table).read_all(), loaded, policy.parent)
    whole = None if raw is None else files.open_table(raw).read_all()
    everyone = None if population_table is None else files.open_table(population_table).read_all()
    size = population if everyone is None else measured.persons_of(given, everyone)
    with show.progress("度量 measuring"):
        risk = measured.risks(given, population, everyone)
        answer: dict[str, Any] = measured.overview(given, risk)
        released = None if whole is None else compared.meant(loaded, whole)
        rows = None if released is None or loaded.sample is not None else released.num_rows
        answer["limits"] = measured.limits(given, everyone, rows)
        answer["models"] = measured.models(given)
        answer["risk"] = measured.figures(asdict(risk))
        answer["effect"] = measured.grade(given, risk)
        if size is not None and risk.persons:
            answer["population_uniqueness"] = measured.uniqueness(given, max(size, risk.persons))
        if suda:
            answer["special_uniques"] = measured.special(given, suda)
        if whole is not None and released is not None:
            trees = trees_of(loaded, whole, given.table, given.quasi, policy.parent)
            answer["utility"] = compared.utility(given, released, trees, queries=queries, train=train, model=model)
            attacked = released if link is None else whole
            answer["linkage"] = compared.linkage(given, attacked, trees, link=link, attack=attack, targets=targets)
    if json:
        show.as_json(answer)
        return
    for title, headers, rows in measured_tables.tables(answer, table.name, en=en):
        show.as_table(title, headers, rows)
    for note in measured_tables.notes(answer, en=en):
        show.line(note)

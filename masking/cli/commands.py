"""The commands. Each reads like its help: load, do one thing of the library, show it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from masking.cli import files, hierarchy, show, tables
from masking.cli import keys as keys_commands
from masking.cli.anonymizing import anonymize
from masking.cli.curving import curve
from masking.cli.flags import English, InternalReport, Json, TimeLimit
from masking.cli.measuring import measure
from masking.cli.report import report as report_page
from masking.cli.tabulating import tabulate

if TYPE_CHECKING:
    import pyarrow as pa

    from masking.policy.model import MaskingPolicy

app = typer.Typer(
    help="脱敏：识别、检查、预览、执行、度量、挑方案、统计表。De-identification of tables by policy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Input = Annotated[Path, typer.Argument(help="表格文件 table: csv, csv.gz, tsv, parquet, jsonl, xlsx", metavar="INPUT")]
Policy = Annotated[Path, typer.Argument(help="脱敏策略 masking policy (YAML), one table or several", metavar="POLICY")]


@app.command()
def detect(
    table: Input,
    json: Json = False,
    en: English = False,
    propose: Annotated[
        Path | None, typer.Option("--propose", help="写出建议的策略 write the proposed policy here")
    ] = None,
) -> None:
    """识别各列的个人信息，给出级别和理由 Say what each column holds, its level and why."""
    from masking.detection import detect_columns, propose_level

    with show.progress("识别 detecting"):
        findings = detect_columns(files.open_table(table))
    level, reasons, clause = propose_level(findings)
    if propose is not None:
        from masking.policy.dump import dump
        from masking.policy.propose import propose as make

        files.write_text(propose, dump(make(findings, dataset=files.dataset_name(table))))
    if json:
        show.as_json(
            {
                "version": 1,
                "level": level.value,
                "reasons": reasons,
                "clause": clause,
                "columns": [asdict(finding) for finding in findings],
            }
        )
        return
    lang = "en" if en else "zh"
    headers = ("column", "type", "role", "level", "reason") if en else ("列", "类型", "角色", "级别", "理由")
    rows = [(f.column, f.type, f.role.title(lang), f.level.title(lang), f.reason[lang]) for f in findings]
    show.as_table(table.name, headers, rows)
    show.line(f"{'proposed level' if en else '建议级别'}: {level.title(lang)} ({clause})")


@app.command()
def check(
    policy: Policy,
    against: Annotated[Path | None, typer.Option("--against", help="对照的表格 check it against this table")] = None,
    json: Json = False,
) -> None:
    """检查策略是否完整、正确 Check a policy, and whether it fits a table."""
    from masking.policy.check import check as check_policy
    from masking.policy.load import holds_several, load

    if holds_several(policy):
        tables.check(policy, against, json=json)
        return
    loaded = load(policy)
    if against is None:
        check_policy(loaded, files=policy.parent)
    else:
        reader = files.open_table(against)
        check_policy(loaded, reader.schema, files=policy.parent)
        with show.progress("对照 reading"):
            statistics = tables.statistics(reader)
        check_policy(loaded, reader.schema, statistics, files=policy.parent)
    if json:
        show.as_json({"version": 1, "ok": True, "dataset": loaded.dataset, "attributes": len(loaded.attributes)})
        return
    show.line(f"策略正确 the policy is right: {loaded.dataset}, {len(loaded.attributes)} 个属性 attributes")
    show.test_data(loaded.test_data)


@app.command()
def apply(
    policy: Policy,
    table: Annotated[Path, typer.Argument(help="表格文件，多表为文件夹 table, or a folder of them", metavar="INPUT")],
    output: Annotated[
        Path, typer.Argument(help="结果文件（多表为新文件夹） the masked table, or a new folder", metavar="OUTPUT")
    ],
    keys: Annotated[
        Path | None, typer.Option("--keys", help="密钥文件 keys file {version: 1, keys: {name: base64}}")
    ] = None,
    report: InternalReport = None,
    time_limit: TimeLimit = None,
    json: Json = False,
    en: English = False,
) -> None:
    """按策略脱敏；要么全部完成，要么什么都不写 Mask a table by a policy: all of it or nothing."""
    from masking.cli.applying import run
    from masking.keys import as_keys
    from masking.policy.load import holds_several, load

    if holds_several(policy):
        if time_limit is not None:
            raise typer.BadParameter("只用于单表 for one table only", param_hint="--time-limit")
        tables.apply(policy, table, output, as_keys(keys), report, json=json, en=en)
        return
    run(
        load(policy),
        table,
        output,
        folder=policy.parent,
        keys=keys,
        report=report,
        time_limit=time_limit,
        json=json,
        en=en,
    )


@app.command()
def preview(
    policy: Policy,
    table: Input,
    rows: Annotated[int, typer.Option("--rows", min=1, max=20, help="行数 rows, at most 20")] = 5,
    of: Annotated[str | None, typer.Option("--table", help="多表策略中的哪张表 which table of several")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="显示直接标识符 show direct identifiers")] = False,
    json: Json = False,
) -> None:
    """脱敏前后对照；假名用一次性密钥 Before and after, with throwaway keys."""
    import pyarrow as pa

    from masking.engines.local import compile as compile_policy
    from masking.engines.local import ready
    from masking.keys import ThrowawayKeys
    from masking.policy.load import holds_several, load
    from masking.taxonomy import Role

    loaded = tables.one(policy, table, of) if holds_several(policy) else load(policy)
    reader = files.open_table(table)
    plan = compile_policy(_as_records(loaded), reader.schema, ThrowawayKeys(), files=policy.parent)
    if plan.unfitted or plan.searches:
        with show.progress("通读 reading"):
            plan = ready(plan, lambda: reader, lambda: files.open_table(table))
        reader = files.open_table(table)
    first = _first_rows(reader, rows)
    done = plan.run(first)
    first, masked = done.kept, done.masked
    covered = {name for name in loaded.with_role(Role.DIRECT_IDENTIFIER) if not reveal}
    before = pa.Table.from_batches([first]).to_pydict()
    after = pa.Table.from_batches([masked]).to_pydict()
    before = {
        name: ["••••" if v is not None else None for v in c] if name in covered else c for name, c in before.items()
    }
    left_out = done.records - first.num_rows
    if json:
        show.as_json({"version": 1, "before": before, "after": after, "left_out": left_out})
        return
    show.test_data(loaded.test_data)
    for i in range(first.num_rows):
        lines = [(name, before[name][i], after[name][i] if name in after else "（删除 dropped）") for name in before]
        show.as_table(f"第 {i + 1} 行 row {i + 1}", ("属性 attribute", "之前 before", "之后 after"), lines)
    if left_out:
        show.line(f"另有 {left_out} 行按策略整条删去 rows more are left out by the policy")
    if loaded.is_aggregate:
        show.line("只发布统计表，以上记录都不会发布 only the aggregate is published, none of these records")


@app.command()
def explain(policy: Policy, json: Json = False, en: English = False) -> None:
    """用一句话解释每个属性的处理 Say in words what the policy does."""
    from masking.policy.load import holds_several, load

    if holds_several(policy):
        tables.explain(policy, json=json, en=en)
        return
    loaded = load(policy)
    if json:
        show.as_json({"version": 1, "dataset": loaded.dataset, **tables.in_words(loaded)})
        return
    lang: Any = "en" if en else "zh"
    tables.show_words(loaded, loaded.title.get(lang, loaded.dataset), lang)


app.command("measure")(measure)
app.command("anonymize")(anonymize)
app.command("curve")(curve)
app.command("tabulate")(tabulate)
app.command("report")(report_page)
app.add_typer(hierarchy.app, name="hierarchy")
app.add_typer(keys_commands.app, name="keys")


def _first_rows(reader: pa.RecordBatchReader, rows: int) -> pa.RecordBatch:
    """The first rows as one batch; an empty table gives an empty batch."""
    import pyarrow as pa

    batches: list[pa.RecordBatch] = []
    for batch in reader:
        batches.append(batch.slice(0, rows - sum(b.num_rows for b in batches)))
        if sum(b.num_rows for b in batches) >= rows:
            break
    merged = pa.Table.from_batches(batches, schema=reader.schema).combine_chunks()
    return next(iter(merged.to_batches()), pa.RecordBatch.from_pylist([], schema=reader.schema))


def _as_records(policy: MaskingPolicy) -> MaskingPolicy:
    """The policy without its aggregate: what the attributes' rules do to single records."""
    from dataclasses import replace

    return replace(policy, aggregate=None)

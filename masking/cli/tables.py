"""What the commands do with a policy of several tables; and what they share with one table."""

from __future__ import annotations

import json as json_module
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masking.cli import running, show

if TYPE_CHECKING:
    import pyarrow as pa

    from masking.engines.tables import References
    from masking.keys import Keys
    from masking.policy.check import ColumnStatistics
    from masking.policy.model import MaskingPolicy
    from masking.policy.words import Language


def check(policy: Path, against: Path | None, *, json: bool) -> None:
    """Check each table's policy and the foreign keys; against a folder also columns, tokens and dangling references."""
    from masking.engines.tables import files_of, references
    from masking.policy import check_set, load_set
    from masking.table import open_table

    loaded = load_set(policy)
    counted: tuple[References, ...] = ()
    if against is None:
        check_set(loaded, files=policy.parent)
    else:
        paths = files_of(loaded, against)
        schemas = {name: open_table(path).schema for name, path in paths.items()}
        check_set(loaded, schemas, files=policy.parent)
        with show.progress("对照 reading"):
            known = {name: statistics(open_table(path)) for name, path in paths.items()}
            check_set(loaded, schemas, known, files=policy.parent)
            counted = references(loaded, {name: partial(open_table, path) for name, path in paths.items()})
    if json:
        told: dict[str, Any] = {"version": 1, "ok": True, "dataset": loaded.dataset}
        told["tables"] = {name: len(each.attributes) for name, each in loaded.tables.items()}
        show.as_json({**told, "references": [each.to_dict() for each in counted]})
        return
    show.line(f"策略正确 the policy is right: {loaded.dataset}, {len(loaded.tables)} 张表 tables")
    for each in counted:
        _say_references("", each)
    show.test_data(loaded.test_data)


def apply(policy: Path, folder: Path, output: Path, keys: Keys, report: Path | None, *, json: bool, en: bool) -> None:
    """Mask the files of a folder into a new one."""
    from masking.cli.files import write_text
    from masking.engines.pace import stages_of
    from masking.engines.tables import apply_folder, files_of
    from masking.policy import load_set

    loaded = load_set(policy)
    paths = files_of(loaded, folder)
    with running.stoppable() as cancelled, ExitStack() as bars:
        told: dict[str, Any] = {}

        def advance(table: str, stage: str, rows: int) -> None:
            if table not in told:  # the bar of the table before goes
                bars.close()
                stages = stages_of(loaded.tables[table])
                told[table] = bars.enter_context(running.pace(table, stages, running.records_in(paths[table])))
            told[table](stage, rows)

        made = apply_folder(loaded, folder, output, keys, files=policy.parent, progress=advance, cancelled=cancelled)
    if report is not None:
        write_text(report, json_module.dumps(made.to_dict(), ensure_ascii=False, indent=2, default=str) + "\n")
    if json:
        show.as_json(made.to_dict())
        return
    show.test_data(loaded.test_data)
    lang: Language = "en" if en else "zh"
    for name, each in made.reports.items():
        show.line(f"{name}: {show.summary(each, lang)}")
        if made.followed[name]:
            show.line(f"  {made.followed[name]:,} 行所引用的记录不在，一并删去 rows left with what they refer to")
    for before, after in zip(made.before, made.after, strict=True):
        _say_references("之前 before ", before)
        _say_references("之后 after ", after)


def explain(policy: Path, *, json: bool, en: bool) -> None:
    """Each table in words, and what holds for all of them."""
    from masking.policy import load_set
    from masking.policy.explain import explain_set

    loaded = load_set(policy)
    if json:
        told: dict[str, Any] = {name: in_words(each) for name, each in loaded.tables.items()}
        together = {lang: explain_set(loaded, lang) for lang in ("zh", "en")}
        show.as_json({"version": 1, "dataset": loaded.dataset, "tables": told, "together": together})
        return
    lang: Language = "en" if en else "zh"
    for sentence in explain_set(loaded, lang):
        show.line(sentence)
    for name, each in loaded.tables.items():
        title = each.title.get(lang)
        show_words(each, f"{name} {title}" if title else name, lang)


def one(policy: Path, table: Path, name: str | None) -> MaskingPolicy:
    """The policy of one of the tables: the named one, or the one that the file is called after."""
    from masking.errors import UnknownAttribute, suggestion
    from masking.policy import load_set

    tables = load_set(policy).tables
    wanted = name or table.name.split(".", maxsplit=1)[0]
    if wanted not in tables:
        raise UnknownAttribute(
            f"the policy has no table {wanted!r}{suggestion(wanted, tables) or f'; it has {sorted(tables)}'}"
        )
    return tables[wanted]


def statistics(reader: pa.RecordBatchReader) -> dict[str, ColumnStatistics]:
    """What ``check`` wants to know of the columns."""
    from masking.detection import detect_columns
    from masking.policy.propose import statistics_of

    return statistics_of(detect_columns(reader))


def in_words(policy: MaskingPolicy) -> dict[str, Any]:
    """The policy in both languages, for JSON."""
    from masking.policy.explain import explain as sentences
    from masking.policy.explain import explain_limits

    languages: tuple[Language, ...] = ("zh", "en")
    return {
        lang: {"attributes": [asdict(each) for each in sentences(policy, lang)], "table": explain_limits(policy, lang)}
        for lang in languages
    }


def show_words(policy: MaskingPolicy, title: str, lang: Language) -> None:
    """The policy in words, for people; what is about test data stands first."""
    from masking.policy.explain import explain as sentences
    from masking.policy.explain import explain_limits

    headers = ("attribute", "item", "what happens") if lang == "en" else ("属性", "信息项", "处理")
    about = explain_limits(policy, lang)
    loud = about[:1] if policy.test_data else []
    for sentence in loud:
        show.line(sentence)
    show.as_table(title, headers, [(each.attribute, each.title, each.sentence) for each in sentences(policy, lang)])
    for sentence in about[len(loud) :]:
        show.line(sentence)


def _say_references(when: str, counted: References) -> None:
    show.line(
        f"{when}{counted.foreign_key}: {counted.references:,} 个引用，{counted.dangling:,} 个悬空 references, dangling"
    )

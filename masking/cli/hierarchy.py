"""The commands that propose and check generalization hierarchies: CSV files in ARX's form."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from masking.cli import files, quick, show
from masking.cli.flags import English, Json

if TYPE_CHECKING:
    from masking.hierarchies import Hierarchy

app = typer.Typer(
    help="泛化层级：提出、检查。Generalization hierarchies: propose, check.",
    no_args_is_help=True,
)

Column = Annotated[str, typer.Option("--column", help="列名 column", metavar="COLUMN")]


@app.command()
def propose(
    table: Annotated[
        Path, typer.Argument(help="表格文件 table: csv, csv.gz, tsv, parquet, jsonl, xlsx", metavar="INPUT")
    ],
    column: Column,
    out: Annotated[
        Path | None, typer.Option("--out", help="写出层级文件 write it here: CSV, leaf first, coarsest last, no header")
    ] = None,
    codes: Annotated[
        bool, typer.Option("--codes", help="数字是代码（如区划）而非数量 its numbers are codes, not amounts")
    ] = False,
    json: Json = False,
    en: English = False,
) -> None:
    """由一列的值提出泛化层级 Propose a hierarchy from a column's values, for a person to look at."""
    from masking.errors import UnknownAttribute
    from masking.hierarchies import proposal
    from masking.hierarchies import propose as make

    names = files.open_table(table).schema.names
    if column not in names:
        raise UnknownAttribute.from_missing([column], names)
    with show.progress("通读 reading"):
        values = quick.values_of(table, [column])[column]
    values = quick.as_codes(values) if codes else values
    words = proposal(values)
    made = make(values)
    if out is not None:
        files.write_text(out, _csv(made))
    told = {"version": 1, "column": column, "policy": {"technique": "generalization.recoding", **words}, **_told(made)}
    if json:
        show.as_json(told)
        return
    _show(column, made, en=en)
    said = ", ".join(f"{name}: {value}" for name, value in told["policy"].items())
    show.line(f"{'in a policy' if en else '策略中写作'}: {{{said}}}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="层级文件 hierarchy file (CSV)", metavar="FILE")],
    against: Annotated[Path | None, typer.Option("--against", help="对照的表格 check it against this table")] = None,
    column: Annotated[str | None, typer.Option("--column", help="表中的列 its column", metavar="COLUMN")] = None,
    json: Json = False,
    en: English = False,
) -> None:
    """检查层级文件，及其是否包含列中每个值 Check a hierarchy file, and whether it names every value of a column."""
    from masking.errors import DataError
    from masking.hierarchies import as_hierarchy

    if (against is None) != (column is None):
        raise typer.BadParameter("须一并给出 give both or none", param_hint="--against, --column")
    made = as_hierarchy(file)
    told: dict[str, Any] = {"version": 1, "ok": True, **_told(made)}
    if against is not None and column is not None:
        with show.progress("对照 reading"):
            used, records, first = _compared(made, against, column)
        if records:
            raise DataError(
                f"attribute {column!r}: the hierarchy does not name the values of {records} records "
                f"(first record {first})"
            )
        told["used"] = used
    if json:
        show.as_json(told)
        return
    _show(file.name, made, en=en)
    if "used" in told:
        said = f"{told['used']} of its values occur" if en else f"其中 {told['used']} 个值在表中出现"
        show.line(said)
    show.line("the hierarchy is right" if en else "层级正确")


def _compared(hierarchy: Hierarchy, table: Path, column: str) -> tuple[int, int, int]:
    """How many of its values occur; records with a value that it does not name, and the first of them (from 1)."""
    import numpy as np

    from masking.errors import UnknownAttribute

    reader = files.open_table(table)
    if column not in reader.schema.names:
        raise UnknownAttribute.from_missing([column], reader.schema.names)
    whole = hierarchy.with_null()
    used = np.zeros(len(whole.leaves), dtype=bool)
    records = first = rows = 0
    for batch in reader:
        leaves, unknown = whole.find(batch.column(column))
        if unknown and not first:
            first = rows + int(np.argmax(leaves < 0)) + 1
        records += unknown
        rows += batch.num_rows
        used[leaves[leaves >= 0]] = True
    return int(used[:-1].sum()), records, first


def _told(hierarchy: Hierarchy) -> dict[str, Any]:
    return {
        "values": len(hierarchy.leaves),
        "levels": hierarchy.levels,
        "nodes": [len(names) for names in hierarchy.labels],
    }


def _show(title: str, hierarchy: Hierarchy, *, en: bool) -> None:
    headers = ("level", "nodes") if en else ("层级", "结点（个）")
    show.as_table(title, headers, [(level, len(names)) for level, names in enumerate(hierarchy.labels)])


def _csv(hierarchy: Hierarchy) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n").writerows(hierarchy.rows())
    return text.getvalue()

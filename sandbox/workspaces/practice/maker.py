"""Makes practice tables: who stands on each row first, then each column of what it stands for.

Source: PRIVACY.md 19. Attributes of a person (sex, day of birth, resident ID, name, county) agree with each other on
all her rows; all other columns are drawn by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from masking.policy.model import MaskingPolicy, PolicySet
from sandbox.workspaces.practice.columns import Columns
from sandbox.workspaces.practice.marginals import Marginals
from sandbox.workspaces.practice.rows import Rows
from sandbox.workspaces.practice.types import arrow_type

NOTE: Final = {
    "zh": "仿真数据，仅供调试，结果没有意义",
    "en": "practice data, for debugging only; results mean nothing",
}
Schema = Sequence[tuple[str, str]]
"""Column names and the names of their types, in order."""


def make_practice(
    policy: MaskingPolicy,
    schema: Schema,
    *,
    seed: str,
    marginals: Marginals | None = None,
    files: Path | None = None,
    domains: Mapping[str, str] | None = None,
    refers: Collection[str] = (),
) -> pa.Table:
    """A practice table of ``policy.sandbox.practice_rows`` rows with the given column names and types, in order.

    The same arguments give the same table. Tables of one ``seed`` join on identifiers of persons and firms, and on
    columns of one domain: those that ``domains`` says, that the policy's key domains join, or that have one name.
    ``refers``: columns that refer to rows of another table, again and again. ``marginals``: published shares that
    columns follow. ``files``: the folder of the policy's hierarchies.
    Columns the policy does not name are an error upstream (a policy names every column), here they are filled by type.
    """
    typed = [(name, arrow_type(type_name)) for name, type_name in schema]
    rows = Rows.of(
        policy, typed, seed=seed, marginals=marginals or {}, files=files, domains=domains or {}, refers=refers
    )
    columns = Columns(rows)
    arrays = [_with_nulls(columns.make(name, type_), rows, name) for name, type_ in typed]
    marked = {b"practice": NOTE["en"].encode(), b"practice-zh": NOTE["zh"].encode()}
    return pa.table(arrays, schema=pa.schema([pa.field(*each) for each in typed], metadata=marked))


def make_practice_set(
    policies: PolicySet, schemas: Mapping[str, Schema], *, seed: str, files: Path | None = None
) -> dict[str, pa.Table]:
    """Practice tables of a dataset of several tables: both ends of a foreign key draw from one domain."""
    names = {(table, name): f"{table}.{name}" for table, schema in schemas.items() for name, _ in schema}
    linked: dict[tuple[str, str], str] = {}
    for key in policies.foreign_keys:
        ends = (key.table, key.column), (key.to_table, key.to_column)
        domain = next((linked[end] for end in ends if end in linked), names.get(ends[1], str(key)))
        joined = {linked[end] for end in ends if end in linked} | {domain}
        linked.update({end: domain for end, old in linked.items() if old in joined} | dict.fromkeys(ends, domain))
    return {
        table: make_practice(
            policies.tables[table],
            schema,
            seed=seed,
            files=files,
            domains={name: linked[table, name] for name, _ in schema if (table, name) in linked},
            refers={key.column for key in policies.foreign_keys if key.table == table},
        )
        for table, schema in schemas.items()
    }


def _with_nulls(made: pa.Array, rows: Rows, name: str) -> pa.Array:
    share = float(rows.hints(name).get("nulls", 0) or 0)
    if not share or pa.types.is_nested(made.type):
        return made
    empty = pa.array(rows.uniforms(f"{name} nulls") < share)
    return pc.if_else(empty, pa.scalar(None, made.type), made)

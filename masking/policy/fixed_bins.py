"""What the categories of a registered dimension are, and whether a policy's fixed tables can be counted at all.

Rule: categories come from the registration, the attribute's own codes or the hierarchy of its rule, never from the
table. Source: PRIVACY 20.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from masking import techniques
from masking.errors import InvalidParameter, PolicyError, UnknownAttribute, suggestion
from masking.policy.fixed_tables import (
    MOST_BASE_CELLS,
    MOST_CELLS,
    MOST_TOGETHER,
    FixedDimension,
    FixedTables,
    bands,
    spelled,
)
from masking.policy.model import AttributeRule, MaskingPolicy
from masking.taxonomy import Role

HIERARCHY: Final = "generalization.hierarchy"


@dataclass(frozen=True, slots=True)
class Bins:
    """The categories of a dimension without ``other``: ``codes`` with ``titles``, and how a value finds its own.

    ``edges``: by size. ``groups``: value to code. Neither: the value is the code.
    """

    codes: tuple[str, ...]
    titles: tuple[Mapping[str, str], ...]
    edges: tuple[Any, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)


def bins(dimension: FixedDimension, rule: AttributeRule, files: Path | None = None) -> Bins:
    """The categories of a dimension of the attribute that ``rule`` is about.

    Raises:
        InvalidParameter: nothing fixes them.
    """
    if dimension.edges:
        codes, titles = bands(dimension.edges)
        own = tuple(dimension.titles.get(code, title) for code, title in zip(codes, titles, strict=True))
        return Bins(codes, own, edges=dimension.edges)
    if dimension.codes:
        titles = tuple(dimension.titles.get(code, {"zh": code, "en": code}) for code in dimension.codes)
        return Bins(dimension.codes, titles)
    if rule.codes:
        codes = tuple(spelled(code) for code in rule.codes)
        return Bins(codes, tuple({"zh": code, "en": code} for code in codes))
    if rule.technique == HIERARCHY and dimension.characters is None:
        made: Any = techniques.get(HIERARCHY).check(rule.parameters, attribute=rule.name, key=None, files=files)
        codes = tuple(sorted(set(made.table.values())))
        return Bins(codes, tuple({"zh": code, "en": code} for code in codes), groups=dict(made.table))
    raise InvalidParameter(
        f"sandbox.tables: the dimension {dimension.name!r} has no fixed categories, and none are taken from the table; "
        "give `codes`, `edges`, or `lower`, `upper` and `width`"
    ).at(dimension.line or None)


def check_fixed_tables(policy: MaskingPolicy, schema: pa.Schema | None = None, *, files: Path | None = None) -> None:
    """Raise unless the registered tables can be counted; without ``files`` a hierarchy's file is not read.

    Raises:
        UnknownAttribute, InvalidParameter, PolicyError: what is registered does not fit the policy or the table.
    """
    tables = policy.sandbox.tables
    if tables is None:
        return
    named = [(each.column, each.line) for each in tables.dimensions]
    for column, line in [*named, *((each.column, each.line) for each in tables.measures)]:
        if column not in policy.attributes:
            raise UnknownAttribute(
                f"sandbox.tables names {column!r}, which is no attribute{suggestion(column, policy.attributes)}"
            ).at(line or None)
        rule = policy.attributes[column]
        if rule.role is Role.DIRECT_IDENTIFIER or rule.free_text:
            raise PolicyError(
                f"sandbox.tables: {column!r} is a {rule.role.value} under {rule.technique}: persons are not counted by "
                "what names them",
                line=line or None,
            )
    if tables.contribution > 1 and policy.unit is None:
        raise InvalidParameter(
            "sandbox.tables: without `unit:` each record is a person and counts once: leave `contribution` out"
        )
    _check_sizes(policy, tables, files)
    if schema is not None:
        _check_types(tables, schema)


def _check_sizes(policy: MaskingPolicy, tables: FixedTables, files: Path | None) -> None:
    known = [
        each
        for each in tables.dimensions
        if files is not None
        or each.codes
        or each.edges
        or policy.attributes[each.column].parameters.get("file") is None
    ]
    counts = {each.name: len(bins(each, policy.attributes[each.column], files).codes) + each.other for each in known}
    largest = sorted(counts, key=lambda name: -counts[name])
    together = math.prod(counts[name] for name in largest[:MOST_TOGETHER])
    if together > MOST_CELLS:
        raise InvalidParameter(
            f"sandbox.tables: a table of {largest[:MOST_TOGETHER]} would have {together} cells, at most {MOST_CELLS} "
            f"are possible: give {largest[0]!r} fewer categories"
        )
    crossed = math.prod(counts.values())
    if crossed > MOST_BASE_CELLS:
        raise InvalidParameter(
            f"sandbox.tables: all dimensions crossed have {crossed} cells, at most {MOST_BASE_CELLS} are possible: "
            f"leave a dimension out, or give {largest[0]!r} fewer categories"
        )


def _check_types(tables: FixedTables, schema: pa.Schema) -> None:
    for measure in tables.measures:
        kind = schema.field(measure.column).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise InvalidParameter(f"sandbox.tables: {measure.column!r} is summed, but it is no column of numbers").at(
                measure.line or None
            )
    for dimension in tables.dimensions:
        kind = schema.field(dimension.column).type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise InvalidParameter(f"sandbox.tables: {dimension.column!r} holds neither text nor numbers nor dates").at(
                dimension.line or None
            )
        if any(isinstance(each, int | float) for each in dimension.edges) and pa.types.is_temporal(kind):
            raise InvalidParameter(
                f"sandbox.tables: the edges of {dimension.name!r} are numbers, but it is a column of dates"
            ).at(dimension.line or None)

"""Groups of persons that an uploader can ask for, and pairs of them that differ in very few.

Whoever brings a table decides its columns, and so which persons stand in a group together. Two groups that differ in
one person give two sums that differ in that person's value. Within one version such pairs are shown to the reviewer;
between versions they are refused (PRIVACY.md 22: import versions are differenced).

Pure: tables in, numbers out; a column's values never leave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import polars as pl
import pyarrow as pa

from sandbox.imports.limits import ImportLimits

PERSON: Final = "person"
PERSON_COLUMN: Final = "\0person"
HELD: Final = "="
OLD: Final = "\0old"
WHOLE: Final = "\0whole"
HASH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """How a version stands to an earlier one, in persons.

    ``changed`` is the least number of persons, above none, in whom one column differs; ``near`` counts pairs of groups
    that differ in few.
    """

    added: int
    removed: int
    changed: int
    near: int
    shared: int

    def singles_out(self, threshold: int) -> bool:
        """Whether the two versions differ in persons, but in fewer than ``threshold`` of them, in some way."""
        small = any(0 < count < threshold for count in (self.added, self.removed, self.changed))
        return self.shared > 0 and (small or self.near > 0)


def near_groups(table: pa.Table, limits: ImportLimits) -> list[dict[str, Any]]:
    """[{columns, pairs}]: pairs of columns of which some groups differ in fewer records than the threshold."""
    frame = _frame(table)
    names = _group_columns(frame, limits)
    found = []
    for left, right in combinations(names, 2):
        pairs = _near(frame.select(pl.col(left).alias("a"), pl.col(right).alias("b")), limits.threshold)
        if pairs:
            found.append({"columns": [left, right], "pairs": pairs})
    return found


def fingerprints(table: pa.Table, keys: Sequence[str], secret: bytes) -> pa.Table:
    """What is kept of a version to compare later ones with: keyed hashes of persons and of what they hold.

    One row a key column and person: ``key``, ``person``, and ``=<column>`` for every column, which are equal where the
    person's values are. Without ``secret`` nothing of it says who is meant.
    """
    frame = _frame(table)
    tables = []
    for key in keys:
        rows = frame.filter(pl.col(key).is_not_null()).with_columns(normalised(pl.col(key)).alias(PERSON_COLUMN))
        persons = rows.group_by(PERSON_COLUMN).agg(
            *(pl.col(name).drop_nulls().sort().str.join("\x1e").alias(HELD + name) for name in frame.columns),
        )
        hashed = {name: _hashed(persons[name], name, secret) for name in persons.columns}
        person = hashed.pop(PERSON_COLUMN)
        tables.append(pa.table({"key": [key] * persons.height, PERSON: person, **hashed}))
    return pa.concat_tables(tables) if tables else pa.table({"key": pa.array([], pa.string())})


def difference(new: pa.Table, old: pa.Table, limits: ImportLimits) -> Difference:
    """The strictest difference over all pairs of key columns that have persons in common."""
    worst = Difference(0, 0, 0, 0, 0)
    for _, before in pl.DataFrame(pl.from_arrow(old)).group_by("key"):
        for _, after in pl.DataFrame(pl.from_arrow(new)).group_by("key"):
            found = _difference(after, before, limits)
            if found.shared and (worst.shared == 0 or found.singles_out(limits.threshold)):
                worst = found
    return worst


def normalised(column: pl.Expr) -> pl.Expr:
    """A key's text as two tables would agree on it: no blanks around, full-width as half-width, one case."""
    full = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
    half = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F))
    return column.cast(pl.String).str.replace_many(list(full), list(half)).str.strip_chars().str.to_uppercase()


def _difference(after: pl.DataFrame, before: pl.DataFrame, limits: ImportLimits) -> Difference:
    both = after.join(before, on=PERSON, how="inner", suffix=OLD)
    shared = both.height
    if not shared:
        return Difference(after.height, before.height, 0, 0, 0)
    same_names = [name for name in after.columns if name.startswith(HELD) and name in before.columns]
    changed = [both.filter(pl.col(name) != pl.col(name + OLD)).height for name in same_names]
    every = after.with_columns(pl.lit("new").alias(WHOLE)).join(
        before.with_columns(pl.lit("old").alias(WHOLE)), on=PERSON, how="full", suffix=OLD, coalesce=True
    )
    near = 0
    for name in _groups_of(after, limits):
        for other in _groups_of(before, limits):
            if name != WHOLE or other != WHOLE:  # the wholes are compared by added and removed
                right = other + OLD if other == WHOLE or other in after.columns else other
                near += _near(every.select(pl.col(name).alias("a"), pl.col(right).alias("b")), limits.threshold)
    return Difference(
        after.height - shared, before.height - shared, min((n for n in changed if n), default=0), near, shared
    )


def _groups_of(frame: pl.DataFrame, limits: ImportLimits) -> list[str]:
    """The columns of a version that make groups, and the whole of it."""
    few = [
        name for name in frame.columns if name.startswith(HELD) and 2 <= frame[name].n_unique() <= limits.group_values
    ]
    return [WHOLE, *few[: limits.group_columns]]


def _near(pair: pl.DataFrame, threshold: int) -> int:
    """Pairs of a value of ``a`` and one of ``b`` that differ in fewer than ``threshold``; null is no group."""
    left = pair.drop_nulls("a").group_by("a").len("na")
    right = pair.drop_nulls("b").group_by("b").len("nb")
    both = pair.drop_nulls().group_by("a", "b").len("both")
    apart = pl.col("na") + pl.col("nb") - 2 * pl.col("both")
    joined = both.join(left, on="a").join(right, on="b").select(apart.cast(pl.Int64).alias("d"), "both")
    # Two groups are near when they are nearly the same: a small group inside another is what thresholds are for.
    return joined.filter((pl.col("d") > 0) & (pl.col("d") < threshold) & (pl.col("both") >= threshold)).height


def _group_columns(frame: pl.DataFrame, limits: ImportLimits) -> list[str]:
    few = [name for name in frame.columns if 2 <= frame[name].drop_nulls().n_unique() <= limits.group_values]
    return few[: limits.group_columns]


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame.with_columns(pl.all().cast(pl.String))


def _hashed(column: pl.Series, place: str, secret: bytes) -> list[bytes]:
    """Every value under the secret, each distinct one once; the column's name is part of it."""
    person = hashlib.blake2b(place.encode(), digest_size=16).digest()

    def hash_one(value: str) -> bytes:
        return hashlib.blake2b(value.encode(), digest_size=HASH_BYTES, key=secret, person=person).digest()

    known = {value: hash_one(value) for value in column.unique().to_list()}
    return [known[value] for value in column.to_list()]

"""How many persons of an import occur in a raw table, overall and by the import's own groups.

Source: PRIVACY.md 22 (thresholds on matched and unmatched persons). The counts are for checkers' findings only. An
author must not learn them: whoever uploads nine strangers and one neighbour would read from "enough persons matched"
whether the neighbour is in the table. So nothing an author sees before the votes, mounting included, depends on them.

Pure: tables in, counts out; the caller seals them away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
import pyarrow as pa

from sandbox.imports.groups import normalised
from sandbox.imports.limits import ImportLimits
from sandbox.workspaces.imports import JoinCounts


def count_matches(
    *,
    name: str,
    table: pa.Table,
    keys: Sequence[str],
    dataset: str,
    raw: Iterable[pa.RecordBatch],
    identifiers: Sequence[str],
    limits: ImportLimits,
) -> JoinCounts:
    """Counts over the pair of key column and identifier in which most persons agree.

    ``raw`` holds at least the columns ``identifiers``. Without keys or identifiers nobody can match.
    """
    persons = {key: _persons(table[key]) for key in keys}
    known: dict[str, pl.Series] = {identifier: pl.Series(identifier, [], dtype=pl.String) for identifier in identifiers}
    for batch in raw:
        for identifier in identifiers:
            known[identifier] = _union(known[identifier], _persons(batch.column(identifier)))
    best: tuple[int, str, str] | None = None
    for key, mine in persons.items():
        for identifier, theirs in known.items():
            matched = int(mine.is_in(theirs.implode()).sum()) if len(theirs) else 0
            if best is None or matched > best[0]:
                best = (matched, key, identifier)
    if best is None:
        return JoinCounts(name, dataset, 0, max((len(p) for p in persons.values()), default=0), 0)
    matched, key, identifier = best
    theirs = known[identifier]
    return JoinCounts(
        name=name,
        dataset=dataset,
        matched=matched,
        import_only=len(persons[key]) - matched,
        dataset_only=len(theirs) - matched,
        groups=_by_groups(table, key, theirs, limits) if matched else {},
    )


def _by_groups(
    table: pa.Table, key: str, theirs: pl.Series, limits: ImportLimits
) -> dict[str, dict[str, tuple[int, int]]]:
    frame = pl.DataFrame(pl.from_arrow(table)).with_columns(normalised(pl.col(key)).alias("\0person"))
    frame = frame.filter(pl.col("\0person").is_not_null())
    frame = frame.with_columns(pl.col("\0person").is_in(theirs.implode()).alias("\0in"))
    groups = {}
    for name in table.schema.names:
        if name == key or not 2 <= frame[name].drop_nulls().n_unique() <= limits.group_values:
            continue
        person = pl.col("\0person")
        counted = (
            frame.drop_nulls(name)
            .group_by(pl.col(name).cast(pl.String).alias("label"))
            .agg(
                person.filter(pl.col("\0in")).n_unique().alias("matched"),
                person.filter(~pl.col("\0in")).n_unique().alias("alone"),
            )
        )
        groups[name] = {str(label): (int(matched), int(alone)) for label, matched, alone in counted.iter_rows()}
    return groups


def _persons(column: pa.Array | pa.ChunkedArray) -> pl.Series:
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    return series.to_frame("k").select(normalised(pl.col("k"))).to_series().drop_nulls().unique()


def _union(left: pl.Series, right: pl.Series) -> pl.Series:
    return pl.concat([left.alias("k"), right.alias("k")]).unique()

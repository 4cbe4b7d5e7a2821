"""The raw-match test: what of an output can be found in the raw tables.

Nobody but the checking side can do this: it holds the raw data. Two streaming passes over each raw table, columns
never rows. The first finds which output values, and which readings of its labels, occur where and how often, and
gathers the numbers of columns with many values (`numbers` turns disguises back). The second counts, for every output
row, the raw records equal to it on the columns that match, and how much of a group's sum its largest record holds. A
value or group of fewer than ``threshold`` records is a finding, whatever count the output states, so repeated rows
do not help.

A raw column's own spelling decides (`spelling`), and nulls match nothing. Nothing of a raw table outlives the check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.checks import numbers
from sandbox.airlock.checks.claims import check_claims, counts_all, of_equal_counts, states_all
from sandbox.airlock.checks.columns import Columns
from sandbox.airlock.checks.derived import Registered, bands_of, groupings, is_number
from sandbox.airlock.checks.encoded import readings
from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.groups import Groups, Query, Seen, count_groups, fewer_than, stated_beyond
from sandbox.airlock.checks.recomputed import Explained, recompute
from sandbox.airlock.checks.spelling import Places, Positions, spellings
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.roles import ColumnRole, is_label
from sandbox.airlock.typed import TableKind, TypedTable, is_total, key_columns

OpenTable = Callable[[], AbstractContextManager[pa.RecordBatchReader]]
Occurrences = Mapping[str, Counter[str]]
KEPT_BYTES: Final = 256 * 1024 * 1024
RECOMPUTED_BYTES: Final = 1024 * 1024 * 1024
"""Of a raw table, what is held at most to recompute figures from; of a larger one checkers are told so."""
_MOST: Final = 0.9
"""Share of a column's values that a raw column must hold to be what it repeats: one strange row hides nothing."""
_SAME_NAME: Final = 0.5
"""The same for a raw column of the same name."""
_MIN_ENCODED: Final = 2
_TOLD_OF_COUNTS: Final = frozenset({"overstated_count", "counts_unlike_raw"})
"""Findings that say of the counts of a whole table what `count_not_recomputed` says of a column."""
MOST_WAYS: Final = 6
"""Ways in which a table's groups may be made of raw columns that are tried."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """One raw table: how to stream it and how many distinct values its columns hold (from the intake's profile).

    ``kind``: an intake; an import whose records are ``persons``; or one of ``things``, which has no person key: then
    what matches it is a question for the checker (was a key left undeclared?) and stops nothing.
    """

    name: str
    open: OpenTable
    distinct: Mapping[str, int] = field(default_factory=dict)
    kind: Literal["intake", "persons", "things"] = "intake"
    registered: Sequence[Registered] = ()
    """Groupings that the data officer registered for its columns."""


@dataclass(frozen=True, slots=True)
class RawMatch:
    """What the passes found: findings, and raw categories frequent enough to be labels."""

    findings: tuple[Finding, ...]
    frequent: frozenset[str]
    placed: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """By table, the columns of labels that are a raw column's."""


def match_raw(
    tables: Sequence[TypedTable],
    raws: Sequence[RawTable],
    limits: AirlockLimits,
    *,
    known: frozenset[str] = frozenset(),
    direct: frozenset[str] = frozenset(),
) -> RawMatch:
    """Search every raw table for the output's values and rows. ``known`` labels are not read another way.

    ``direct``: names of direct identifiers, in lower case.
    """
    findings: list[Finding] = []
    asked: list[Finding] = []
    frequent: set[str] = set()
    found: dict[str, list[Groups]] = {"intake": [], "persons": [], "things": []}
    derived: list[Groups] = []
    placed: dict[str, frozenset[int]] = {table.name: frozenset() for table in tables}
    explained: dict[str, list[Explained]] = {}
    alike: list[Finding] = []
    values = {t for table in tables for i in range(len(table.columns)) for t in spellings(table, i) if t is not None}
    read = {label: readings(label) for label in _labels(tables, limits) - known} if raws else {}
    wanted = sorted(values.union(*read.values()))
    disguises = {table.name: list(numbers.candidates(table)) for table in tables}
    persons = {table.name: list(numbers.of_persons(table)) for table in tables}
    for raw in raws if values else ():
        occurrences, columns, types, seen = _first_pass(
            raw, wanted, limits, gather=any([*disguises.values(), *persons.values()])
        )
        frequent |= {
            value
            for column, counts in occurrences.items()
            if raw.distinct.get(column, limits.high_cardinality) <= limits.max_labels
            for value, count in counts.items()
            if count >= (1 if raw.kind == "things" else limits.threshold) and value in values
        }
        told = asked if raw.kind == "things" else findings
        for table in tables:
            told += _values(table, raw, occurrences, limits, direct)
            told += _encoded(table, raw, occurrences, read, limits, direct)
            numeric = list(_numbers(table, disguises[table.name], columns))
            alike += numeric if raw.kind == "intake" else []
            told += numeric if raw.kind != "intake" else []
            placed[table.name] |= _placed(table, _mapping(table, occurrences, raw))
            told += _persons(table, persons[table.name], columns)
        queries = _queries(tables, raw, occurrences)
        queries += _derived(tables, raw, occurrences, types) if raw.kind == "intake" else []
        answers = count_groups(raw.open, queries, seen=seen)
        found[raw.kind] += [each for each in answers if each.query.kind != "derived"]
        derived += [each for each in answers if each.query.kind == "derived"]
        stopped = {finding.file for finding in findings if finding.blocking}
        for name, told_of in _recomputed(raw, seen, answers, limits, stopped=stopped):
            explained.setdefault(name, []).append(told_of)
    about = [[one for one in each if one.about] for each in explained.values()]
    best = [min(each, key=lambda one: (len(one.findings), -len(one.columns))) for each in about if each]
    known_columns = {column for each in best for column in each.columns}
    findings += [finding for finding in alike if (finding.file, finding.column) not in known_columns]
    # Each by itself: a group that is large in an import of one's own is not large in the raw table for that.
    of_rows = _rows(tables, found["intake"], limits)
    findings += [f for f in of_rows if f.rule != "means_unlike_raw" or (f.file, f.column) not in known_columns]
    findings += _rows(tables, found["persons"], limits)
    asked += _rows(tables, found["things"], limits)
    if any(raw.kind == "intake" for raw in raws):
        findings += _dominance(tables, found["intake"], derived, limits)
    findings += [Finding("import_records", name) for name in dict.fromkeys(finding.file for finding in asked)]
    named = {(each.file, each.column) for each in findings if each.column and each.rule != "dominance_unchecked"}
    named |= {(finding.file, "") for finding in findings if finding.rule in _TOLD_OF_COUNTS}
    for each in (each for one in best for each in one.findings):
        if not named & {(each.file, each.column), (each.file, "" if each.rule == "count_not_recomputed" else "-")}:
            findings.append(each)
    return RawMatch(tuple(dict.fromkeys(findings)), frozenset(frequent), placed)


def _labels(tables: Sequence[TypedTable], limits: AirlockLimits) -> set[str]:
    """Texts of columns that may leave at all: those with too many different ones are stopped for that."""
    found: set[str] = set()
    for table in tables:
        for index in range(len(table.columns)):
            texts = {cell for cell in table.column(index) if isinstance(cell, str)}
            found |= texts if len(texts) <= limits.max_labels else set()
    return found


def _first_pass(
    raw: RawTable, wanted: Sequence[str], limits: AirlockLimits, *, gather: bool
) -> tuple[dict[str, Counter[str]], dict[str, numbers.RawNumbers], dict[str, pa.DataType], Seen | None]:
    """For each raw column, how often each of ``wanted`` occurs in it; the numbers of columns with many; the columns'
    types; what was seen.

    A table of at most ``KEPT_BYTES`` is kept for the second pass instead of being decrypted and searched twice.
    """
    kept: Seen | None = Seen(wanted)
    size = 0
    tallies: dict[str, np.ndarray] = {}
    chunks: dict[str, list[numbers.Floats]] = {}
    types: dict[str, pa.DataType] = {}
    for batch, positions in _searched(raw, wanted):
        types = types or {name: column.type for name, column in zip(batch.schema.names, batch.columns, strict=True)}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            tally = np.bincount(positions[name] + 1, minlength=len(wanted) + 1)[1:]
            tallies[name] = tallies[name] + tally if name in tallies else tally
            if gather and is_number(column.type) and _many(raw, name, limits):
                chunks.setdefault(name, []).append(_floats(column))
        size += batch.nbytes + sum(each.nbytes for each in positions.values())
        if kept is not None and size <= KEPT_BYTES:
            kept.batches.append((batch, positions))
        else:
            kept = None
    occurrences = {
        name: Counter({wanted[i]: int(tally[i]) for i in np.flatnonzero(tally).tolist()})
        for name, tally in tallies.items()
    }
    gathered = {name: numbers.RawNumbers.of(np.concatenate(parts)) for name, parts in chunks.items()}
    return occurrences, gathered, types, kept


def _searched(raw: RawTable, wanted: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, dict[str, Positions]]]:
    """Each batch with where its values are among ``wanted``; searched while the next one is decrypted."""
    places: dict[str, Places] = {}

    def search(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, Positions]]:
        found = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name not in places:
                places[name] = Places(wanted, column.type)
            found[name] = places[name].of(column)
        return batch, found

    with raw.open() as reader, ThreadPoolExecutor(1, "airlock-search") as pool:
        waiting: Future[tuple[pa.RecordBatch, dict[str, Positions]]] | None = None
        for batch in reader:
            searching = pool.submit(search, batch)
            if waiting is not None:
                yield waiting.result()
            waiting = searching
        if waiting is not None:
            yield waiting.result()


def _values(
    table: TypedTable, raw: RawTable, occurrences: Occurrences, limits: AirlockLimits, direct: frozenset[str]
) -> Iterator[Finding]:
    """Strings and whole-number labels that few raw records of a high-cardinality column have."""
    for index, column in enumerate(table.columns):
        if not is_label(column) and column.type != "string":
            continue
        texts = [key for key in spellings(table, index) if key is not None and len(key) > 1]
        anywhere = isinstance_text(column.type)
        rare = sum(
            _is_rare(text, raw, occurrences, limits, direct, only=None if anywhere else column.name)
            for text in texts
            if not is_total(text)
        )
        if rare:
            yield Finding("raw_value", table.name, column.name, rare)


def _encoded(
    table: TypedTable,
    raw: RawTable,
    occurrences: Occurrences,
    read: Mapping[str, frozenset[str]],
    limits: AirlockLimits,
    direct: frozenset[str],
) -> Iterator[Finding]:
    """Labels that, read another way, are values that few raw records have."""
    for index, column in enumerate(table.columns):
        labels = {cell for cell in table.column(index) if isinstance(cell, str) and cell in read}
        # A category that many records have is that category, whatever else may be read into it.
        strange = {label for label in labels if all(label not in counts for counts in occurrences.values())}
        hidden = sum(any(_is_rare(text, raw, occurrences, limits, direct) for text in read[label]) for label in strange)
        if hidden >= _MIN_ENCODED:
            yield Finding("encoded_value", table.name, column.name, hidden)


def _is_rare(
    text: str,
    raw: RawTable,
    occurrences: Occurrences,
    limits: AirlockLimits,
    direct: frozenset[str],
    *,
    only: str | None = None,
) -> bool:
    """Whether few raw records have the value. What is a frequent category of any column is that category.

    Only columns of many values are asked whether they have it: in the others, few records of a value are a small group.
    A person with many records is one person: what identifies directly is no category, however often it is there.
    """
    places = {name: counts[text] for name, counts in occurrences.items() if text in counts and only in {None, name}}
    times = max((count for name, count in places.items() if name.casefold() not in direct), default=0)
    return any(_many(raw, name, limits) for name in places) and times < limits.threshold


def _numbers(
    table: TypedTable, candidates: Sequence[numbers.Numbers], columns: Mapping[str, numbers.RawNumbers]
) -> Iterator[Finding]:
    """A column of numbers that all are, or stand for, numbers of one high-cardinality raw column is that column.

    Another way to read a column is tried only as long as none has told.
    """
    told: set[str] = set()
    for found in candidates:
        if found.column in told:
            continue
        if any(numbers.copied(found, raw) for raw in columns.values()):
            yield Finding("raw_numbers", table.name, found.column, len(found.values))
        elif any(numbers.disguised(found, raw) for raw in columns.values()):
            yield Finding("disguised_numbers", table.name, found.column, len(found.values))
        else:
            continue
        told.add(found.column)


def _persons(
    table: TypedTable, candidates: Sequence[numbers.Numbers], columns: Mapping[str, numbers.RawNumbers]
) -> Iterator[Finding]:
    """Coefficients that give one record's number."""
    single = [found for found in candidates if any(numbers.is_record(found, raw) for raw in columns.values())]
    if single:
        yield Finding("disguised_numbers", table.name, single[0].column, len(single))


def _queries(tables: Sequence[TypedTable], raw: RawTable, occurrences: Occurrences) -> list[Query]:
    """What to count for each table: its group columns, and all columns that match."""
    queries: list[Query] = []
    for table in tables:
        if table.kind is TableKind.MODEL:
            continue
        mapped = _mapping(table, occurrences, raw)
        groups = {i: name for i, name in mapped.items() if table.columns[i].role is ColumnRole.DIMENSION}
        if groups:
            keys = key_columns(table, _placed(table, groups))
            whole = groups.keys() >= set(keys)
            # What no group needs and no raw column explains is not looked for in the raw table (`beside`).
            groups = {i: name for i, name in groups.items() if i in keys} if whole else groups
            sums = whole and table.kind is TableKind.MAGNITUDE
            counted = raw.kind == "intake"
            queries.append(Query(table, groups, "groups", sums=sums, counted=counted, keeps=whole and counted))
        if len(mapped) >= 3 and len(mapped) > len(groups):
            queries.append(Query(table, mapped, "records"))
    return queries


def _rows(tables: Sequence[TypedTable], found: Sequence[Groups], limits: AirlockLimits) -> Iterator[Finding]:
    """Rows that name few raw records, state more than there are, or a sum that one record holds.

    Several raw tables may have a group; the one that has most of an output's group columns is what it is about.
    """
    for table in tables:
        for kind, rule in (("groups", "small_group_in_raw"), ("records", "raw_row")):
            of_table = [each for each in found if each.query.table is table and each.query.kind == kind]
            most = max((len(each.query.mapped) for each in of_table), default=0)
            about = [each for each in of_table if len(each.query.mapped) == most]
            few = fewer_than(about, limits.threshold) if about else 0
            if few:
                yield Finding(rule, table.name, count=few)
            if kind == "records" or not about:
                continue
            if about[0].query.counted:
                more = 0 if any(each.query.differs_in_name for each in about) else stated_beyond(about, limits.rounding)
                if more:
                    yield Finding("overstated_count", table.name, count=more)
                yield from check_claims(table, about, limits.rounding)
            for each in about:
                for column, cells in each.dominated(limits.dominance_percent / 100):
                    yield Finding("dominance", table.name, column, cells)


def _derived(
    tables: Sequence[TypedTable], raw: RawTable, occurrences: Occurrences, types: Mapping[str, pa.DataType]
) -> list[Query]:
    """For each table of sums or means with groups that no raw column holds, the ways in which they may be made."""
    queries: list[Query] = []
    for table in tables:
        if not _has_figures(table):
            continue
        mapped = _mapping(table, occurrences, raw)
        dimensions = key_columns(table, _placed(table, mapped))
        made = {
            index: groupings(_group_labels(table, index), types, raw.registered, name=table.columns[index].name)
            for index in dimensions
            if index not in mapped
        }
        if not made:
            continue
        for chosen in islice(product(*made.values()), MOST_WAYS):
            ways = dict(zip(made, chosen, strict=True))
            columns = {i: mapped[i] for i in dimensions if i in mapped} | {i: way.column for i, way in ways.items()}
            queries.append(Query(table, columns, "derived", sums=_has_sums(table), made=ways, keeps=True))
    return queries


def _dominance(
    tables: Sequence[TypedTable], found: Sequence[Groups], derived: Sequence[Groups], limits: AirlockLimits
) -> Iterator[Finding]:
    """Sums that one record holds, of groups that the code made; and tables of which nobody can say.

    Only a grouping whose sizes are the stated counts is the output's own.
    """
    for table in tables:
        if not _has_sums(table):
            continue
        of_raw = [each for each in found if each.query.table is table and each.query.sums]
        of_code = [each for each in derived if each.query.table is table]
        own = [each for each in of_code if states_all(table, each, limits.rounding)]
        for each in own:
            for column, cells in each.dominated(limits.dominance_percent / 100):
                yield Finding("dominance", table.name, column, cells)
        if not own and not any(counts_all(table, each, limits.rounding) for each in of_raw):
            measures = [table.columns[index].name for index in table.indexes(ColumnRole.MEASURE)]
            yield Finding("dominance_unchecked", table.name, ", ".join(measures), len(table.rows))
            there = [each for each in of_code if each.records.any()]
            if there and not of_raw and all(of_equal_counts(table, each, limits.rounding) for each in there):
                yield Finding("counts_unlike_raw", table.name, count=len(table.rows))


def _has_figures(table: TypedTable) -> bool:
    """Whether a table of groups states anything beside how many each has."""
    return bool(table.indexes(ColumnRole.DIMENSION)) and (
        bool(table.indexes(ColumnRole.MEASURE, ColumnRole.SHARE)) or len(table.indexes(ColumnRole.COUNT)) > 1
    )


def _recomputed(
    raw: RawTable, seen: Seen | None, answers: Sequence[Groups], limits: AirlockLimits, *, stopped: Collection[str]
) -> Iterator[tuple[str, Explained]]:
    """What of each table can be recomputed from the raw records of its groups. What is stopped already is not asked."""
    asked = [
        each
        for each in answers
        if each.query.keeps
        and each.query.table.name not in stopped
        and not fewer_than([each], limits.threshold)
        and (each.query.kind == "groups" or states_all(each.query.table, each, limits.rounding))
    ]
    if not asked:
        return
    batches = _batches(raw, seen)
    columns = Columns(batches or ())
    for each in asked:
        name = each.query.table.name
        too_large = Explained([Finding("raw_too_large", name)], about=True)
        yield name, too_large if batches is None else recompute(each, columns, limits)


def _batches(raw: RawTable, seen: Seen | None) -> list[pa.RecordBatch] | None:
    """The raw table in memory; None: it is too large for that."""
    if seen is not None:
        return [batch for batch, _ in seen.batches]
    held: list[pa.RecordBatch] = []
    size = 0
    with raw.open() as reader:
        for batch in reader:
            size += batch.nbytes
            if size > RECOMPUTED_BYTES:
                return None
            held.append(batch)
    return held


def _has_sums(table: TypedTable) -> bool:
    """Whether a table of groups states what their records add up to, or the mean of that."""
    return table.kind is TableKind.MAGNITUDE and bool(
        table.indexes(ColumnRole.MEASURE) and table.indexes(ColumnRole.DIMENSION)
    )


def _group_labels(table: TypedTable, index: int) -> list[str]:
    return sorted({key for key in spellings(table, index) if key is not None and not is_total(key)})


def _mapping(table: TypedTable, occurrences: Occurrences, raw: RawTable) -> dict[int, str]:
    """Which raw column each output column repeats: same name first, then the richest that holds its values."""
    mapped: dict[int, str] = {}
    for index, column in enumerate(table.columns):
        keys = {key for key in spellings(table, index) if key is not None and not is_total(key)}
        held = {name: len(keys & counts.keys()) / len(keys) for name, counts in occurrences.items() if keys}
        if max(held.values(), default=0.0) < 1.0 and bands_of(sorted(keys)):
            continue  # of 28, 29, 30+ the last is in no column: they are bands
        if held.get(column.name, 0.0) >= _SAME_NAME:
            mapped[index] = column.name
            continue
        if index in table.numbered:
            continue  # 1, 2, 3 are in many columns
        holders = [name for name, share in held.items() if share >= _MOST]
        if holders and column.role is not ColumnRole.COUNT:
            mapped[index] = max(holders, key=lambda name: (held[name], raw.distinct.get(name, 0), name))
    return mapped


def _placed(table: TypedTable, mapped: Mapping[int, str]) -> frozenset[int]:
    """Columns of labels that are a raw column's: by its name, or as the only one that has its values."""
    named = {name for index, name in mapped.items() if table.columns[index].name == name}
    others = Counter(name for index, name in mapped.items() if table.columns[index].name != name)
    return frozenset(
        index
        for index, name in mapped.items()
        if table.columns[index].name == name or (name not in named and others[name] == 1)
    )


def _many(raw: RawTable, name: str, limits: AirlockLimits) -> bool:
    return raw.distinct.get(name, limits.high_cardinality) >= limits.high_cardinality


def _floats(column: pa.Array) -> numbers.Floats:
    filled = pc.cast(column.drop_null(), pa.float64(), safe=False)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.float64)


def isinstance_text(type_: str) -> bool:
    """Whether values of the type are distinctive enough to be looked for under other column names."""
    return type_ in {"string", "date"}

"""
Several tables of one dataset, masked by one policy set: all of them or none.

Every policy, schema and key is checked before a record of any table is read. Foreign keys join after masking as they
did before, because both columns are masked alike (``check_set``).

A record that leaves (for a limit, a condition, a sample) takes along those that refer to it, or a reference to nothing
would say of a record that it left, and mostly why. So tables are masked in the order of their keys, and of a table only
the records are read whose references stand in the masked tables before; limits are then counted over these.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from masking import Masked
from masking.engines.local import IsCancelled, MakeReader, apply_stream, compile  # noqa: A004
from masking.engines.plan import Step
from masking.errors import BadFile, InvalidValue
from masking.keys import Keys, as_keys
from masking.policy import PolicySet, check_set, load_set
from masking.policy.check_set import check_tables, in_order
from masking.policy.model import ForeignKey
from masking.report import MaskingReport
from masking.table import FORMATS, as_reader, file_format, open_table, write_table
from masking.table.batches import BATCH_ROWS

Progress = Callable[[str, str, int], None]
"""Told the table, the stage and the records done in it."""


@dataclass(frozen=True, slots=True)
class References:
    """How often ``foreign_key`` names a record of its table. Nulls refer to nothing and are not counted."""

    foreign_key: str
    references: int
    dangling: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MaskedFiles:
    """What was written: a report for each table, and what became of the references between them.

    ``followed``: records of each table that left because a record they refer to is not there. The reports do not count
    them among the records that came in.
    """

    reports: Mapping[str, MaskingReport]
    followed: Mapping[str, int]
    before: tuple[References, ...]
    after: tuple[References, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "version": 1,
            "tables": {name: report.to_dict() for name, report in self.reports.items()},
            "followed": dict(self.followed),
            "references": {
                "before": [each.to_dict() for each in self.before],
                "after": [each.to_dict() for each in self.after],
            },
        }


def apply(
    policies: Any, tables: Mapping[str, Any], keys: Any = None, *, files: str | Path | None = None
) -> dict[str, Masked]:
    """
    Mask tables in memory by a policy set, its YAML text or its path; none of them is changed.

    Raises:
        PolicyError, KeyMissing: before a record is read; the policy names exactly these tables.
        DataError, LimitsNotMet: as ``masking.apply``, of the first table that fails; none is returned then.

    """
    if not isinstance(policies, PolicySet):
        if files is None and (isinstance(policies, Path) or "\n" not in str(policies)):
            files = Path(policies).parent
        policies = load_set(policies)
    folder = None if files is None else Path(files)
    check_tables(policies, tables)
    readers = {name: as_reader(tables[name]) for name in policies.tables}
    _check(policies, {name: reader.schema for name, (reader, _) in readers.items()}, as_keys(keys), folder)
    whole = {name: reader.read_all() for name, (reader, _) in readers.items()}
    masked: dict[str, pa.Table] = {}
    reports, _ = _apply(
        policies,
        {name: partial(table.to_reader, max_chunksize=BATCH_ROWS) for name, table in whole.items()},
        as_keys(keys),
        lambda name, stream: masked.update({name: stream.read_all()}),
        files=folder,
    )
    return {name: Masked(readers[name][1](masked[name].to_reader()), reports[name]) for name in policies.tables}


def apply_folder(
    policies: PolicySet,
    folder: Path,
    output: Path,
    keys: Keys | None,
    *,
    files: Path | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> MaskedFiles:
    """
    Mask the files of a folder, one a table with the table's name, into a new folder that appears whole or not at all.

    Each masked file has the name and format of its raw one. ``progress`` and ``cancelled`` as in ``apply_stream``.

    Raises:
        BadFile: a table has no file or two, a file has no policy, or ``output`` is there already.
        MaskingError: as ``apply_stream``; ``output`` does not appear then.

    """
    if output.exists() or output.is_symlink():
        raise BadFile(f"the folder {output.name!r} is there already; nothing is overwritten")
    paths = files_of(policies, folder)
    tables = {name: partial(open_table, path) for name, path in paths.items()}
    _check(policies, {name: make().schema for name, make in tables.items()}, keys, files)
    before = references(policies, tables)
    temporary = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    try:
        reports, followed = _apply(
            policies,
            tables,
            keys,
            lambda name, stream: _ignore(write_table(stream, temporary / paths[name].name)),
            files=files,
            progress=progress,
            cancelled=cancelled,
        )
        written = {name: partial(open_table, temporary / path.name) for name, path in paths.items()}
        after = references(policies, written)
        temporary.chmod(folder.stat().st_mode & 0o777)
        temporary.rename(output)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return MaskedFiles(reports, followed, before, after)


def files_of(policies: PolicySet, folder: Path) -> dict[str, Path]:
    """The file of each table: ``visits.csv``, ``visits.parquet`` … Files of no known format are none of the tables."""
    if not folder.is_dir():
        raise BadFile(f"there is no folder {folder.name!r}; several tables stand in one folder, one file each")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        table = _table_of(path)
        if table and path.is_file():
            found.setdefault(table, []).append(path)
    check_tables(policies, found)
    for table, paths in found.items():
        if paths[1:]:
            raise BadFile(f"the table {table!r} has several files: {[path.name for path in paths]}")
    return {table: found[table][0] for table in policies.tables}


def references(policies: PolicySet, tables: Mapping[str, MakeReader]) -> tuple[References, ...]:
    """
    Count the references of each foreign key and those that name no record.

    Memory: the distinct values of the columns, as hashes of 64 bits; two that meet by chance count as one.
    """
    return tuple(_references(key, tables) for key in policies.foreign_keys)


def _references(key: ForeignKey, tables: Mapping[str, MakeReader]) -> References:
    there = _Values()
    for batch in tables[key.to_table]():
        there.add(batch.column(key.to_column))
    counted = dangling = 0
    for batch in tables[key.table]():
        column = batch.column(key.column)
        counted += len(column) - column.null_count
        dangling += int((~there.holds(column)).sum())
    return References(str(key), counted, dangling)


class _Values:
    """The distinct values of a column as hashes of their text, so that 7 and "7" are one key."""

    def __init__(self) -> None:
        self._hashes = pl.Series(dtype=pl.UInt64)
        self._fresh: list[pl.Series] = []

    def add(self, column: pa.Array) -> None:
        """Take the values of a batch; nulls are none."""
        self._fresh.append(_hashed(column).drop_nulls().unique())

    def holds(self, column: pa.Array) -> pl.Series:
        """Whether each value is there; a null refers to nothing, so nothing is missing."""
        if self._fresh:
            self._hashes = pl.concat([self._hashes, *self._fresh]).unique()
            self._fresh = []
        return _hashed(column).is_in(self._hashes.implode()).fill_null(True)


def _hashed(column: pa.Array) -> pl.Series:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    text = pl.Series(column.cast(pa.large_string()), dtype=pl.String)
    return pl.select(pl.when(text.is_not_null()).then(text.hash(0, 1, 2, 3))).to_series()


def _check(policies: PolicySet, schemas: Mapping[str, pa.Schema], keys: Keys | None, files: Path | None) -> None:
    """Everything that policies and keys can be wrong about, of all tables."""
    check_set(policies, schemas, files=files)
    for name, policy in policies.tables.items():
        compile(policy, schemas[name], keys, files=files)


def _apply(
    policies: PolicySet,
    tables: Mapping[str, MakeReader],
    keys: Keys | None,
    sink: Callable[[str, pa.RecordBatchReader], None],
    *,
    files: Path | None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> tuple[dict[str, MaskingReport], dict[str, int]]:
    there: dict[tuple[str, str], _Values] = {(key.to_table, key.to_column): _Values() for key in policies.foreign_keys}
    reports: dict[str, MaskingReport] = {}
    followed: dict[str, int] = {}
    for name in in_order(policies):
        policy = policies.tables[name]
        plan = compile(policy, tables[name]().schema, keys, files=files)
        steps = {step.name: step for step in plan.steps}
        wanted = [
            (steps[key.column], there[key.to_table, key.to_column])
            for key in policies.foreign_keys
            if key.table == name
        ]
        kept = {column: values for (table, column), values in there.items() if table == name}
        following = _Following(tables[name], wanted)
        reports[name] = apply_stream(
            policy,
            following.read,
            keys,
            lambda stream, name=name, kept=kept: sink(name, _remembered(stream, kept)),  # type: ignore[misc]
            progress=None if progress is None else partial(progress, name),
            cancelled=cancelled,
            files=files,
        )
        followed[name] = following.left
    return {name: reports[name] for name in policies.tables}, {name: followed[name] for name in policies.tables}


class _Following:
    """A raw table without the records that refer to what is not in the masked tables; ``left`` counts those."""

    def __init__(self, make: MakeReader, wanted: Sequence[tuple[Step, _Values]]) -> None:
        self._make = make
        self._wanted = wanted
        self.left = 0

    def read(self) -> pa.RecordBatchReader:
        """The records that stay, in their order, the same in each pass."""
        reader = self._make()
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader)) if self._wanted else reader

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        self.left, rows = 0, 0
        for batch in reader:
            stays = pl.repeat(True, batch.num_rows, eager=True)
            for step, there in self._wanted:
                try:
                    masked, _ = step.apply({step.name: batch.column(step.name)})
                except InvalidValue as error:
                    raise error.after(rows) from None
                stays &= there.holds(masked)
            rows += batch.num_rows
            self.left += int((~stays).sum())
            yield batch if stays.all() else batch.filter(pa.array(stays.to_numpy()))


def _remembered(stream: pa.RecordBatchReader, kept: Mapping[str, _Values]) -> pa.RecordBatchReader:
    """The same stream; the values of the columns that others refer to are remembered on the way."""

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream:
            for column, values in kept.items():
                values.add(batch.column(column))
            yield batch

    return pa.RecordBatchReader.from_batches(stream.schema, batches())


def _table_of(path: Path) -> str:
    """The table that a file's name says; empty if its format is not known."""
    if path.name.startswith(".") or not any(path.name.lower().endswith(f".{known}") for known in FORMATS):
        return ""
    return path.name[: -len(file_format(path)) - 1]


def _ignore(_rows: int) -> None:
    """A sink returns nothing."""

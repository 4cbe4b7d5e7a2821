"""
The local engine: a plan run over batches on this machine.

``apply_stream`` reads twice with flat memory: the first pass counts equivalence classes of the masked table, then the
limits decide which classes leave, and only then the second pass writes. ``apply`` does the same for a table in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from masking import Masked
from masking.disclosure import Tabulated, tabulate
from masking.engines.classes import COUNT, ClassCounter, figures, share_alone, within
from masking.engines.plan import MaskedBatch, Plan, Step, compile  # noqa: A004
from masking.errors import Cancelled, InvalidValue, LimitsNotMet, PolicyError
from masking.keys import Keys, as_keys
from masking.measures.profile import ColumnProfiles
from masking.policy.load import load
from masking.policy.model import MaskingPolicy
from masking.policy.reporting import build_report, watch
from masking.report import MaskingReport, RiskFigures
from masking.table import as_reader
from masking.table.frames import BATCH_ROWS

__all__ = ["MaskedBatch", "Plan", "Step", "apply", "apply_stream", "compile", "fit", "run", "seen"]

MakeReader = Callable[[], pa.RecordBatchReader]
Sink = Callable[[pa.RecordBatchReader], None]
Progress = Callable[[str, int], None]
"""Told the stage ("measure" or "write") and the records done in it."""
IsCancelled = Callable[[], bool]


def run(
    plan: Plan,
    reader: pa.RecordBatchReader,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> pa.RecordBatchReader:
    """
    Mask a stream batch by batch, lazily; limits are not applied here (see ``apply_stream``).

    Raises while it is read:
        InvalidValue: as ``Plan.mask_batch``, with records counted from the start of the stream.
        Cancelled: ``cancelled`` said so between two batches.

    """
    masked = (each.masked for each in _runs(plan, reader, "write", progress, cancelled))
    return pa.RecordBatchReader.from_batches(plan.output_schema, masked)


def apply_stream(
    policy: MaskingPolicy,
    make_reader: MakeReader,
    keys: Keys | None,
    sink: Sink,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    files: Path | None = None,
) -> MaskingReport:
    """
    Mask a stream and give it to ``sink``; records of classes below the limits leave.

    ``make_reader`` is called once a pass (twice with limits, else once) and must give the same records each time.
    ``sink`` reads its reader to the end and keeps nothing if that raises; it is not called at all when the limits are
    not met.

    Raises:
        PolicyError, KeyMissing: before a record is read.
        DataError: values are not as the policy declares them.
        LimitsNotMet: more records than ``limits.suppression`` allows would leave.
        Cancelled: ``cancelled`` said so between two batches.

    """
    reader = make_reader()
    plan = compile(policy, reader.schema, keys, files=files)
    control = _Control(progress, cancelled)
    if plan.unfitted:
        plan = fit(plan, reader, progress=progress, cancelled=cancelled)
        reader = _again(make_reader, plan)
    if policy.aggregate is not None:
        return _aggregated(policy, plan, reader, sink, control)
    measured = _Measured.of(policy, plan)
    stays: pl.DataFrame | None = None
    if _has_limits(policy):
        for each in _runs(plan, reader, "measure", *control.both):
            measured.add(plan, each)
        stays = _enforced(policy, measured)
        reader = _again(make_reader, plan)
    written = _Written.of(plan, measured, stays, watch(policy, plan.output_schema))
    sink(
        pa.RecordBatchReader.from_batches(
            plan.output_schema, written.batches(_runs(plan, reader, "write", *control.both))
        )
    )
    if not written.ended:
        raise AssertionError("the sink did not read to the end")
    return build_report(
        policy,
        rows_in=written.rows_in,
        rows_out=written.rows_out,
        left_out=written.rows_in - written.rows_kept,
        suppressed=written.rows_kept - written.rows_out,
        before=measured.before_figures(),
        after=measured.after_figures(stays),
        uniqueness_all_columns=share_alone(written.all_columns),
        nulls=written.nulls,
        rejects=written.rejects,
        derived=plan.derived_names,
        profiles=written.profiles,
    )


def apply(policy: Any, table: Any, keys: Any = None, *, files: str | Path | None = None) -> Masked:
    """See ``masking.apply``."""
    if not isinstance(policy, MaskingPolicy):
        if files is None and (isinstance(policy, Path) or "\n" not in str(policy)):
            files = Path(policy).parent
        policy = load(policy)
    reader, restore = as_reader(table)
    plan_first = compile(policy, reader.schema, as_keys(keys), files=None if files is None else Path(files))
    del plan_first  # everything the policy can be wrong about is known before a record is read
    whole = reader.read_all()
    masked: list[pa.Table] = []
    report = apply_stream(
        policy,
        lambda: whole.to_reader(max_chunksize=BATCH_ROWS),
        as_keys(keys),
        lambda stream: masked.append(stream.read_all()),
        files=None if files is None else Path(files),
    )
    return Masked(restore(masked[0].to_reader()), report)


@dataclass(frozen=True)
class _Control:
    progress: Progress | None
    cancelled: IsCancelled | None

    @property
    def both(self) -> tuple[Progress | None, IsCancelled | None]:
        return self.progress, self.cancelled


@dataclass
class _Measured:
    """The classes of the raw and of the masked table."""

    unit: str | None
    before: ClassCounter | None
    after: ClassCounter

    @classmethod
    def of(cls, policy: MaskingPolicy, plan: Plan) -> "_Measured":
        units = policy.unit is not None
        before = ClassCounter(policy.person_columns, units=units) if policy.about_persons else None
        counted = (*policy.quasi_identifiers, *plan.derived_names)
        return cls(policy.unit, before, ClassCounter(counted, policy.sensitive, units=units))

    def add(self, plan: Plan, done: MaskedBatch) -> None:
        persons = None if self.unit is None else done.kept.column(self.unit)
        if self.before is not None:
            self.before.add(done.kept, persons)
        self.after.add(seen(plan, done), persons)

    def before_figures(self) -> RiskFigures | None:
        return None if self.before is None else figures(self.before)

    def after_figures(self, stays: pl.DataFrame | None) -> RiskFigures | None:
        return None if self.before is None else figures(self.after, stays)


@dataclass
class _Written:
    """The second pass: leaves out what may not stay and counts what is written."""

    measured: _Measured
    measures_too: bool  # without limits there was no first pass
    plan: Plan
    stays: pl.DataFrame | None
    all_columns: ClassCounter
    profiles: ColumnProfiles
    rows_in: int = 0
    rows_kept: int = 0
    rows_out: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    ended: bool = False

    @classmethod
    def of(cls, plan: Plan, measured: _Measured, stays: pl.DataFrame | None, profiles: ColumnProfiles) -> "_Written":
        keys = [name for name in measured.after.keys if name != "u"]
        kept = None if stays is None else stays.select(keys).unique()
        return cls(measured, stays is None, plan, kept, ClassCounter(plan.output_schema.names), profiles)

    def batches(self, runs: Iterator[MaskedBatch]) -> Iterator[pa.RecordBatch]:
        for done in runs:
            self.rows_in += done.records
            self.rows_kept += done.kept.num_rows
            if self.measures_too:
                self.measured.add(self.plan, done)
            self.rejects.update(done.rejects)
            rows = None if self.stays is None else self._staying(done)
            left = done.masked if rows is None else done.masked.take(pa.array(rows))
            self.profiles.see(done.kept, done.masked, rows)
            self.profiles.write(left)
            self.all_columns.add(left)
            self.rows_out += left.num_rows
            self.nulls.update({name: left.column(name).null_count for name in left.schema.names})
            yield left
        self.ended = True

    def _staying(self, done: MaskedBatch) -> "np.typing.NDArray[np.integer] | None":
        """Places of the records that stay; None: all of them."""
        assert self.stays is not None
        hashed = self.measured.after.hashed(seen(self.plan, done)).with_row_index("row")
        rows = hashed.join(self.stays, on=self.stays.columns, how="semi")["row"].sort()
        return None if len(rows) == done.masked.num_rows else rows.to_numpy()


def _has_limits(policy: MaskingPolicy) -> bool:
    return policy.limits.k_anonymity is not None or policy.limits.distinct_l_diversity is not None


def _enforced(policy: MaskingPolicy, measured: _Measured) -> pl.DataFrame:
    """Return the combinations that stay, or raise ``LimitsNotMet`` when too many records would leave."""
    everything = measured.after.combinations()
    stays = within(measured.after, policy.limits)
    total, left = int(everything[COUNT].sum()), int(stays[COUNT].sum())
    share = (total - left) / total if total else 0.0
    if share > policy.limits.suppression:
        found = figures(measured.after)
        limits = {
            name: float(value)
            for name in ("k_anonymity", "distinct_l_diversity")
            if (value := getattr(policy.limits, name)) is not None
        }
        asked = ", ".join(f"{name} {value:g}" for name, value in limits.items())
        raise LimitsNotMet(
            f"{asked}: {total - left} of {total} records ({share:.2%}) would have to leave, "
            f"the policy allows {policy.limits.suppression:.2%}; generalize {list(policy.quasi_identifiers)} further",
            limits={**limits, "suppression": policy.limits.suppression},
            measured={"suppression": share, "k_anonymity": float(found.k), "records": float(total)},
        )
    return stays


def fit(
    plan: Plan,
    reader: pa.RecordBatchReader,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Plan:
    """Read the columns that whole-column techniques need, and only those, and return the plan that can mask."""
    held: list[pa.RecordBatch] = []
    wanted, rows = list(plan.unfitted), 0
    for batch in reader:
        _go_on(cancelled)
        held.append(batch.select(wanted))
        rows += batch.num_rows
        if progress is not None:
            progress("fit", rows)
    return plan.fit(pa.Table.from_batches(held, pa.schema([plan.input_schema.field(name) for name in wanted])))


def seen(plan: Plan, done: MaskedBatch) -> pa.RecordBatch:
    """The masked batch as its readers see it: with the parts that pseudonyms keep legible as columns of their own."""
    if not plan.derived_names:
        return done.masked
    parts = plan.derived(done.kept)
    columns, names = list(done.masked.columns), list(done.masked.schema.names)
    return pa.RecordBatch.from_arrays([*columns, *parts.values()], names=[*names, *parts])


def _again(make_reader: MakeReader, plan: Plan) -> pa.RecordBatchReader:
    reader = make_reader()
    if not reader.schema.equals(plan.input_schema):
        raise PolicyError("the table changed between two readings")
    return reader


def _go_on(cancelled: IsCancelled | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("the run was cancelled; nothing was written")


def _runs(
    plan: Plan,
    reader: pa.RecordBatchReader,
    stage: str,
    progress: Progress | None,
    cancelled: IsCancelled | None,
) -> Iterator[MaskedBatch]:
    """Each batch with what became of it."""
    rows = 0
    for batch in reader:
        _go_on(cancelled)
        try:
            done = plan.run(batch)
        except InvalidValue as error:
            raise error.after(rows) from None
        rows += batch.num_rows
        yield done
        if progress is not None:
            progress(stage, rows)


def _aggregated(
    policy: MaskingPolicy, plan: Plan, reader: pa.RecordBatchReader, sink: Sink, control: _Control
) -> MaskingReport:
    """The fixed table of an aggregate policy: only the columns it needs are held."""
    assert policy.aggregate is not None
    wanted = _columns_of(policy, plan)
    before = ClassCounter(policy.person_columns, units=policy.unit is not None)
    needed = pa.schema([plan.output_schema.field(name) for name in wanted])
    held: list[pa.RecordBatch] = []
    persons: list[pa.Array] = []
    rejects: Counter[str] = Counter()
    rows = 0
    kept = 0
    for done in _runs(plan, reader, "measure", *control.both):
        person = None if policy.unit is None else done.kept.column(policy.unit)
        before.add(done.kept, person)
        if person is not None:
            persons.append(person)
        held.append(done.masked.select(wanted))
        rejects.update(done.rejects)
        rows += done.records
        kept += done.kept.num_rows
    made = _tabulated(policy, pa.Table.from_batches(held, needed), persons)
    sink(made.table.to_reader())
    return build_report(
        policy,
        rows_in=rows,
        rows_out=made.table.num_rows,
        left_out=rows - kept,
        before=figures(before) if policy.about_persons else None,
        after=made.figures(),
        rejects=rejects,
    )


def _tabulated(policy: MaskingPolicy, table: pa.Table, persons: list[pa.Array]) -> Tabulated:
    rules = policy.aggregate
    assert rules is not None
    unit = pa.chunked_array(persons) if persons else None
    if policy.unit is not None and unit is None:
        unit = pa.chunked_array([], pa.null())
    return tabulate(
        table,
        by=rules.by,
        measures=rules.measures,
        unit=unit,
        threshold=rules.threshold,
        rounding=rules.rounding,
        clamp=rules.clamp,
        dominance=rules.dominance,
    )


def _columns_of(policy: MaskingPolicy, plan: Plan) -> list[str]:
    """Columns that the table needs; none of them may be dropped."""
    assert policy.aggregate is not None
    measured = [column for measure in policy.aggregate.measures.values() for column in measure.values()]
    wanted = list(dict.fromkeys([*policy.aggregate.by, *(column for column in measured if column != "*")]))
    absent = [name for name in wanted if name not in plan.output_schema.names]
    if absent:
        raise PolicyError(f"aggregate: {absent} are not in the masked table; a dropped attribute cannot be counted")
    return wanted

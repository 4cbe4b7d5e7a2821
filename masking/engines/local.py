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

import polars as pl
import pyarrow as pa

from masking import Masked
from masking.disclosure import Tabulated, tabulate
from masking.engines.classes import COUNT, ClassCounter, figures, share_alone, within
from masking.engines.plan import Plan, Step, compile  # noqa: A004
from masking.errors import Cancelled, InvalidValue, LimitsNotMet, PolicyError
from masking.keys import Keys, as_keys
from masking.policy.load import load
from masking.policy.model import MaskingPolicy
from masking.policy.reporting import build_report
from masking.report import MaskingReport, RiskFigures
from masking.table import as_reader
from masking.table.frames import BATCH_ROWS

__all__ = ["Plan", "Step", "apply", "apply_stream", "compile", "run"]

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
    masked = (batch for _, batch in _pairs(plan, reader, "write", progress, cancelled))
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
    if policy.aggregate is not None:
        return _aggregated(policy, plan, reader, sink, control)
    measured = _Measured.of(policy)
    stays: pl.DataFrame | None = None
    if _has_limits(policy):
        for batch, masked in _pairs(plan, reader, "measure", *control.both):
            measured.add(batch, masked)
        stays = _enforced(policy, measured)
        reader = make_reader()
        if not reader.schema.equals(plan.input_schema):
            raise PolicyError("the table changed between the two readings")
    written = _Written.of(plan, measured, stays)
    sink(
        pa.RecordBatchReader.from_batches(
            plan.output_schema, written.batches(_pairs(plan, reader, "write", *control.both))
        )
    )
    if not written.ended:
        raise AssertionError("the sink did not read to the end")
    return build_report(
        policy,
        rows_in=written.rows_in,
        rows_out=written.rows_out,
        suppressed=written.rows_in - written.rows_out,
        before=measured.before_figures(),
        after=measured.after_figures(stays),
        uniqueness_all_columns=share_alone(written.all_columns),
        nulls=written.nulls,
        rejects=written.rejects,
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
    def of(cls, policy: MaskingPolicy) -> "_Measured":
        units = policy.unit is not None
        before = ClassCounter(policy.person_columns, units=units) if policy.about_persons else None
        return cls(policy.unit, before, ClassCounter(policy.quasi_identifiers, policy.sensitive, units=units))

    def add(self, batch: pa.RecordBatch, masked: pa.RecordBatch) -> None:
        persons = None if self.unit is None else batch.column(self.unit)
        if self.before is not None:
            self.before.add(batch, persons)
        self.after.add(masked, persons)

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
    rows_in: int = 0
    rows_out: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    ended: bool = False

    @classmethod
    def of(cls, plan: Plan, measured: _Measured, stays: pl.DataFrame | None) -> "_Written":
        keys = [name for name in measured.after.keys if name != "u"]
        kept = None if stays is None else stays.select(keys).unique()
        return cls(measured, stays is None, plan, kept, ClassCounter(plan.output_schema.names))

    def batches(self, pairs: Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        for batch, masked in pairs:
            self.rows_in += batch.num_rows
            if self.measures_too:
                self.measured.add(batch, masked)
            self.rejects.update(self.plan.rejects(batch))
            left = masked if self.stays is None else self._filtered(masked)
            self.all_columns.add(left)
            self.rows_out += left.num_rows
            self.nulls.update({name: left.column(name).null_count for name in left.schema.names})
            yield left
        self.ended = True

    def _filtered(self, masked: pa.RecordBatch) -> pa.RecordBatch:
        assert self.stays is not None
        hashed = self.measured.after.hashed(masked).with_row_index("row")
        rows = hashed.join(self.stays, on=self.stays.columns, how="semi")["row"].sort()
        return masked if len(rows) == masked.num_rows else masked.take(rows.to_arrow())


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


def _pairs(
    plan: Plan,
    reader: pa.RecordBatchReader,
    stage: str,
    progress: Progress | None,
    cancelled: IsCancelled | None,
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Each batch with its masked form."""
    rows = 0
    for batch in reader:
        if cancelled is not None and cancelled():
            raise Cancelled("the run was cancelled; nothing was written")
        try:
            masked = plan.mask_batch(batch)
        except InvalidValue as error:
            raise error.after(rows) from None
        rows += batch.num_rows
        yield batch, masked
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
    for batch, masked in _pairs(plan, reader, "measure", *control.both):
        person = None if policy.unit is None else batch.column(policy.unit)
        before.add(batch, person)
        if person is not None:
            persons.append(person)
        held.append(masked.select(wanted))
        rejects.update(plan.rejects(batch))
        rows += batch.num_rows
    made = _tabulated(policy, pa.Table.from_batches(held, needed), persons)
    sink(made.table.to_reader())
    return build_report(
        policy,
        rows_in=rows,
        rows_out=made.table.num_rows,
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

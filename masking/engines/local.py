"""
The local engine: a plan run over batches on this machine, on all its cores.

``apply_stream`` reads twice where the policy has limits: the first pass counts equivalence classes of the masked table,
then the limits decide which classes leave, and only then the second pass writes. Without limits it reads once. Memory
does not grow with the table but for what ``Measured`` says. ``apply`` does the same for a table in memory.

Batches are masked by threads, by processes where a technique is plain Python (``masking.engines.parallel``), and given
on in their order: the masked table is the same for any batch size and any number of workers.
"""

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa

from masking import Masked
from masking.engines.measuring import Measured, Rows, Written, enforced, has_limits, seen
from masking.engines.parallel import cores, in_order, recut
from masking.engines.plan import MaskedBatch, Plan, Step, compile  # noqa: A004
from masking.engines.processes import children
from masking.errors import Cancelled, InvalidValue, PolicyError
from masking.keys import Keys, as_keys
from masking.policy.load import load
from masking.policy.model import MaskingPolicy
from masking.policy.reporting import build_report
from masking.recoding.history import HISTORY, History
from masking.recoding.search import Watch
from masking.report import MaskingReport
from masking.table import as_reader
from masking.table.batches import BATCH_ROWS

__all__ = ["MaskedBatch", "Plan", "Step", "apply", "apply_stream", "compile", "fit", "ready", "run", "search", "seen"]

MakeReader = Callable[[], pa.RecordBatchReader]
Sink = Callable[[pa.RecordBatchReader], None]
Progress = Callable[[str, int], None]
"""Told the stage ("fit", "search", "place", "measure", "write") and the records done; see ``masking.engines.pace``."""
IsCancelled = Callable[[], bool]
Look = Callable[[Plan, MaskedBatch, "Rows | None"], None]
"""Told the plan, a masked batch and the places in it of the records that come out (None: all), batch after batch."""
Result = TypeVar("Result")
_TEXT_ROWS = 1 << 12  # a batch of plain Python techniques: seconds, not minutes


def run(
    plan: Plan,
    reader: pa.RecordBatchReader,
    *,
    workers: int | None = 1,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> pa.RecordBatchReader:
    """
    Mask a stream batch by batch, lazily; limits are not applied here (see ``apply_stream``).

    Raises while it is read:
        InvalidValue: as ``Plan.mask_batch``, with records counted from the start of the stream.
        Cancelled: ``cancelled`` said so.
        WorkerLost: a worker process died.

    """
    masked = _Machine(workers, progress, cancelled).over(plan, reader, "write", lambda done: done.masked)
    return pa.RecordBatchReader.from_batches(plan.output_schema, masked)


def apply_stream(
    policy: MaskingPolicy,
    make_reader: MakeReader,
    keys: Keys | None,
    sink: Sink,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    stop: IsCancelled | None = None,
    files: Path | None = None,
    history: History | None = None,
    look: Look | None = None,
) -> MaskingReport:
    """
    Mask a stream and give it to ``sink``; records of classes below the limits leave.

    ``make_reader`` is called once a pass (twice with limits, else once) and must give the same records each time.
    ``sink`` reads its reader to the end and keeps nothing if that raises; it is not called at all when the limits are
    not met. ``workers``: threads or processes that mask, None: one for each core, 1: none beside the caller's thread.
    Readers and ``sink`` are used by the caller's thread only. ``cancelled`` is asked between batches and while one is
    waited for. ``stop``: asked while a search runs; true takes the best recoding
    found so far, so that the table then depends on when that was. ``history``: what earlier editions showed of the
    stream's records, in their order, for a policy whose recoding composes with them (a local one). ``look`` is told of
    each batch what becomes of its records, but of an aggregate's nothing.

    Raises:
        PolicyError, KeyMissing: before a record is read.
        DataError: values are not as the policy declares them.
        LimitsNotMet: more records than ``limits.suppression`` allows would leave.
        Cancelled: ``cancelled`` said so.
        WorkerLost: a worker process died.

    """
    reader = make_reader()
    plan = compile(policy, reader.schema, keys, files=files, history=history)
    if plan.joint is not None and history is not None:
        reader, make_reader = _with_history(reader, history), partial(_read_with_history, make_reader, history)
    machine = _Machine(workers, progress, cancelled)
    if plan.unfitted or plan.searches:
        plan = ready(plan, lambda: reader, make_reader, progress=progress, cancelled=cancelled, stop=stop)
        reader = _again(make_reader, plan)
    if policy.aggregate is not None:
        from masking.engines.aggregating import aggregated  # its solver and tables are for aggregates only

        with closing(machine.over(plan, reader, "measure", lambda done: done)) as runs:
            return aggregated(policy, plan, runs, sink, keys=keys, files=files, cancelled=cancelled, stop=stop)
    measured = Measured.of(policy, plan)
    stays: pl.DataFrame | None = None
    if has_limits(policy):
        with closing(machine.over(plan, reader, "measure", measured.look)) as looks:
            for found in looks:
                measured.count(found)
        stays = enforced(policy, measured, searched=plan.joint is not None)
        reader = _again(make_reader, plan)
    written = Written.of(policy, measured, stays)
    ended = False

    def batches() -> Generator[pa.RecordBatch, None, None]:
        nonlocal ended
        with closing(machine.over(plan, reader, "write", written.look)) as looks:
            for looked in looks:
                if look is not None:
                    look(plan, looked.done, looked.rows)
                yield written.count(looked)
        ended = True

    with closing(batches()) as left:
        sink(pa.RecordBatchReader.from_batches(plan.output_schema, left))
    if not ended:
        raise AssertionError("the sink did not read to the end")
    return build_report(
        policy,
        rows_in=written.rows_in,
        rows_out=written.rows_out,
        left_out=written.rows_in - written.rows_kept,
        suppressed=written.rows_kept - written.rows_out,
        before=measured.before_figures(),
        after=measured.after_figures(stays),
        uniqueness_all_columns=written.share_alone,
        nulls=written.nulls,
        rejects=written.rejects,
        derived=plan.derived_names,
        profiles=written.profiles,
        found=measured.found(stays, policy.limits),
        recoding=None if plan.joint is None else plan.joint.report(),
    )


def apply(
    policy: Any, table: Any, keys: Any = None, *, files: str | Path | None = None, workers: int | None = None
) -> Masked:
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
        workers=workers,
        files=None if files is None else Path(files),
    )
    return Masked(restore(masked[0].to_reader()), report)


def ready(
    plan: Plan,
    first: MakeReader,
    make_reader: MakeReader | None = None,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    stop: IsCancelled | None = None,
) -> Plan:
    """The plan that can mask: techniques on whole columns have seen them, recoded attributes have their levels.

    ``first`` gives the reader of the first pass, ``make_reader`` (None: ``first``) of the others, if they are needed.
    ``stop`` as in ``apply_stream``.
    """
    reader = first()
    if plan.unfitted:
        plan = fit(plan, reader, progress=progress, cancelled=cancelled)
        if plan.searches:
            reader = _again(make_reader or first, plan)
    if plan.searches:
        plan = search(plan, reader, progress=progress, cancelled=cancelled, stop=stop)
        if plan.places:
            again = _again(make_reader or first, plan)
            plan = place(plan, again, progress=progress, cancelled=cancelled)
    return plan


def fit(
    plan: Plan,
    reader: pa.RecordBatchReader,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Plan:
    """Read the columns that whole-column techniques need, and only those, and return the plan that can mask."""
    machine = _Machine(1, progress, cancelled)
    held: list[pa.RecordBatch] = []
    wanted, rows = list(plan.unfitted), 0
    for batch in reader:
        machine.check()
        held.append(batch.select(wanted))
        rows += batch.num_rows
        machine.tell("fit", rows)
    return plan.fit(pa.Table.from_batches(held, pa.schema([plan.input_schema.field(name) for name in wanted])))


def search(
    plan: Plan,
    reader: pa.RecordBatchReader,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    stop: IsCancelled | None = None,
) -> Plan:
    """Count the combinations of the attributes that a search generalizes together, search, return the plan that can.

    ``stop``: asked often while it searches; true takes the best recoding found so far.
    """
    assert plan.joint is not None
    machine = _Machine(1, progress, cancelled)
    coder = plan.joint.coder()
    rows = 0
    for batch in recut(reader, BATCH_ROWS):
        machine.check()
        try:
            plan.code(batch, coder)
        except InvalidValue as error:
            raise error.after(rows) from None
        rows += batch.num_rows
        machine.tell("fit", rows)
    watch = Watch(lambda _stage, share: machine.tell("search", int(share * rows)), stop, cancelled)
    return plan.searched(coder, watch)


def place(
    plan: Plan,
    reader: pa.RecordBatchReader,
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Plan:
    """Give each record of a combination that the search divided its class. Memory: 16 bytes for each of them."""
    machine = _Machine(1, progress, cancelled)
    held, rows = [], 0
    for batch in recut(reader, BATCH_ROWS):
        machine.check()
        held.append(plan.hold(batch))
        rows += batch.num_rows
        machine.tell("place", rows)
    return plan.placed(held)


@dataclass(frozen=True)
class _Machine:
    """How a run works through a stream."""

    workers: int | None
    progress: Progress | None
    cancelled: IsCancelled | None

    def over(
        self, plan: Plan, reader: pa.RecordBatchReader, stage: str, look: Callable[[MaskedBatch], Result]
    ) -> Generator[Result, None, None]:
        """Give ``look`` of each masked batch, in order; close the iterator to end the workers early."""
        batches = recut(reader, _TEXT_ROWS if plan.holds_gil else BATCH_ROWS)
        first, second = next(batches, None), next(batches, None)
        workers = 1 if second is None else cores() if self.workers is None else self.workers
        begun = iter([each for each in (first, second) if each is not None])
        del first, second  # a batch is held no longer than it is needed
        with ExitStack() as stack:
            mask = plan.run
            if workers > 1 and plan.holds_gil:
                mask = stack.enter_context(children(plan, workers)).run

            def work(item: tuple[int, pa.RecordBatch]) -> tuple[int, Result]:
                start, batch = item
                try:
                    done = mask(batch)
                except InvalidValue as error:
                    raise error.after(start) from None
                return start + batch.num_rows, look(done)

            numbered: Generator[tuple[int, pa.RecordBatch], None, None] = _numbered(itertools.chain(begun, batches))
            with closing(in_order(numbered, work, workers=workers, check=self.check)) as results:
                for rows, result in results:
                    yield result
                    self.tell(stage, rows)

    def check(self) -> None:
        """Raise ``Cancelled`` if the caller wants to stop."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("the run was cancelled; nothing was written")

    def tell(self, stage: str, rows: int) -> None:
        """Tell how far it is."""
        if self.progress is not None:
            self.progress(stage, rows)


def _numbered(batches: Iterator[pa.RecordBatch]) -> Generator[tuple[int, pa.RecordBatch], None, None]:
    rows = 0
    for batch in batches:
        yield rows, batch
        rows += batch.num_rows


def _read_with_history(make_reader: MakeReader, history: History) -> pa.RecordBatchReader:
    return _with_history(make_reader(), history)


def _with_history(reader: pa.RecordBatchReader, history: History) -> pa.RecordBatchReader:
    """The stream with the history of each record as the column ``HISTORY``."""

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in reader:
            codes = history.codes[done : done + batch.num_rows]
            done += batch.num_rows
            if len(codes) < batch.num_rows:
                raise PolicyError("the table changed between two readings")
            yield batch.append_column(HISTORY, pa.array(codes, pa.int64()))

    schema = reader.schema.remove_metadata().append(pa.field(HISTORY, pa.int64()))
    return pa.RecordBatchReader.from_batches(schema, (batch.replace_schema_metadata(None) for batch in batches()))


def _again(make_reader: MakeReader, plan: Plan) -> pa.RecordBatchReader:
    reader = make_reader()
    if not reader.schema.equals(plan.input_schema):
        raise PolicyError("the table changed between two readings")
    return reader

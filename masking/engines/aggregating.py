"""The fixed table of an aggregate policy: records are masked, only the columns it needs are held."""

from collections import Counter
from collections.abc import Callable, Iterable

import pyarrow as pa

from masking.disclosure import Tabulated, tabulate
from masking.engines.classes import ClassCounter, figures
from masking.engines.plan import MaskedBatch, Plan
from masking.errors import PolicyError
from masking.policy.model import MaskingPolicy
from masking.policy.reporting import build_report
from masking.report import MaskingReport


def aggregated(
    policy: MaskingPolicy, plan: Plan, runs: Iterable[MaskedBatch], sink: Callable[[pa.RecordBatchReader], None]
) -> MaskingReport:
    """Make the table of cells, give it to ``sink`` and report."""
    wanted = columns_of(policy, plan)
    before = ClassCounter(policy.person_columns, units=policy.unit is not None)
    needed = pa.schema([plan.output_schema.field(name) for name in wanted])
    held: list[pa.RecordBatch] = []
    persons: list[pa.Array] = []
    rejects: Counter[str] = Counter()
    rows = 0
    kept = 0
    for done in runs:
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


def columns_of(policy: MaskingPolicy, plan: Plan) -> list[str]:
    """Columns that the table needs; none of them may be dropped."""
    assert policy.aggregate is not None
    measured = [column for measure in policy.aggregate.measures.values() for column in measure.values()]
    wanted = list(dict.fromkeys([*policy.aggregate.by, *(column for column in measured if column != "*")]))
    absent = [name for name in wanted if name not in plan.output_schema.names]
    if absent:
        raise PolicyError(f"aggregate: {absent} are not in the masked table; a dropped attribute cannot be counted")
    return wanted


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

"""The fixed table of an aggregate policy: records are masked, only the columns it needs are held.

One grouping without margins (``tabulate``), or a table with margins that is protected and audited (``protect``); what
the audit does not pass is not given to the sink.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from masking.disclosure import Protected, protect, tabulate
from masking.disclosure.cell_key import record_keys
from masking.engines.cells import audit_report, cell_figures
from masking.engines.classes import ClassCounter, figures
from masking.engines.plan import MaskedBatch, Plan
from masking.errors import Cancelled, PolicyError
from masking.hierarchies import read_rows
from masking.keys import Keys
from masking.policy.model import Aggregate, MaskingPolicy
from masking.policy.reporting import build_report
from masking.report import AuditReport, MaskingReport, RiskFigures
from masking.techniques.generalization.hierarchies import file_beside

RECORD: Final = "\x01record {}"
"""Columns that tell records apart, beside the masked ones: raw, and gone once each record has its key."""
Ask = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Made:
    """The table that leaves and what the report says of it."""

    table: pa.Table
    figures: RiskFigures
    audit: AuditReport | None = None


def aggregated(
    policy: MaskingPolicy,
    plan: Plan,
    runs: Iterable[MaskedBatch],
    sink: Callable[[pa.RecordBatchReader], None],
    *,
    keys: Keys | None = None,
    files: Path | None = None,
    cancelled: Ask | None = None,
    stop: Ask | None = None,
) -> MaskingReport:
    """Make the table of cells, give it to ``sink`` and report.

    ``keys`` and ``files`` (the policy's folder): for a table with margins. ``cancelled`` and ``stop`` are asked while
    such a table is protected; ``stop`` takes the best pattern found so far.

    Raises:
        PolicyError, KeyMissing: before a record is read.
        LimitsNotMet: the table cannot be protected; ``sink`` was not called.
        Cancelled: ``cancelled`` said so.
    """
    assert policy.aggregate is not None
    wanted = columns_of(policy, plan)
    dimensions = _dimensions(policy.aggregate, files)
    if policy.noise_key is not None:
        record_keys(keys, policy.noise_key)  # a missing key is known before a record is read
    before = ClassCounter(policy.person_columns, units=policy.unit is not None)
    record = policy.record if policy.noise_key is not None and policy.unit is None else ()
    fields = [plan.output_schema.field(name) for name in wanted]
    fields += [plan.input_schema.field(name).with_name(RECORD.format(at)) for at, name in enumerate(record)]
    needed = pa.schema(fields)
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
        columns = [*done.masked.select(wanted).columns, *(done.kept.column(name) for name in record)]
        held.append(pa.RecordBatch.from_arrays(columns, schema=needed))
        rejects.update(done.rejects)
        rows += done.records
        kept += done.kept.num_rows
    table = pa.Table.from_batches(held, needed)
    unit = None if policy.unit is None else pa.chunked_array(persons, None if persons else pa.null())
    if policy.aggregate.protect is None:
        made = _tabulated(policy.aggregate, table, unit)
    else:
        made = _protected(policy.aggregate, table, unit, dimensions, keys, cancelled, stop)
    sink(made.table.to_reader())
    return build_report(
        policy,
        rows_in=rows,
        rows_out=made.table.num_rows,
        left_out=rows - kept,
        before=figures(before) if policy.about_persons else None,
        after=made.figures,
        rejects=rejects,
        audit=made.audit,
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


def _dimensions(rules: Aggregate, files: Path | None) -> dict[str, Mapping[str, Any] | None]:
    """Each attribute of ``by`` with its categories; files are read."""
    found: dict[str, Mapping[str, Any] | None] = {}
    for name in rules.by:
        spec = rules.dimensions.get(name)
        if spec is not None and isinstance(spec.get("hierarchy"), str):
            spec = {"hierarchy": read_rows(file_beside(spec["hierarchy"], files))}
        found[name] = spec
    return found


def _tabulated(rules: Aggregate, table: pa.Table, unit: pa.ChunkedArray | None) -> Made:
    made = tabulate(
        table,
        by=rules.by,
        measures=rules.measures,
        unit=unit,
        threshold=rules.threshold,
        rounding=rules.rounding,
        clamp=rules.clamp,
        dominance=rules.dominance,
    )
    return Made(made.table, made.figures())


def _protected(
    rules: Aggregate,
    table: pa.Table,
    unit: pa.ChunkedArray | None,
    dimensions: Mapping[str, Mapping[str, Any] | None],
    keys: Keys | None,
    cancelled: Ask | None,
    stop: Ask | None,
) -> Made:
    def over() -> bool:
        return (cancelled is not None and cancelled()) or (stop is not None and stop())

    record = [name for name in table.column_names if name not in rules.by and name.startswith(RECORD[:-2])]
    asked = {**rules.rules, **({"record": record} if record else {})}
    made: Protected = protect(table, dimensions, rules.measures, unit, asked, keys=keys, stop=over)
    if cancelled is not None and cancelled():
        raise Cancelled("the run was cancelled; nothing was written")
    return Made(made.table, cell_figures(rules, dimensions, made.report), audit_report(rules, made.report))

"""
A plan: a policy compiled against a table's columns into one technique a column.

Compiling reads no record. A plan is pure and picklable, so that it runs in a process pool or a cluster as it runs here;
it holds derived keys, never the named ones, and shows none of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from masking.engines.recoded import Joint
from masking.errors import InvalidParameter, InvalidValue, PolicyError, UnknownAttribute, UnsupportedColumn
from masking.keys import Keys, KeyUse, derived
from masking.policy.check import check
from masking.policy.model import AttributeRule, MaskingPolicy
from masking.recoding.coder import ItemCoder
from masking.recoding.history import HISTORY, History
from masking.recoding.search import Watch
from masking.techniques import Technique, get
from masking.techniques.base import Context, WholeColumn
from masking.techniques.conditions import Condition
from masking.techniques.generalization.recoding import Recoding
from masking.techniques.records import RecordSuppression, RecordTechnique, Sampling
from masking.techniques.suppression import Drop


@dataclass(frozen=True)
class Step:
    """One column in, one column out (or none, for a dropped one)."""

    name: str
    technique: Technique = field(repr=False)
    when: Condition | None = None
    otherwise: Technique | None = field(default=None, repr=False)

    @property
    def dropped(self) -> bool:
        """True if no column comes out."""
        return isinstance(self.technique, Drop)

    @property
    def techniques(self) -> tuple[Technique, ...]:
        """One, or two where a condition decides."""
        return (self.technique,) if self.otherwise is None else (self.technique, self.otherwise)

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that it reads."""
        others = [name for each in self.techniques for name in each.context()]
        return tuple(dict.fromkeys([self.name, *others, *(self.when.columns if self.when else ())]))

    @property
    def by_value(self) -> bool:
        """True if what comes out depends on the value alone: then a dictionary is masked instead of its records."""
        return self.when is None and not self.technique.context() and not isinstance(self.technique, WholeColumn)

    def apply(self, context: Context) -> tuple[pa.Array, int]:
        """Mask the column and count the values outside their format; errors name the attribute."""
        column = context[self.name]
        try:
            if self.by_value and isinstance(column, pa.DictionaryArray):
                masked = self._dictionary(column)
                if masked is not None:
                    return masked, 0
            if self.when is None or self.otherwise is None:
                return self.technique.apply_counted(column, context)
            return self._branched(column, context, self.when, self.otherwise)
        except (InvalidValue, UnsupportedColumn, InvalidParameter) as error:
            raise error.of(self.name) from None

    def _branched(
        self, column: pa.Array, context: Context, when: Condition, otherwise: Technique
    ) -> tuple[pa.Array, int]:
        """Each technique sees only the records it is for: a value of the others cannot make it refuse."""
        met = when.holds(context)
        parts, places, rejects = [], [], 0
        for technique, chosen in ((self.technique, met), (otherwise, ~met)):
            rows = np.flatnonzero(chosen)
            needed = {name: context[name].take(pa.array(rows)) for name in technique.context()}
            try:
                masked, count = technique.apply_counted(column.take(pa.array(rows)), needed)
            except InvalidValue as error:
                error.first_rows = tuple(int(rows[row]) for row in error.first_rows)
                raise
            parts.append(masked)
            places.append(rows)
            rejects += count
        order = np.argsort(np.concatenate(places), kind="stable")
        if parts[0].type != parts[1].type:  # text of two widths: ``_output_type`` let nothing else pass
            parts = [part.cast(pa.string()) for part in parts]
        return pa.concat_arrays(parts).take(pa.array(order)), rejects

    def _dictionary(self, column: pa.DictionaryArray) -> pa.Array | None:
        """
        The masked column from its masked dictionary; None where that would cost more, or not count the same.

        A value outside the format is counted, or told, once for each record, so such a column is masked record by
        record.
        """
        if 2 * len(column.dictionary) > len(column):
            return None
        try:
            masked, rejects = self.technique.apply_counted(column.dictionary)
        except InvalidValue:
            return None
        return None if rejects else masked.take(column.indices)

    def fitted(self, column: pa.ChunkedArray, context: Mapping[str, pa.ChunkedArray]) -> "Step":
        """The step after techniques that need the whole column have seen it."""
        if not isinstance(self.technique, WholeColumn):
            return self
        try:
            return replace(self, technique=self.technique.fit(column, context))
        except (InvalidValue, UnsupportedColumn, InvalidParameter) as error:
            raise error.of(self.name) from None


@dataclass(frozen=True)
class MaskedBatch:
    """What became of a batch. ``kept`` holds the raw records that stayed, record for record beside ``masked``."""

    kept: pa.RecordBatch = field(repr=False)
    masked: pa.RecordBatch = field(repr=False)
    rejects: Mapping[str, int]
    records: int  # how many came in
    stay: "np.typing.NDArray[np.bool_] | None" = None  # which of them stayed; None: all
    suppressed: int = 0  # how many of them left so that the limits are met


@dataclass(frozen=True)
class Plan:
    """A compiled policy. ``output_schema`` has the policy's order and no dropped attribute."""

    input_schema: pa.Schema = field(repr=False)
    output_schema: pa.Schema
    steps: tuple[Step, ...] = field(repr=False)
    records: tuple[RecordTechnique, ...] = field(default=(), repr=False)
    joint: Joint | None = field(default=None, repr=False)

    @property
    def holds_gil(self) -> bool:
        """True if a technique is plain Python, so that only processes use several cores."""
        return any(technique.holds_gil for step in self.steps for technique in step.techniques)

    @property
    def unfitted(self) -> tuple[str, ...]:
        """Raw columns that have to be read as a whole before the first batch is masked; mostly none."""
        whole = [step for step in self.steps if isinstance(step.technique, WholeColumn)]
        if not whole:
            return ()
        others = [name for each in self.records for name in each.context()]
        return tuple(dict.fromkeys([*(name for step in whole for name in step.columns), *others]))

    def fit(self, table: pa.Table) -> "Plan":
        """The plan after it has seen the columns ``unfitted`` of all records; records that leave are left out first."""
        stay = self._stay({name: table.column(name) for name in table.column_names}, len(table))
        kept = table if stay.all() else table.filter(pa.array(stay))
        context = {name: kept.column(name) for name in kept.column_names}
        return replace(
            self,
            steps=tuple(
                step.fitted(context[step.name], context) if isinstance(step.technique, WholeColumn) else step
                for step in self.steps
            ),
        )

    def mask_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """
        Mask one batch of the columns that the plan was compiled for; their order may differ.

        Raises:
            UnknownAttribute: the batch has other columns.
            UnsupportedColumn: a column has another type.
            InvalidValue: values are outside the format that a rule declares; records are counted within the batch.

        """
        return self.run(batch).masked

    def run(self, batch: pa.RecordBatch) -> MaskedBatch:
        """Mask one batch and say which records stayed and how many values were outside a format."""
        self._check(batch.schema)
        kept, stay = batch, None
        if self.records:
            stay = self._stay({name: batch.column(name) for name in batch.schema.names}, batch.num_rows)
            kept = batch if stay.all() else batch.filter(pa.array(stay))
        context = {name: kept.column(name) for name in kept.schema.names}
        masked, rejects = {}, Counter[str]()
        for step in self.steps:
            if not step.dropped and (self.joint is None or step.name not in self.joint.names):
                masked[step.name], count = step.apply(context)
                rejects.update({step.name: count} if count else {})
        if self.joint is None:
            return MaskedBatch(kept, self._batch(masked, kept.num_rows), rejects, batch.num_rows, stay)
        pieces = self.joint.pieces(self._joint_columns(context, masked), context)
        gone = pieces < 0
        if gone.any():
            there = pa.array(~gone)
            kept, pieces = kept.filter(there), pieces[~gone]
            masked = {name: column.filter(there) for name, column in masked.items()}
            stay = _narrowed(stay, ~gone, batch.num_rows)
        masked.update({name: self.joint.cells(name, pieces) for name in self.joint.names})
        made = self._batch(masked, kept.num_rows)
        return MaskedBatch(kept, made, rejects, batch.num_rows, stay, int(np.count_nonzero(gone)))

    @property
    def searches(self) -> bool:
        """True if attributes have to be searched for their levels before the first batch is masked."""
        return self.joint is not None and self.joint.found is None

    def code(self, batch: pa.RecordBatch, coder: ItemCoder) -> None:
        """Count the combinations of a batch that the search decides on."""
        assert self.joint is not None
        context, masked = self._searchable(batch)
        persons = None if self.joint.unit is None else context[self.joint.unit]
        coder.add(self._joint_columns(context, masked), persons)

    @property
    def places(self) -> bool:
        """True if records have to be placed one by one before the first batch is masked (``hold``, ``placed``)."""
        return self.joint is not None and self.joint.places

    def hold(self, batch: pa.RecordBatch) -> pl.DataFrame:
        """The records of a batch that have to be placed one by one."""
        assert self.joint is not None
        context, masked = self._searchable(batch)
        return self.joint.held(self._joint_columns(context, masked), context)

    def placed(self, held: list[pl.DataFrame]) -> "Plan":
        """The plan after the records of all batches have been placed."""
        assert self.joint is not None
        return replace(self, joint=self.joint.placed(held))

    def searched(self, coder: ItemCoder, watch: Watch) -> "Plan":
        """The plan after the search over what ``code`` has counted."""
        assert self.joint is not None
        return replace(self, joint=self.joint.searched(coder, watch))

    @property
    def derived_names(self) -> tuple[str, ...]:
        """Names of the columns that ``derived`` gives."""
        return tuple(
            f"{step.name}.{part}" for step in self.steps for technique in step.techniques for part in technique.parts()
        )

    def derived(self, kept: pa.RecordBatch) -> dict[str, pa.Array]:
        """Parts of raw values that stay legible inside pseudonyms, as ``attribute.part``: they count as
        quasi-identifiers (PRIVACY 2).
        """
        return {
            f"{step.name}.{part}": column
            for step in self.steps
            for technique in step.techniques
            for part, column in technique.derived(kept.column(step.name)).items()
        }

    def _searchable(self, batch: pa.RecordBatch) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
        """The raw columns of the records that a search sees, and their sensitive attributes as released."""
        assert self.joint is not None
        self._check(batch.schema)
        stay = self._stay({name: batch.column(name) for name in batch.schema.names}, batch.num_rows)
        kept = batch if stay.all() else batch.filter(pa.array(stay))
        context = {name: kept.column(name) for name in kept.schema.names}
        wanted = set(self.joint.sensitive)
        return context, {step.name: step.apply(context)[0] for step in self.steps if step.name in wanted}

    def _joint_columns(self, raw: Context, masked: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        assert self.joint is not None
        return {
            **{name: raw[name] for name in self.joint.names},
            **{name: masked[name] for name in self.joint.sensitive},
            **({} if self.joint.history is None else {HISTORY: raw[HISTORY]}),
        }

    def _batch(self, columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
        return _batch([columns[name] for name in self.output_schema.names], self.output_schema, rows)

    def _stay(self, context: Mapping[str, pa.Array | pa.ChunkedArray], rows: int) -> "np.typing.NDArray[np.bool_]":
        stay = np.ones(rows, dtype=np.bool_)
        for each in self.records:
            stay &= each.stays({name: _whole(context[name]) for name in each.context()})
        return stay

    def _check(self, schema: pa.Schema) -> None:
        if schema.equals(self.input_schema):
            return
        check_names(self.input_schema.names, schema)
        for wanted in self.input_schema:
            found = schema.field(wanted.name).type
            if found != wanted.type:
                raise UnsupportedColumn(f"the plan was made for {wanted.type}, not {found}", attribute=wanted.name)


def compile(  # noqa: A001
    policy: MaskingPolicy,
    schema: pa.Schema,
    keys: Keys | None,
    *,
    files: Path | None = None,
    history: History | None = None,
) -> Plan:
    """
    Check the policy against the table's columns and build every technique; no record is read.

    ``history``: what earlier editions showed of the records, where attributes are recoded beside them; the plan's
    batches then hold the column ``HISTORY`` as well, which never comes out.

    Raises:
        UnknownAttribute: policy and table do not name the same columns, whichever has more.
        PolicyError: a rule is wrong; it points to the rule's line.
        UnsupportedColumn: a technique does not work on its column's type.
        KeyMissing: a named key was not given.

    """
    check_names(policy.attributes, schema)
    check(policy, schema, files=files)
    steps = tuple(_step(policy, rule, keys, files) for rule in policy.attributes.values())
    fields = [
        pa.field(step.name, _output_type(step, schema.field(step.name).type, policy.attributes[step.name]))
        for step in steps
        if not step.dropped
    ]
    if not fields and policy.aggregate is None:
        raise PolicyError("every attribute is dropped: nothing would be left to publish")
    rules = {step.name: step.technique for step in steps if isinstance(step.technique, Recoding)}
    joint = Joint.of(policy, rules, files, history)
    given = schema.remove_metadata()
    if joint is not None and history is not None:
        given = given.append(pa.field(HISTORY, pa.int64()))
    return Plan(given, pa.schema(fields), steps, _records(policy, keys), joint)


def check_names(named: Iterable[str], schema: pa.Schema) -> None:
    """Raise ``UnknownAttribute`` unless policy and table name exactly the same columns, each once."""
    wanted = set(named)
    names = schema.names
    if len(set(names)) != len(names):
        raise UnknownAttribute(f"the table has {sorted({n for n in names if names.count(n) > 1})} more than once")
    if wanted - set(names):
        raise UnknownAttribute.from_missing(wanted - set(names), names)
    if set(names) - wanted:
        raise UnknownAttribute.from_unnamed(set(names) - wanted)


def _step(policy: MaskingPolicy, rule: AttributeRule, keys: Keys | None, files: Path | None) -> Step:
    try:
        made = [
            get(branch.technique).build(
                branch.parameters,
                attribute=rule.name,
                key=policy.key_use(branch),
                keys=keys,
                files=files,
                record=policy.record,
            )
            for branch in rule.branches
        ]
    except PolicyError as error:
        raise error.at(rule.line or None) from None
    whole = [each.name for each in made if isinstance(each, WholeColumn)]
    if whole and rule.otherwise is not None:
        raise PolicyError(
            f"attribute {rule.name!r}: {whole[0]} looks at the whole column and cannot be used for some records only",
            line=rule.line or None,
        )
    return Step(rule.name, made[0], rule.when, made[1] if rule.otherwise else None)


def _records(policy: MaskingPolicy, keys: Keys | None) -> tuple[RecordTechnique, ...]:
    chosen: list[RecordTechnique] = [RecordSuppression(each) for each in policy.suppress]
    if policy.sample is not None:
        domain = policy.key_domains.get(policy.sample.key)
        use = KeyUse(policy.sample.key, version=domain.version if domain else 1)
        secret = derived(keys, use, technique=Sampling.name, for_records=True)
        by = policy.record or (policy.unit,) if policy.unit is None else (policy.unit,)
        chosen.append(Sampling(policy.sample.share, tuple(name for name in by if name), secret=secret))
    return tuple(chosen)


def _batch(columns: list[pa.Array], schema: pa.Schema, rows: int) -> pa.RecordBatch:
    """A batch, also one without columns but with its number of records (an aggregate may drop every attribute)."""
    if columns:
        return pa.RecordBatch.from_arrays(columns, schema=schema)
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


def _narrowed(
    stay: "np.typing.NDArray[np.bool_] | None", left: "np.typing.NDArray[np.bool_]", rows: int
) -> "np.typing.NDArray[np.bool_]":
    """Which of ``rows`` records stay, when of those in ``stay`` (None: all) only ``left`` do."""
    made = np.ones(rows, dtype=np.bool_) if stay is None else stay.copy()
    made[np.flatnonzero(made)[~left]] = False
    return made


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def _output_type(step: Step, given: pa.DataType, rule: AttributeRule) -> pa.DataType:
    plain = given.value_type if pa.types.is_dictionary(given) else given
    try:
        kinds = {each.output_type(plain) for each in step.techniques}
        if all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds) and len(kinds) > 1:
            return pa.string()
        if len(kinds) > 1:
            raise PolicyError(
                f"attribute {step.name!r}: `technique` and `otherwise` give columns of different types "
                f"({', '.join(sorted(str(kind) for kind in kinds))})",
                line=rule.line or None,
            )
        return kinds.pop()
    except InvalidParameter as error:
        raise error.of(step.name).at(rule.line or None) from None
    except UnsupportedColumn as error:
        raise error.of(step.name) from None

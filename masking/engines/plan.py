"""
A plan: a policy compiled against a table's columns into one technique a column.

Compiling reads no record. A plan is pure and picklable, so that it runs in a process pool or a cluster as it runs here;
it holds derived keys, never the named ones, and shows none of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from masking.errors import InvalidParameter, InvalidValue, PolicyError, UnknownAttribute, UnsupportedColumn
from masking.keys import Keys
from masking.policy.check import check
from masking.policy.model import AttributeRule, MaskingPolicy
from masking.techniques import Technique, get
from masking.techniques.suppression import Drop


@dataclass(frozen=True)
class Step:
    """One column in, one column out (or none, for a dropped one)."""

    name: str
    technique: Technique = field(repr=False)

    @property
    def dropped(self) -> bool:
        """True if no column comes out."""
        return isinstance(self.technique, Drop)

    def apply(self, column: pa.Array) -> pa.Array:
        """Mask the column; errors name the attribute."""
        try:
            return self.technique.apply(column)
        except (InvalidValue, UnsupportedColumn, InvalidParameter) as error:
            raise error.of(self.name) from None


@dataclass(frozen=True)
class Plan:
    """A compiled policy. ``output_schema`` has the policy's order and no dropped attribute."""

    input_schema: pa.Schema = field(repr=False)
    output_schema: pa.Schema
    steps: tuple[Step, ...] = field(repr=False)

    def mask_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """
        Mask one batch of the columns that the plan was compiled for; their order may differ.

        Raises:
            UnknownAttribute: the batch has other columns.
            UnsupportedColumn: a column has another type.
            InvalidValue: values are outside the format that a rule declares; records are counted within the batch.

        """
        self._check(batch.schema)
        columns = [step.apply(batch.column(step.name)) for step in self.steps if not step.dropped]
        return pa.RecordBatch.from_arrays(columns, schema=self.output_schema)

    def rejects(self, batch: pa.RecordBatch) -> dict[str, int]:
        """Count the values of a batch that a rule replaced because they are outside its format."""
        counts = {step.name: step.technique.rejects(batch.column(step.name)) for step in self.steps if not step.dropped}
        return {name: count for name, count in counts.items() if count}

    def _check(self, schema: pa.Schema) -> None:
        if schema.equals(self.input_schema):
            return
        check_names([step.name for step in self.steps], schema)
        for wanted in self.input_schema:
            found = schema.field(wanted.name).type
            if found != wanted.type:
                raise UnsupportedColumn(f"the plan was made for {wanted.type}, not {found}", attribute=wanted.name)


def compile(policy: MaskingPolicy, schema: pa.Schema, keys: Keys | None, *, files: Path | None = None) -> Plan:  # noqa: A001
    """
    Check the policy against the table's columns and build every technique; no record is read.

    Raises:
        UnknownAttribute: policy and table do not name the same columns, whichever has more.
        PolicyError: a rule is wrong; it points to the rule's line.
        UnsupportedColumn: a technique does not work on its column's type.
        KeyMissing: a named key was not given.

    """
    check_names(policy.attributes, schema)
    check(policy, schema, files=files)
    steps = tuple(_step(rule, keys, files) for rule in policy.attributes.values())
    fields = [
        pa.field(step.name, _output_type(step, schema.field(step.name).type, policy.attributes[step.name]))
        for step in steps
        if not step.dropped
    ]
    if not fields and policy.aggregate is None:
        raise PolicyError("every attribute is dropped: nothing would be left to publish")
    return Plan(schema.remove_metadata(), pa.schema(fields), steps)


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


def _step(rule: AttributeRule, keys: Keys | None, files: Path | None) -> Step:
    try:
        made = get(rule.technique).build(rule.parameters, attribute=rule.name, key=rule.key, keys=keys, files=files)
    except PolicyError as error:
        raise error.at(rule.line or None) from None
    return Step(rule.name, made)


def _output_type(step: Step, given: pa.DataType, rule: AttributeRule) -> pa.DataType:
    plain = given.value_type if pa.types.is_dictionary(given) else given
    try:
        return step.technique.output_type(plain)
    except InvalidParameter as error:
        raise error.of(step.name).at(rule.line or None) from None
    except UnsupportedColumn as error:
        raise error.of(step.name) from None

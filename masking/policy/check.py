"""Whether a policy may be run on a table: names, keys, parameters, roles, limits. Raises the first reason found.

Pure: reads the policy, the table's schema and, where given, counts of its columns. Nothing is masked and no key is
needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from masking import techniques
from masking.disclosure.contributions import check_measures
from masking.disclosure.frequency import check_shape
from masking.errors import InvalidParameter, PolicyError, UnknownAttribute, UnsupportedColumn, suggestion
from masking.policy.fixed_bins import check_fixed_tables
from masking.policy.model import FREE_TEXT, RECODING, Aggregate, AttributeRule, MaskingPolicy
from masking.policy.unkeyed import is_hash, refusal
from masking.taxonomy import Role
from masking.techniques.generalization.hierarchies import file_beside

SMALL: Final = 10_000
"""Distinct values below which a token is guessed by its frequency (PRIVACY 12)."""
SKEWED: Final = 0.01
"""Share of the most frequent value above which a token is guessed."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What rule 12 needs to know of one raw column: distinct values and the share of the most frequent one."""

    distinct: int
    top_share: float
    records: int = 0
    """Cells that are not null; 0: unknown."""

    @property
    def repeated(self) -> bool:
        """True if a value stands in several records."""
        return (self.records or self.distinct) * self.top_share > 1 + _ROUNDING


def check(
    policy: MaskingPolicy,
    schema: pa.Schema | None = None,
    statistics: Mapping[str, ColumnStatistics] | None = None,
    *,
    files: Path | None = None,
) -> None:
    """Raise unless the policy is complete and sane; with ``schema`` also for the table's columns and their types.

    ``statistics`` of the raw columns lets it refuse tokens of small or skewed columns; ``files`` is the folder that
    hierarchies may be read from.

    Raises:
        UnknownAttribute: policy and table do not name the same columns.
        UnknownTechnique, InvalidParameter, UnkeyedToken: a rule is wrong.
        UnsupportedColumn: a technique cannot work on a column's type.
        PolicyError: roles, limits, aggregate or unit contradict each other.
    """
    if schema is not None:
        _check_names(policy, schema)
    known = statistics or {}
    for rule in policy.attributes.values():
        for branch in rule.branches:
            _check_branch(policy, branch, schema, files)
        _check_rule(rule, policy)
        if rule.name in known:
            _check_token(rule, known[rule.name])
            _check_repeated(policy, rule, known[rule.name])
    _check_columns(policy)
    _check_record(policy, known)
    _check_keys(policy)
    _check_unit(policy)
    _check_test_data(policy)
    _check_limits(policy)
    _check_recoding(policy)
    _check_aggregate(policy, files)
    check_fixed_tables(policy, schema, files=files)
    if not policy.is_aggregate and not policy.kept:
        raise PolicyError("the policy drops every attribute; nothing would be left to publish")


def _check_names(policy: MaskingPolicy, schema: pa.Schema) -> None:
    columns = list(schema.names)
    missing = [name for name in policy.attributes if name not in columns]
    if missing:
        near = suggestion(missing[0], [name for name in columns if name not in policy.attributes])
        error = UnknownAttribute.from_missing(missing, columns)
        if near:
            error = UnknownAttribute(f"{error}{near}")
        raise error.at(policy.attributes[missing[0]].line or None)
    unnamed = [name for name in columns if name not in policy.attributes]
    if unnamed:
        raise UnknownAttribute.from_unnamed(unnamed)


def _check_branch(policy: MaskingPolicy, rule: AttributeRule, schema: pa.Schema | None, files: Path | None) -> None:
    line = rule.line or None
    if rule.technique not in techniques.names() and is_hash(rule.technique):
        raise refusal(rule.technique, rule.name).at(line)
    try:
        made = techniques.get(rule.technique).check(
            rule.parameters, attribute=rule.name, key=policy.key_use(rule), files=files, record=policy.record
        )
        missing = [name for name in made.context() if name not in policy.attributes]
        if missing:
            raise UnknownAttribute(
                f"attribute {rule.name!r} reads {missing[0]!r}, which is no attribute"
                f"{suggestion(missing[0], policy.attributes)}"
            )
    except PolicyError as error:
        raise error.at(line) from None
    if schema is not None:
        try:
            kind = schema.field(rule.name).type
            made.output_type(kind.value_type if pa.types.is_dictionary(kind) else kind)
        except UnsupportedColumn as error:
            raise error.of(rule.name) from None


def _check_rule(rule: AttributeRule, policy: MaskingPolicy) -> None:
    line = rule.line or None
    if (rule.when is None) != (rule.otherwise is None):
        raise PolicyError(
            f"attribute {rule.name!r}: `when` and `otherwise` stand together: say what becomes of every record",
            line=line,
        )
    if rule.otherwise is not None and (rule.dropped or rule.otherwise.dropped):
        raise PolicyError(
            f"attribute {rule.name!r}: a column is dropped as a whole; for some records use suppression.local",
            line=line,
        )
    if rule.role is Role.DIRECT_IDENTIFIER and not rule.hides:
        fit = sorted(
            name
            for name in techniques.names()
            if techniques.get(name).releases in ("token", "nothing") or name.startswith("text.")
        )
        raise PolicyError(
            f"attribute {rule.name!r}: {rule.technique} does not remove a direct identifier (a mask is for screens); "
            f"use one of {fit}, or, if the result no longer points to one person, the role quasi_identifier",
            line=line,
        )
    if rule.when is not None:
        for name in rule.when.columns:
            if name not in policy.attributes:
                raise UnknownAttribute(
                    f"attribute {rule.name!r}: `when` names {name!r}, which is no attribute"
                    f"{suggestion(name, policy.attributes)}"
                ).at(line)
    if rule.role is Role.INSENSITIVE and rule.pseudonym:
        raise PolicyError(
            f"attribute {rule.name!r}: a pseudonym of an insensitive attribute; declare what it is "
            "(direct_identifier or quasi_identifier)",
            line=line,
        )


def _check_columns(policy: MaskingPolicy) -> None:
    """What stands beside the attributes names attributes: ``record``, ``suppress``, ``sample``."""
    named = [("record", name) for name in policy.record]
    named += [("suppress", name) for each in policy.suppress for name in each.columns]
    for where, name in named:
        if name not in policy.attributes:
            raise UnknownAttribute(
                f"{where} names {name!r}, which is no attribute{suggestion(name, policy.attributes)}"
            )
    if policy.sample is not None:
        if not 0 < policy.sample.share < 1:
            raise InvalidParameter("sample: share must be in (0, 1)")
        if not policy.record and policy.unit is None:
            raise InvalidParameter(
                "sample: name the columns that tell records apart (`record:`), or the person (`unit:`)"
            )


def _check_keys(policy: MaskingPolicy) -> None:
    """A key domain joins the datasets it lists and never others (PRIVACY 11)."""
    for name, domain in policy.key_domains.items():
        if name not in policy.key_names:
            raise PolicyError(f"key_domains: no rule uses the key {name!r}{suggestion(name, policy.key_names)}")
        if domain.datasets and policy.dataset not in domain.datasets:
            raise PolicyError(
                f"key_domains: the key {name!r} joins {list(domain.datasets)}; {policy.dataset!r} may not use it"
            )
        for attribute in domain.joins or ():
            if attribute not in policy.attributes:
                raise UnknownAttribute(
                    f"key_domains: {name!r} joins {attribute!r}, which is no attribute"
                    f"{suggestion(attribute, policy.attributes)}"
                )


def _check_token(rule: AttributeRule, column: ColumnStatistics) -> None:
    """PRIVACY 12: a token of a small or skewed column is a quasi-identifier and must be counted as one.

    Whatever stands for equal values by equal ones: tokens, surrogates, running numbers, encrypted values, structure-
    preserving pseudonyms, tokens in texts. What is drawn for each record is no token.
    """
    if not rule.pseudonym or rule.role is Role.QUASI_IDENTIFIER:
        return
    if column.distinct < SMALL or column.top_share > SKEWED:
        why = (
            f"{column.distinct} distinct values"
            if column.distinct < SMALL
            else f"one value holds {column.top_share:.1%} of the rows"
        )
        instead = "replace what is found by its type (text.redact)" if rule.free_text else "drop it"
        raise PolicyError(
            f"attribute {rule.name!r}: tokens of this column can be guessed by frequency ({why}); {instead}, or give "
            "it the role quasi_identifier so that k-anonymity counts it",
            line=rule.line or None,
        )


def _check_repeated(policy: MaskingPolicy, rule: AttributeRule, column: ColumnStatistics) -> None:
    """PRIVACY 12: a pseudonym that joins a person's records makes their whole sequence tell the person.

    A limit on classes counts each record by itself, so it does not see that. No engine here limits sequences: such a
    pseudonym holds for a period, and the next one gets fresh ones.
    """
    tells = rule.role is Role.DIRECT_IDENTIFIER or rule.name == policy.unit
    free = any(branch.technique.startswith(FREE_TEXT) for branch in rule.branches)
    if policy.is_aggregate or free or not (tells and rule.pseudonym and column.repeated):
        return
    line = rule.line or None
    if policy.unit is None:
        raise PolicyError(
            f"attribute {rule.name!r}: its pseudonym stands in several records, so a person has several: name the "
            "column that identifies the person (`unit:`), for limits count persons and not records",
            line=line,
        )
    keys = [branch.key for branch in rule.branches if branch.key]
    if not all(policy.key_domains[key].period if key in policy.key_domains else "" for key in keys):
        raise PolicyError(
            f"attribute {rule.name!r}: its pseudonym joins all records of a person, and a sequence of records points "
            "to one person where no record does (a limit counts each record by itself); mask the records of one period "
            f"at a time and say which it is, `key_domains: {{{keys[0]}: {{period: 2026-03}}}}`: the next period gets "
            "fresh pseudonyms; or drop the attribute",
            line=line,
        )


def _check_record(policy: MaskingPolicy, known: Mapping[str, ColumnStatistics]) -> None:
    """PRIVACY 13: what is drawn once for each record needs columns that tell records apart."""
    if not policy.draws or len(policy.record) != 1 or policy.record[0] not in known:
        return
    if known[policy.record[0]].repeated:
        raise PolicyError(
            f"record: {policy.record[0]!r} has one value in several records, which would share one draw; name all "
            "columns that tell records apart"
        )


def _check_test_data(policy: MaskingPolicy) -> None:
    """PRIVACY 9: pseudonyms that look valid exist for tests only, and a table for tests claims nothing."""
    for rule in policy.attributes.values():
        for branch in rule.branches:
            if branch.parameters.get("valid_looking") and not policy.test_data:
                raise InvalidParameter(
                    "a pseudonym that looks valid may be the number of a living person; leave `valid_looking` out, or, "
                    "if the table is for tests only and never published, say `test_data: true` beside `attributes:`",
                    parameter="valid_looking",
                    attribute=rule.name,
                    line=rule.line or None,
                )
    if not policy.test_data:
        return
    limits = policy.limits
    claimed = [
        word
        for word, given in (
            ("limits", bool(limits.asked)),
            ("aggregate", policy.is_aggregate),
        )
        if given
    ]
    if claimed:
        raise PolicyError(
            f"test_data: a table for tests is never published, so it claims nothing: leave {claimed} out, or test_data"
        )


def _check_unit(policy: MaskingPolicy) -> None:
    if policy.unit is not None and policy.unit not in policy.attributes:
        raise UnknownAttribute(
            f"unit names {policy.unit!r}, which is no attribute{suggestion(policy.unit, policy.attributes)}"
        )


def _check_limits(policy: MaskingPolicy) -> None:
    limits = policy.limits
    for name, value in (("k_anonymity", limits.k_anonymity), ("distinct_l_diversity", limits.distinct_l_diversity)):
        if value is not None and value < 2:
            raise InvalidParameter(f"limits: {name} must be at least 2, or absent")
    if limits.suppression and not limits.asked:
        raise InvalidParameter("limits: suppression needs a limit that rows are suppressed for")
    if limits.asked and not policy.quasi_identifiers and not policy.is_aggregate:
        raise PolicyError(f"limits: {limits.asked[0]} has nothing to count: no quasi-identifier is kept")
    if limits.needs_sensitive and not policy.sensitive:
        raise PolicyError(f"limits: {limits.needs_sensitive[0]} has nothing to count: no sensitive attribute is kept")
    if limits.needs_population:
        raise PolicyError(
            f"limits: {limits.needs_population[0]} needs a table of the population, which a policy does not have; "
            "use masking.anonymize"
        )
    closeness = limits.t_closeness
    if closeness is not None and closeness.distance != "equal" and not policy.recoded:
        raise PolicyError(
            f"limits: the {closeness.distance} distance is held by a search only: give the quasi-identifiers the "
            f"technique {RECODING}, or use the distance equal"
        )
    for name in closeness.hierarchies if closeness is not None else ():
        if name not in policy.sensitive:
            raise UnknownAttribute(
                f"limits: {name!r} is no kept sensitive attribute{suggestion(name, policy.sensitive)}"
            )


def _check_recoding(policy: MaskingPolicy) -> None:
    """A search decides all quasi-identifiers together, or it could not tell what class a record is in."""
    if not policy.recoded:
        return
    for name in policy.quasi_identifiers:
        rule = policy.attributes[name]
        if any(branch.technique != RECODING for branch in rule.branches) or rule.otherwise is not None:
            raise PolicyError(
                f"attribute {name!r}: with limits, {RECODING} decides all quasi-identifiers together; use it here as "
                f"well, not {rule.technique}",
                line=rule.line or None,
            )
    for name in policy.recoded:
        if policy.attributes[name].role is not Role.QUASI_IDENTIFIER:
            raise PolicyError(
                f"attribute {name!r}: {RECODING} is for quasi-identifiers", line=policy.attributes[name].line or None
            )


def _check_aggregate(policy: MaskingPolicy, files: Path | None) -> None:
    aggregate = policy.aggregate
    if aggregate is None:
        return
    if aggregate.protect is not None:
        measured = _check_protected(policy, aggregate, files)
    else:
        measured = check_shape(
            aggregate.by,
            aggregate.measures,
            aggregate.threshold,
            aggregate.rounding,
            aggregate.clamp,
            aggregate.dominance,
        )
    for name in (*aggregate.by, *measured, *aggregate.clamp):
        if name not in policy.attributes:
            raise UnknownAttribute(
                f"aggregate names {name!r}, which is no attribute{suggestion(name, policy.attributes)}"
            )
    for name in aggregate.by:
        rule = policy.attributes[name]
        if rule.role is Role.DIRECT_IDENTIFIER or rule.dropped or rule.pseudonym or rule.free_text:
            raise PolicyError(
                f"aggregate: {name!r} cannot group cells: it is a {rule.role.value} under {rule.technique}",
                line=rule.line or None,
            )
    for name in measured:
        rule = policy.attributes[name]
        if rule.role is Role.DIRECT_IDENTIFIER:
            raise PolicyError(f"aggregate: a direct identifier ({name!r}) is not measured", line=rule.line or None)


def _check_protected(policy: MaskingPolicy, aggregate: Aggregate, files: Path | None) -> tuple[str, ...]:
    """A table with margins: what can be known of it before a record is read. The columns that are measured, each once.

    How many cells it has, and whether they can be protected, is known when the records are.
    """
    protect = aggregate.protect
    assert protect is not None
    measured = check_measures(aggregate.measures, dict.fromkeys(aggregate.by))
    for name in aggregate.dimensions:
        if name not in aggregate.by:
            raise InvalidParameter(
                f"aggregate: `dimensions` name {name!r}, which is not in `by`{suggestion(name, aggregate.by)}"
            )
    for name in dict.fromkeys(name for each in protect.tables for name in each):
        if name not in aggregate.by:
            raise InvalidParameter(
                f"aggregate: `tables` name {name!r}, which is not in `by`{suggestion(name, aggregate.by)}"
            )
    if protect.method != "suppression":
        for name, measure in aggregate.measures.items():
            if "count" not in measure:
                raise InvalidParameter(
                    f"aggregate: {protect.method} protects counts of persons only; protect {name!r} by suppression"
                )
    if protect.key is not None:
        if policy.unit is None and not policy.record:
            raise InvalidParameter(
                "aggregate: the noise of a count belongs to its persons; name the person (`unit:`), or the columns "
                "that tell records apart (`record:`)"
            )
        domain = policy.key_domains.get(protect.key)
        if domain is not None and (domain.version > 1 or domain.period):
            raise PolicyError(
                f"key_domains: the key {protect.key!r} draws the noise of a table; another version or period would "
                "draw it anew, and who holds both tables averages it away"
            )
    for spec in aggregate.dimensions.values():
        if isinstance(spec.get("hierarchy"), str) and files is not None:
            file_beside(spec["hierarchy"], files)
    return tuple(dict.fromkeys(measured))

"""Whether the policies of several tables fit each other: each by itself, and the keys between them.

A foreign key joins after masking exactly when both columns are masked alike: same technique, parameters, key, domain,
period and version; by a technique that is one to one and depends on the value alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from masking import techniques
from masking.errors import PolicyError, UnknownAttribute, suggestion
from masking.policy.check import ColumnStatistics, check
from masking.policy.model import KEEP, AttributeRule, ForeignKey, MaskingPolicy, PolicySet
from masking.techniques.base import WholeColumn


def check_set(
    policies: PolicySet,
    schemas: Mapping[str, pa.Schema] | None = None,
    statistics: Mapping[str, Mapping[str, ColumnStatistics]] | None = None,
    *,
    files: Path | None = None,
) -> None:
    """Raise unless each table's policy passes ``check`` and the foreign keys still join after masking.

    Raises:
        PolicyError: as ``check``, with the table's name in front; or a foreign key names no column, or two columns
            that are not masked alike.
    """
    if schemas is not None:
        check_tables(policies, schemas)
    for name, policy in policies.tables.items():
        try:
            check(policy, schemas and schemas[name], (statistics or {}).get(name), files=files)
        except PolicyError as error:
            raise _in_table(error, name) from None
    for name, domain in policies.key_domains.items():
        if name not in policies.key_names:
            raise PolicyError(f"key_domains: no rule uses the key {name!r}{suggestion(name, policies.key_names)}")
        if domain.datasets and policies.dataset not in domain.datasets:
            raise PolicyError(
                f"key_domains: the key {name!r} joins {list(domain.datasets)}; {policies.dataset!r} may not use it"
            )
        columns = {column for policy in policies.tables.values() for column in policy.attributes}
        for column in domain.joins or ():
            if column not in columns:
                raise UnknownAttribute(
                    f"key_domains: {name!r} joins {column!r}, which is no attribute of any table"
                    f"{suggestion(column, columns)}"
                )
    for key in policies.foreign_keys:
        _check_key(policies, key)
    in_order(policies)


def in_order(policies: PolicySet) -> list[str]:
    """The tables, each behind those that it refers to: a record whose reference has left follows it.

    Raises:
        PolicyError: tables refer to each other, or one to itself, so that there is no such order.
    """
    open_ = {name: {key.to_table for key in policies.foreign_keys if key.table == name} for name in policies.tables}
    found: list[str] = []
    while open_:
        free = [name for name, others in open_.items() if others <= set(found)]
        if not free:
            raise PolicyError(
                f"foreign_keys: {sorted(open_)} refer to each other in a circle, so which records follow others that "
                "leave cannot be decided; leave one of these keys out"
            )
        found += free
        open_ = {name: others for name, others in open_.items() if name not in free}
    return found


def check_tables(policies: PolicySet, given: Mapping[str, object]) -> None:
    """Raise unless policies and tables have the same names: an unnamed table is an error, never left aside."""
    missing = [name for name in policies.tables if name not in given]
    if missing:
        raise UnknownAttribute(f"the policy names the tables {sorted(missing)}, given are {sorted(given)}")
    unnamed = sorted(set(given) - set(policies.tables))
    if unnamed:
        raise UnknownAttribute(f"there are tables {unnamed} that the policy does not name; give each a policy")


def _in_table(error: PolicyError, table: str) -> PolicyError:
    """The same error with the table's name in front; its class and place stay."""
    error.args = (f"table {table!r}: {error.args[0]}", *error.args[1:])
    return error


def _check_key(policies: PolicySet, key: ForeignKey) -> None:
    rule, target = (
        _rule(policies, key, table, column)
        for table, column in ((key.table, key.column), (key.to_table, key.to_column))
    )
    line = key.line or None
    for where, each in ((f"{key.table}.{key.column}", rule), (f"{key.to_table}.{key.to_column}", target)):
        if why := _does_not_join(each):
            raise PolicyError(f"foreign_keys: {key}: {where} does not join after masking: {why}", line=line)
    different = _differences(policies.tables[key.table], rule, policies.tables[key.to_table], target)
    if different:
        raise PolicyError(
            f"foreign_keys: {key}: both columns must be masked alike, or the tables no longer join; different: "
            f"{', '.join(different)}",
            line=line,
        )


def _rule(policies: PolicySet, key: ForeignKey, table: str, column: str) -> AttributeRule:
    line = key.line or None
    if table not in policies.tables:
        raise PolicyError(
            f"foreign_keys: {key}: there is no table {table!r}{suggestion(table, policies.tables)}", line=line
        )
    known = policies.tables[table].attributes
    if column not in known:
        raise UnknownAttribute(
            f"foreign_keys: {key}: {table!r} has no attribute {column!r}{suggestion(column, known)}", line=line
        )
    return known[column]


def _does_not_join(rule: AttributeRule) -> str:
    """Why a rule's output cannot be a key; empty if it can."""
    if rule.dropped:
        return "it is dropped; leave the foreign key out, or give both columns a pseudonym"
    if rule.when is not None:
        return "a condition decides what becomes of it"
    if rule.technique == KEEP:
        return ""
    technique = techniques.get(rule.technique)
    if issubclass(technique, WholeColumn):
        return f"{rule.technique} depends on the other records of its table"
    if technique.randomized or not technique.needs_key:
        return f"{rule.technique} does not give each value one of its own"
    if rule.technique in _NOT_ONE_TO_ONE:
        return f"under {rule.technique} different values may become equal"
    return ""


_NOT_ONE_TO_ONE = ("pseudonymization.surrogate", "text.token", "text.surrogate")


def _differences(one: MaskingPolicy, rule: AttributeRule, other: MaskingPolicy, target: AttributeRule) -> list[str]:
    """What differs between two rules, as words with both values."""
    found = []
    if rule.technique != target.technique:
        found.append(f"technique ({rule.technique} and {target.technique})")
    defaults = {each.name: each.default for each in techniques.get(rule.technique).parameters()}
    for name, default in defaults.items():
        mine, theirs = (each.parameters.get(name, default) for each in (rule, target))
        if rule.technique == target.technique and _plain(mine) != _plain(theirs):
            found.append(f"{name} ({_plain(mine)} and {_plain(theirs)})")
    if rule.key != target.key:
        found.append(f"key ({rule.key} and {target.key})")
    elif one.key_use(rule) != other.key_use(target):
        found.append(f"key domain (`joins` of {rule.key!r} must name both {rule.name!r} and {target.name!r})")
    return found


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value

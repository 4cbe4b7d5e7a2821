"""Writes masking policies as YAML that ``load`` reads back, and says which text a policy stands for."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from masking.policy.model import Aggregate, AttributeRule, KeyDomain, MaskingPolicy, PolicySet, SandboxRules

_PLAIN: Final = re.compile(r"[0-9A-Za-z_\u4e00-\u9fff][0-9A-Za-z_ ./*()\u4e00-\u9fff，。；：、“”（）→-]*")
"""Text that is surely one plain scalar, also inside a flow mapping; words like ``yes`` the writer quotes itself."""


def dump(policy: MaskingPolicy) -> str:
    """YAML text that ``load`` reads back to an equal policy (line numbers aside)."""
    return _written({**_head_words(policy), **_table_words(policy)})


def dump_set(policies: PolicySet) -> str:
    """YAML text that ``load_set`` reads back to an equal set (line numbers aside)."""
    plain = _head_words(policies)
    plain["tables"] = {
        name: {**({"title": _flow(policy.title)} if policy.title else {}), **_table_words(policy)}
        for name, policy in policies.tables.items()
    }
    if policies.foreign_keys:
        plain["foreign_keys"] = [
            _flow({"from": f"{each.table}.{each.column}", "to": f"{each.to_table}.{each.to_column}"})
            for each in policies.foreign_keys
        ]
    return _written(plain)


def digest(policy: MaskingPolicy) -> str:
    """SHA-256 of the YAML text the policy was read from, or of its dump."""
    return hashlib.sha256((policy.source_text or dump(policy)).encode()).hexdigest()


def _written(plain: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.allow_unicode = True
    yaml.dump(_commented(plain), stream)
    return stream.getvalue()


def _head_words(policy: MaskingPolicy | PolicySet) -> dict[str, Any]:
    plain: dict[str, Any] = {"version": policy.version, "dataset": policy.dataset}
    for name in ("title", "origin"):
        if getattr(policy, name):
            plain[name] = _flow(getattr(policy, name))
    if policy.level:
        plain["level"] = policy.level.value
    if policy.test_data:
        plain["test_data"] = True
    if policy.key_domains:
        plain["key_domains"] = {name: _flow(_domain_words(domain)) for name, domain in policy.key_domains.items()}
    return plain


def _table_words(policy: MaskingPolicy) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    if policy.unit:
        plain["unit"] = policy.unit
    if policy.record:
        plain["record"] = _flow(list(policy.record))
    if policy.suppress:
        plain["suppress"] = [_flow(each.to_words()) for each in policy.suppress]
    if policy.sample:
        plain["sample"] = _flow({"share": policy.sample.share, "key": policy.sample.key})
    plain["attributes"] = {name: _flow(_rule_words(rule)) for name, rule in policy.attributes.items()}
    if limits := policy.limits.to_dict():
        plain["limits"] = _flow(limits)
    if policy.recoding != "local":
        plain["recoding"] = policy.recoding
    if policy.aggregate:
        plain["aggregate"] = _aggregate_words(policy.aggregate)
    if policy.sandbox != SandboxRules():
        plain["sandbox"] = _flow(_sandbox_words(policy.sandbox))
    return plain


def _sandbox_words(rules: SandboxRules) -> dict[str, Any]:
    words = {name: getattr(rules, name) for name in SandboxRules.__slots__ if name != "tables"}
    if rules.tables is not None:
        words["tables"] = rules.tables.words
    return words


def _domain_words(domain: KeyDomain) -> dict[str, Any]:
    words: dict[str, Any] = {"datasets": list(domain.datasets), "version": domain.version}
    if domain.joins is not None:
        words["joins"] = list(domain.joins)
    return {**words, "period": domain.period} if domain.period else words


def _rule_words(rule: AttributeRule) -> dict[str, Any]:
    words: dict[str, Any] = {"role": rule.role.value, "technique": rule.technique, **rule.parameters}
    for name, value in (
        ("key", rule.key),
        ("data_level", rule.level.value if rule.level else None),
        ("title", dict(rule.title)),
        ("reason", rule.reason),
        ("codes", list(rule.codes) if rule.codes is not None else None),
        ("practice", rule.practice),
        ("invented", rule.invented),
        ("when", rule.when.to_words() if rule.when else None),
        ("otherwise", _branch_words(rule.otherwise) if rule.otherwise else None),
    ):
        if value not in (None, "", {}, False):
            words[name] = value  # noqa: PERF403
    return words


def _branch_words(rule: AttributeRule) -> dict[str, Any]:
    key = {"key": rule.key} if rule.key else {}
    return {"technique": rule.technique, **rule.parameters, **key}


def _aggregate_words(aggregate: Aggregate) -> dict[str, Any]:
    words: dict[str, Any] = {
        "by": _flow(list(aggregate.by)),
        "measures": {name: _flow(measure) for name, measure in aggregate.measures.items()},
    }
    if aggregate.protect is not None:
        if aggregate.dimensions:
            words["dimensions"] = {name: _flow(spec) for name, spec in aggregate.dimensions.items()}
        return {**words, "protect": _flow(aggregate.rules)}
    words |= {
        "threshold": aggregate.threshold,
        "rounding": aggregate.rounding,
    }
    if aggregate.clamp:
        words["clamp"] = {name: _flow(list(bounds)) for name, bounds in aggregate.clamp.items()}
    words["dominance"] = _flow(list(aggregate.dominance)) if aggregate.dominance else None
    return words


def _flow(value: Any) -> Any:
    node = _commented(value)
    node.fa.set_flow_style()
    return node


def _commented(value: Any) -> Any:
    if isinstance(value, CommentedMap | CommentedSeq):
        return value
    if isinstance(value, Mapping):
        return CommentedMap((_commented(name), _commented(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return CommentedSeq(_commented(item) for item in value)
    if isinstance(value, str) and _PLAIN.fullmatch(value) is None:
        return DoubleQuotedScalarString(value)  # column names may hold anything
    return value

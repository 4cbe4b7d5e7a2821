"""Masking policies (脱敏策略): model, YAML, checks, words, proposals."""

from masking.limits import Limits
from masking.policy.check import ColumnStatistics, check
from masking.policy.check_set import check_set
from masking.policy.dump import digest, dump, dump_set
from masking.policy.explain import Explained, explain
from masking.policy.explain_aggregate import explain_aggregate
from masking.policy.load import holds_several, load, load_set
from masking.policy.model import (
    Aggregate,
    AttributeRule,
    ForeignKey,
    KeyDomain,
    MaskingPolicy,
    PolicySet,
    Sample,
    SandboxRules,
)
from masking.policy.propose import propose
from masking.policy.reporting import build_report
from masking.policy.schema import json_schema
from masking.policy.self_contained import self_contained

__all__ = [
    "Aggregate",
    "AttributeRule",
    "ColumnStatistics",
    "Explained",
    "ForeignKey",
    "KeyDomain",
    "Limits",
    "MaskingPolicy",
    "PolicySet",
    "Sample",
    "SandboxRules",
    "build_report",
    "check",
    "check_set",
    "digest",
    "dump",
    "dump_set",
    "explain",
    "explain_aggregate",
    "holds_several",
    "json_schema",
    "load",
    "load_set",
    "propose",
    "self_contained",
]

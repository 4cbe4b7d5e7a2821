"""Masking policies (脱敏策略): model, YAML, checks, words, proposals."""

from masking.policy.check import ColumnStatistics, check
from masking.policy.explain import Explained, explain
from masking.policy.load import dump, load
from masking.policy.model import Aggregate, AttributeRule, KeyDomain, Limits, MaskingPolicy, Sample, SandboxRules
from masking.policy.propose import propose
from masking.policy.reporting import build_report
from masking.policy.schema import json_schema

__all__ = [
    "Aggregate",
    "AttributeRule",
    "ColumnStatistics",
    "Explained",
    "KeyDomain",
    "Limits",
    "MaskingPolicy",
    "Sample",
    "SandboxRules",
    "build_report",
    "check",
    "dump",
    "explain",
    "json_schema",
    "load",
    "propose",
]

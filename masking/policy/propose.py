"""A first masking policy from what detection found; an officer edits it before anything is masked.

Direct identifiers are dropped, or replaced by a keyed pseudonym where the column is large and even enough for one
(PRIVACY 12). Ages become bands, dates years, places stay coarse or go, free text goes. A table at L4 may leave only
as an aggregate, so its proposal has an ``aggregate`` over its columns of few values. What is not understood is
counted as a quasi-identifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from masking.detection.model import ColumnFinding
from masking.limits import Limits
from masking.policy.check import SKEWED, SMALL, ColumnStatistics
from masking.policy.model import DROP, KEEP, KEYED_TOKEN, Aggregate, AttributeRule, MaskingPolicy
from masking.taxonomy import DataLevel, Role

FEW: Final = 12
"""Most distinct values of a column that may group cells."""
CELL_COLUMNS: Final = 3
"""Most grouping columns of a proposed aggregate."""
AGE_BAND: Final = {"width": 10, "lower": 20, "upper": 80}
K_BY_LEVEL: Final = {DataLevel.L2: 5, DataLevel.L3: 5, DataLevel.L4: 10}
SUPPRESSION: Final = 0.05
_UNKNOWN: Final = frozenset({"NUMBER", "CATEGORY", "DATE", "REGION"})
"""Types that say nothing of persons by themselves."""
MANY: Final = 20
"""Distinct values above which a column of unknown meaning goes, from L3 on."""


def propose(
    findings: Sequence[ColumnFinding],
    *,
    dataset: str,
    title: Mapping[str, str] | None = None,
    statistics: Mapping[str, ColumnStatistics] | None = None,
    key: str | None = None,
) -> MaskingPolicy:
    """A policy that passes ``check`` and errs on the safe side: a pseudonym only where each person has one record.

    ``key`` is the name pseudonyms are made under (default: ``<dataset>-1``); ``statistics`` replaces what the findings
    say of distinct values. Every rule carries the finding's reason.
    """
    from masking.detection import propose_level  # its patterns take longer to compile than all else here to load

    level, _, _ = propose_level(findings)
    known = {finding.column: _with(finding, statistics) for finding in findings}
    strict = level >= DataLevel.L3
    attributes = {name: _rule(finding, key or f"{dataset}-1", strict=strict) for name, finding in known.items()}
    unit = _unit(known.values())
    aggregate = _aggregate(known, attributes, unit) if level >= DataLevel.L4 else None
    policy = MaskingPolicy(
        dataset=dataset,
        title=dict(title or {}),
        level=level,
        unit=unit,
        attributes=attributes,
        aggregate=aggregate,
    )
    # Below L3 a table in which nothing is known to be about persons gets no limit that its columns could not meet.
    personal = strict or any(finding.type not in _UNKNOWN for finding in findings)
    counted = bool(policy.quasi_identifiers) and aggregate is None and personal
    k = K_BY_LEVEL.get(level) if counted else None
    return replace(policy, limits=Limits(k_anonymity=k, suppression=SUPPRESSION if k else 0.0))


def statistics_of(findings: Sequence[ColumnFinding]) -> dict[str, ColumnStatistics]:
    """What ``check`` wants to know of the columns, from their findings."""
    return {f.column: ColumnStatistics(f.distinct, f.top_share, f.checked) for f in findings}


def _with(finding: ColumnFinding, statistics: Mapping[str, ColumnStatistics] | None) -> ColumnFinding:
    if not statistics or finding.column not in statistics:
        return finding
    given = statistics[finding.column]
    return replace(finding, distinct=given.distinct, top_share=given.top_share)


def _rule(finding: ColumnFinding, key: str, *, strict: bool) -> AttributeRule:
    technique, parameters, key_name = _technique(finding, key, strict=strict)
    return AttributeRule(
        name=finding.column,
        role=finding.role,
        technique=technique,
        parameters=parameters,
        key=key_name,
        level=finding.level,
        reason=finding.reason["zh"],
    )


def _technique(finding: ColumnFinding, key: str, *, strict: bool) -> tuple[str, dict[str, Any], str | None]:
    if finding.role is Role.DIRECT_IDENTIFIER:
        token = finding.type in {"ID_CARD", "PHONE", "MEDICAL_RECORD", "STUDENT_ID", "SOCIAL_SECURITY", "VIN"}
        known = ColumnStatistics(finding.distinct, finding.top_share, finding.checked)
        if token and known.distinct >= SMALL and known.top_share <= SKEWED and not known.repeated:
            return KEYED_TOKEN, {}, key
        return DROP, {}, None
    if finding.type in {"FREE_TEXT", "MIXED", "GPS", "BIOMETRIC", "USCC"}:
        return DROP, {}, None
    if finding.role is Role.QUASI_IDENTIFIER:
        if finding.type == "AGE":
            # An age column whose values are below 20 is in other units; keep it, k-anonymity judges.
            return "generalization.bands", dict(AGE_BAND), None
        if finding.type in {"BIRTH_DATE", "DATE"}:
            return "generalization.date", {"to": "year"}, None
        if finding.type in {"POSTCODE", "REGION"} and finding.distinct > 1000:
            return DROP, {}, None
        if strict and finding.type in _UNKNOWN and finding.distinct > MANY:
            return DROP, {}, None
    return KEEP, {}, None


def _unit(findings: Any) -> str | None:
    """The column whose values tell persons apart: the first identifier that is nearly always present."""
    for finding in findings:
        if finding.type in {"ID_CARD", "MEDICAL_RECORD", "SOCIAL_SECURITY"} and finding.checked:
            return str(finding.column)
    return None


def _aggregate(
    findings: Mapping[str, ColumnFinding], attributes: Mapping[str, AttributeRule], unit: str | None
) -> Aggregate:
    """Counts of persons by the quasi-identifiers of fewest values; the officer adds what is worth knowing."""
    del unit
    groups = [
        name
        for name, finding in findings.items()
        if finding.role is not Role.DIRECT_IDENTIFIER
        and not attributes[name].dropped
        and (2 <= finding.distinct <= FEW or finding.type == "AGE")
    ]
    groups.sort(key=lambda name: (findings[name].role is not Role.QUASI_IDENTIFIER, findings[name].distinct))
    by = tuple(groups[:CELL_COLUMNS]) or _any_column(attributes)
    name = "persons" if "persons" not in by else "persons_counted"
    return Aggregate(by=by, measures={name: {"count": "*"}})


def _any_column(attributes: Mapping[str, AttributeRule]) -> tuple[str, ...]:
    """The first attribute that is not dropped: an aggregate needs a dimension, hidden cells do the rest."""
    free = [n for n, r in attributes.items() if not r.dropped and r.role is not Role.DIRECT_IDENTIFIER]
    return tuple(free[:1])

"""Puts the measured numbers of one run together into its report.

Legal status is decided here as far as a run can: keyed pseudonyms are never anonymous while a key exists
(个人信息保护法 Art. 73), and an edition of personal data becomes ``anonymized`` only by
a signed opinion, which is not the run's to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from masking.measures.effect import acceptable, effect
from masking.policy.model import MaskingPolicy
from masking.report import AttributeReport, MaskingReport, PublicReport, RiskFigures, two_digits
from masking.taxonomy import Effect, LegalStatus

EMPTY: Final[Mapping[str, int]] = {}


def build_report(
    policy: MaskingPolicy,
    *,
    rows_in: int,
    rows_out: int,
    suppressed: int = 0,
    left_out: int = 0,
    before: RiskFigures | None = None,
    after: RiskFigures | None = None,
    uniqueness_all_columns: float = 0.0,
    nulls: Mapping[str, int] = EMPTY,
    rejects: Mapping[str, int] = EMPTY,
    thresholds: Mapping[str, float] | None = None,
) -> MaskingReport:
    """The report of a run.

    ``before`` is measured over ``policy.person_columns`` of the raw table and ``after`` over
    ``policy.quasi_identifiers`` of the masked one (``masking.measures.risk_figures``), both in persons; for an
    aggregate ``after`` is ``Tabulated.figures()``. ``uniqueness_all_columns`` is the share of masked rows that are
    alone over all masked columns.
    ``left_out`` counts records that the policy itself leaves out (suppress, sample).
    ``nulls`` counts nulls of the masked columns, ``rejects`` values outside a format.
    """
    personal = policy.about_persons
    grade = effect(policy, _graded_k(policy, after), thresholds=thresholds)
    status = legal_status(policy)
    attributes = tuple(
        AttributeReport(
            name=name,
            technique=rule.technique,
            role=rule.role,
            nulls=nulls.get(name, 0),
            rejects=rejects.get(name, 0),
            dropped=_absent(policy, name),
            invented=rule.invented,
        )
        for name, rule in policy.attributes.items()
    )
    return MaskingReport(
        dataset=policy.dataset,
        kind="aggregate" if policy.is_aggregate else "microdata",
        rows_in=rows_in,
        rows_out=rows_out,
        suppressed=suppressed,
        left_out=left_out,
        attributes=attributes,
        quasi_identifiers=policy.quasi_identifiers,
        derived_quasi_identifiers=policy.derived_quasi_identifiers,
        before=before if personal else None,
        after=after if personal else None,
        uniqueness_all_columns=uniqueness_all_columns,
        effect=grade,
        legal_status=status,
        anonymizable=anonymizable(policy, grade, after.k if after else None, thresholds),
        released=_released(
            policy, rows_out, attributes, after if personal else None, uniqueness_all_columns, grade, status
        ),
        policy_digest=policy.digest,
    )


def legal_status(policy: MaskingPolicy) -> LegalStatus:
    """The status a run can reach by itself. A table not about persons is no personal information in the first place."""
    if not policy.about_persons:
        return LegalStatus.ANONYMIZED
    if policy.bare_identifiers and not policy.is_aggregate:
        return LegalStatus.PERSONAL
    return LegalStatus.DEIDENTIFIED


def anonymizable(
    policy: MaskingPolicy, grade: Effect, k: int | None, thresholds: Mapping[str, float] | None = None
) -> bool:
    """True if a named person may sign that the edition is anonymous: no key is kept and the public threshold is met."""
    if policy.is_aggregate or not policy.about_persons:
        return True
    keyed = any(policy.attributes[name].pseudonym for name in policy.kept)
    return not keyed and grade >= Effect(3) and acceptable(k, thresholds, "full_public")


def _released(
    policy: MaskingPolicy,
    rows: int,
    attributes: tuple[AttributeReport, ...],
    after: RiskFigures | None,
    uniqueness_all_columns: float,
    grade: Effect,
    status: LegalStatus,
) -> PublicReport:
    """The public half. The number of rejected values and everything about dropped attributes stay inside."""
    hidden = _persons_are_hidden(policy)
    k = _public_k(policy, after, hidden=hidden)
    return PublicReport(
        dataset=policy.dataset,
        kind="aggregate" if policy.is_aggregate else "microdata",
        rows=rows,
        attributes=tuple(replace(a, rejects=0) for a in attributes if not a.dropped),
        quasi_identifiers=policy.quasi_identifiers,
        derived_quasi_identifiers=policy.derived_quasi_identifiers,
        k=k,
        k_is_limit=hidden and k is not None,
        distinct_l=dict(after.distinct_l) if after else {},
        risk_max=two_digits(1 / k) if k else 0.0,
        risk_average=two_digits(min(after.prosecutor_average, 1 / k if k else 1.0)) if after else 0.0,
        uniqueness_all_columns=two_digits(uniqueness_all_columns),
        effect=grade,
        legal_status=status,
    )


def _persons_are_hidden(policy: MaskingPolicy) -> bool:
    """True if persons cannot be counted in the masked table: cells, or the person column was dropped."""
    return policy.is_aggregate or (policy.unit is not None and policy.unit not in policy.kept)


def _public_k(policy: MaskingPolicy, after: RiskFigures | None, *, hidden: bool) -> int | None:
    if after is None:
        return None
    if not hidden:
        return after.k
    return policy.aggregate.threshold if policy.aggregate else policy.limits.k_anonymity


def _graded_k(policy: MaskingPolicy, after: RiskFigures | None) -> int | None:
    """The k that the effect rests on: one raw record must not move a public effect where persons are hidden."""
    if after is None or policy.is_aggregate or not _persons_are_hidden(policy):
        return after.k if after else None
    return min(after.k, policy.limits.k_anonymity or 1)


def _absent(policy: MaskingPolicy, name: str) -> bool:
    if policy.aggregate is None:
        return policy.attributes[name].dropped
    used = {column for measure in policy.aggregate.measures.values() for column in measure.values()}
    return name not in policy.aggregate.by and name not in used

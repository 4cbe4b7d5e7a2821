"""Puts the measured numbers of one run together into its report.

Legal status is decided here as far as a run can: keyed pseudonyms are never anonymous while a key exists
(个人信息保护法 Art. 73), and an edition of personal data becomes ``anonymized`` only by
a signed opinion, which is not the run's to give.

What the public half says of a column comes from the masked table (PRIVACY 5): its counts are rounded, its loss is there
only where the technique alone decides it, and a distribution only where the table itself shows how many persons stand
behind each value: every record is a person, the persons are in the table as pseudonyms, or the column is a
quasi-identifier and the enforced limit says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from masking import techniques
from masking.measures.effect import acceptable, effect
from masking.measures.profile import ColumnProfiles, Loss, Watched
from masking.policy.dump import digest
from masking.policy.explain import explain
from masking.policy.model import DROP, FREE_TEXT, KEEP, AttributeRule, MaskingPolicy
from masking.report import (
    AttributeReport,
    AuditReport,
    Claim,
    KeyReport,
    MaskingReport,
    Protection,
    PublicReport,
    RecodingReport,
    RiskFigures,
    two_digits,
)
from masking.taxonomy import Effect, LegalStatus, Role

EMPTY: Final[Mapping[str, int]] = {}
LEAST: Final = 10
"""Persons in the smallest cell of a distribution where the policy sets no k."""
ROUNDING: Final = 5
"""Base that the counts of a public distribution are rounded to."""


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
    derived: Sequence[str] = (),
    profiles: ColumnProfiles | None = None,
    found: Mapping[str, float] = EMPTY,
    recoding: RecodingReport | None = None,
    audit: AuditReport | None = None,
) -> MaskingReport:
    """The report of a run.

    ``before`` is measured over ``policy.person_columns`` of the raw table and ``after`` over
    ``policy.quasi_identifiers`` of the masked one (``masking.measures.risk_figures``), both in persons; for an
    aggregate ``after`` is ``Tabulated.figures()``. ``uniqueness_all_columns`` is the share of masked rows that are
    alone over all masked columns.
    ``left_out`` counts records that the policy itself leaves out (suppress, sample).
    ``nulls`` counts nulls of the masked columns, ``rejects`` values outside a format. ``derived`` names the parts that
    pseudonyms keep legible (``Plan.derived_names``); ``profiles`` saw every batch (``watch`` makes them). ``found``:
    what was measured of each limit that the policy asks; ``recoding``: what a search did; ``audit``: what protecting a
    table with margins cost.
    """
    personal = policy.about_persons
    grade = effect(policy, _graded_k(policy, after), thresholds=thresholds)
    status = legal_status(policy)
    sentences = {lang: {each.attribute: each.sentence for each in explain(policy, lang)} for lang in ("zh", "en")}
    attributes = tuple(
        replace(
            _described(policy, rule, profiles),
            nulls=nulls.get(name, 0),
            rejects=rejects.get(name, 0),
            sentence={lang: told[name] for lang, told in sentences.items()},
        )
        for name, rule in policy.attributes.items()
    )
    left = after if personal else None
    released = _released(policy, rows_out, attributes, left, uniqueness_all_columns, grade, status, profiles)
    parts = (*policy.derived_quasi_identifiers, *derived)
    return MaskingReport(
        dataset=policy.dataset,
        kind="aggregate" if policy.is_aggregate else "microdata",
        rows_in=rows_in,
        rows_out=rows_out,
        suppressed=suppressed,
        left_out=left_out,
        attributes=attributes,
        quasi_identifiers=policy.quasi_identifiers,
        derived_quasi_identifiers=parts,
        before=before if personal else None,
        after=left,
        uniqueness_all_columns=uniqueness_all_columns,
        effect=grade,
        legal_status=status,
        anonymizable=anonymizable(policy, grade, after.k if after else None, thresholds),
        released=replace(released, derived_quasi_identifiers=parts),
        policy_digest=digest(policy),
        claims=_claims(policy, found),
        recoding=recoding,
        audit=audit,
        **_about(policy),
    )


def _claims(policy: MaskingPolicy, found: Mapping[str, float] = EMPTY) -> tuple[Claim, ...]:
    """The limits that a run enforced; an aggregate has rules of its own."""
    if policy.is_aggregate:
        return ()
    asked = policy.limits.to_dict()
    return tuple(Claim(name, _sizes_only(asked[name]), found.get(name)) for name in policy.limits.asked)


def watch(policy: MaskingPolicy, masked: pa.Schema) -> ColumnProfiles:
    """Profiles for a run of this policy whose masked table has the columns ``masked``; not for an aggregate."""
    watched = [
        Watched(
            name,
            before=not (rule.role is Role.DIRECT_IDENTIFIER or rule.free_text or _tells_tokens(rule)),
            after=not _withheld(rule),
            loss=_loss(rule),
        )
        for name, rule in policy.attributes.items()
    ]
    return ColumnProfiles(watched, masked.names, least=_least(policy), unit=policy.unit)


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
    profiles: ColumnProfiles | None,
) -> PublicReport:
    """The public half. The number of rejected values and everything about dropped attributes stay inside."""
    hidden = _persons_are_hidden(policy)
    k = _public_k(policy, after, hidden=hidden)
    return PublicReport(
        dataset=policy.dataset,
        kind="aggregate" if policy.is_aggregate else "microdata",
        rows=rows,
        attributes=tuple(_public_attribute(policy, each, profiles) for each in attributes if not each.dropped),
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
        claims=_claims(policy),
        recoding=policy.recoding if policy.recoded else "",
        protection=_protection(policy),
        **_about(policy),
    )


def _protection(policy: MaskingPolicy) -> Protection | None:
    """What everybody may know of it. Dominance, p percent and noise parameters would help who wants to undo it."""
    rules = policy.aggregate.protect if policy.aggregate is not None else None
    if rules is None:
        return None
    base = rules.base if rules.method in {"rounding", "random_rounding"} else None
    return Protection(rules.method, rules.threshold, base, additive=rules.method in {"suppression", "rounding"})


def _about(policy: MaskingPolicy) -> dict[str, Any]:
    """What both reports say of the policy as a whole."""
    domains = policy.key_domains
    records: list[dict[str, Any]] = [
        {"technique": "suppression.record", "condition": _plain(each.to_words())} for each in policy.suppress
    ]
    if policy.sample is not None:
        by = [policy.unit] if policy.unit else list(policy.record)
        records.append(
            {"technique": "sampling.simple", "share": policy.sample.share, "by": by, "key": policy.sample.key}
        )
    return {
        "title": dict(policy.title),
        "level": policy.level.value if policy.level else None,
        "keys": tuple(
            KeyReport(name, domains[name].version, domains[name].datasets, domains[name].joins)
            if name in domains
            else KeyReport(name)
            for name in policy.key_names
        ),
        "records": tuple(records),
        "test_data": policy.test_data,
    }


def _described(policy: MaskingPolicy, rule: AttributeRule, profiles: ColumnProfiles | None) -> AttributeReport:
    """What the policy says of an attribute, and what was seen of it."""
    described = AttributeReport(
        name=rule.name,
        technique=rule.technique,
        role=rule.role,
        dropped=_absent(policy, rule.name),
        invented=rule.invented,
        parameters=_public_parameters(rule),
        key=rule.key,
        condition=_plain(rule.when.to_words()) if rule.when else None,
        otherwise=_branch(rule.otherwise) if rule.otherwise else None,
        title=dict(rule.title),
        level=rule.level.value if rule.level else None,
        withheld="aggregate" if policy.is_aggregate else _withheld(rule),
    )
    kind = _loss(rule)
    if kind in _FIXED:
        described = replace(described, loss=_FIXED[kind], loss_kind=kind)
    if profiles is None:
        return described
    before, after = profiles.before(rule.name), profiles.after(rule.name)
    loss, loss_kind = profiles.loss(rule.name)
    shown = after.distribution if after else None
    return replace(
        described,
        loss=loss,
        loss_kind=loss_kind,
        nulls_before=before.nulls,
        distinct_before=before.distinct,
        before=before.distribution,
        distinct=after.distinct if after else None,
        after=shown,
        withheld=described.withheld or ("" if shown else "values"),
    )


def _public_attribute(
    policy: MaskingPolicy, attribute: AttributeReport, profiles: ColumnProfiles | None
) -> AttributeReport:
    """The same attribute as the masked table alone tells of it."""
    seen = profiles.after(attribute.name, rounding=ROUNDING if policy.about_persons else 1) if profiles else None
    shown, withheld = (seen.distribution if seen else None), attribute.withheld
    if shown and not _persons_are_shown(policy, attribute.name):
        shown, withheld = None, "persons"
    fixed = attribute.loss_kind in _FIXED
    return replace(
        attribute,
        rejects=0,
        loss=attribute.loss if fixed else None,
        loss_kind=attribute.loss_kind if fixed else "",
        nulls_before=None,
        distinct_before=None,
        before=None,
        distinct=int(two_digits(seen.distinct)) if seen else None,
        after=shown,
        withheld=withheld,
    )


_FIXED: Final[Mapping[str, float]] = {"kept": 0.0, "dropped": 1.0, "token": 1.0}


def _loss(rule: AttributeRule) -> Loss:
    """How the loss of an attribute is known; empty where tokens stand beside values."""
    kinds = {_branch_loss(branch) for branch in rule.branches}
    return kinds.pop() if len(kinds) == 1 else "" if kinds & {"token", "dropped", "changed"} else "measured"


def _branch_loss(rule: AttributeRule) -> Loss:
    if rule.technique == KEEP:
        return "kept"
    if rule.technique == DROP or _releases(rule) == "nothing":
        return "dropped"
    if rule.technique.startswith(FREE_TEXT):
        return "changed"
    return "token" if _releases(rule) == "token" else "measured"


def _withheld(rule: AttributeRule) -> str:
    """Why the distribution of the masked column is never shown; empty if it may be."""
    if rule.dropped:
        return "dropped"
    if rule.role is Role.DIRECT_IDENTIFIER:
        return "identifier"
    if rule.free_text:
        return "text"
    return "token" if _tells_tokens(rule) else ""


def _tells_tokens(rule: AttributeRule) -> bool:
    return any(_releases(branch) == "token" for branch in rule.branches)


def _releases(rule: AttributeRule) -> str:
    return techniques.get(rule.technique).releases if rule.technique in techniques.names() else "value"


def _least(policy: MaskingPolicy) -> int:
    return (policy.limits.k or LEAST) if policy.about_persons else 1


def _persons_are_shown(policy: MaskingPolicy, name: str) -> bool:
    """True if the masked table tells that ``_least`` persons stand behind each cell that is shown."""
    if not policy.about_persons or not _persons_are_hidden(policy):
        return True
    return policy.limits.k is not None and name in policy.quasi_identifiers


def _branch(rule: AttributeRule) -> dict[str, Any]:
    return {"technique": rule.technique, "parameters": _public_parameters(rule), "key": rule.key}


def _public_parameters(rule: AttributeRule) -> dict[str, Any]:
    """The parameters as the policy gives them; of a file only its name, of a table of values only its size."""
    shown: dict[str, Any] = {}
    for name, value in rule.parameters.items():
        if isinstance(value, Mapping):
            shown[name] = {"entries": len(value)}
        else:
            shown[name] = Path(value).name if name == "file" and isinstance(value, str) else _plain(value)
    return shown


def _sizes_only(asked: Any) -> Any:
    """A limit as the policy asks it; of the hierarchies of its distance what ``_public_parameters`` shows."""
    if not isinstance(asked, Mapping) or "hierarchies" not in asked:
        return asked
    trees = {
        name: Path(tree).name if isinstance(tree, str) else {"entries": len(tree)}
        for name, tree in asked["hierarchies"].items()
    }
    return {**asked, "hierarchies": trees}


def _plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def _persons_are_hidden(policy: MaskingPolicy) -> bool:
    """True if persons cannot be counted in the masked table: cells, or the person column was dropped."""
    return policy.is_aggregate or (policy.unit is not None and policy.unit not in policy.kept)


def _public_k(policy: MaskingPolicy, after: RiskFigures | None, *, hidden: bool) -> int | None:
    if after is None:
        return None
    if not hidden:
        return after.k
    if policy.aggregate is None:
        return policy.limits.k
    return policy.aggregate.threshold if policy.aggregate.hides_small else 1  # a cell with noise may hold one person


def _graded_k(policy: MaskingPolicy, after: RiskFigures | None) -> int | None:
    """The k that the effect rests on: one raw record must not move a public effect where persons are hidden."""
    if after is None or policy.is_aggregate or not _persons_are_hidden(policy):
        return after.k if after else None
    return min(after.k, policy.limits.k or 1)


def _absent(policy: MaskingPolicy, name: str) -> bool:
    if policy.aggregate is None:
        return policy.attributes[name].dropped
    used = {column for measure in policy.aggregate.measures.values() for column in measure.values()}
    return name not in policy.aggregate.by and name not in used

"""What a masking policy says of records and keys, in the form: conditions, records that leave, a sample, key domains.

Conditions and other branches are lines of YAML, as in the policy itself. A field that nobody changed changes nothing,
so a distinction that the form cannot show (a key domain that joins no attributes, or all) is never lost by saving it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from masking.errors import InvalidParameter
from masking.messages import in_chinese
from masking.policy import AttributeRule, KeyDomain, MaskingPolicy, Sample
from masking.techniques.conditions import Condition, condition
from opendata.web.form_fields import Typed, shown
from opendata.web.inline_yaml import flow, mapping_of, names_of

LONGEST = 10_000
LABELS: Mapping[str, Mapping[str, str]] = {
    "suppress": {"zh": "不发布的记录", "en": "Records that leave"},
    "sample_share": {"zh": "抽样比例", "en": "Share of the sample"},
    "sample_key": {"zh": "抽样密钥", "en": "Key of the sample"},
}
OF_ATTRIBUTE: dict[str, Mapping[str, str]] = {
    "when": {"zh": "适用条件", "en": "condition"},
    "otherwise": {"zh": "其余记录", "en": "other records"},
}
EXAMPLE = "column: age, at_least: 90"


@dataclass(frozen=True, slots=True)
class Domain:
    """The fields of one key."""

    index: int
    name: str
    version: str
    period: str
    joins: str
    datasets: str


def condition_text(given: Condition | None) -> str:
    """A condition as its field shows it; empty for none."""
    return "" if given is None else flow(given.to_words())


def branch_text(rule: AttributeRule | None) -> str:
    """The rule for all other records as its field shows it; the values of a hierarchy stand in the YAML only."""
    if rule is None:
        return ""
    words = {"technique": rule.technique, **{name: v for name, v in rule.parameters.items() if name != "mapping"}}
    return flow(words | ({"key": rule.key} if rule.key else {}))


def fields(policy: MaskingPolicy) -> dict[str, str]:
    """What the fields beside the attributes show."""
    sample = policy.sample
    return {
        "suppress": "\n".join(condition_text(each) for each in policy.suppress),
        "sample_share": shown(sample.share * 100) if sample else "",
        "sample_key": sample.key if sample else "",
    }


def domains(policy: MaskingPolicy) -> list[Domain]:
    """The keys that the policy uses or describes, each once."""
    names = dict.fromkeys([*policy.key_domains, *policy.key_names])
    found = ((name, policy.key_domains.get(name, KeyDomain())) for name in names)
    return [
        Domain(
            index, name, str(domain.version), domain.period, "、".join(domain.joins or ()), "、".join(domain.datasets)
        )
        for index, (name, domain) in enumerate(found)
    ]


def branches_changed(rule: AttributeRule, index: int, typed: Typed) -> AttributeRule:
    """The rule with its condition and other branch as the form wants them; both empty for none."""
    when, other = typed.text(f"when-{index}"), typed.text(f"otherwise-{index}")
    if when is not None and when != condition_text(rule.when):
        rule = dataclasses.replace(rule, when=_condition(when, f"when-{index}", typed))
    if other is not None and other != branch_text(rule.otherwise):
        rule = dataclasses.replace(rule, otherwise=_branch(rule, other, f"otherwise-{index}", typed))
    return rule


def changed(policy: MaskingPolicy, typed: Typed) -> MaskingPolicy:
    """The policy with what the form says of records and keys."""
    now = fields(policy)
    suppress = policy.suppress
    text = typed.text("suppress")
    if text is not None and _lines(text) != _lines(now["suppress"]):
        read = [_condition(line, "suppress", typed) for line in _lines(text)]
        suppress = tuple(each for each in read if each is not None)
    return dataclasses.replace(
        policy, suppress=suppress, sample=_sample(policy.sample, typed), key_domains=_domains(policy, typed)
    )


def _sample(now: Sample | None, typed: Typed) -> Sample | None:
    before = now.share * 100 if now else None
    share = typed.number("sample_share", before, least=0, most=100, above=True)
    key = typed.text("sample_key")
    if share is None:
        if key and now is None:
            typed.fault("sample_share", "写明抽取百分之几的记录", "Say which percentage of the records is drawn")
        return None
    key = key if key is not None else (now.key if now else "")
    if not key:
        typed.fault("sample_key", "抽样须有密钥名称，每条记录只抽取一次", "A sample needs the name of a key")
        return now
    if now is not None and share == before:
        return dataclasses.replace(now, key=key)
    return Sample(share / 100, key)


def _domains(policy: MaskingPolicy, typed: Typed) -> dict[str, KeyDomain]:
    found = dict(policy.key_domains)
    for each in domains(policy):
        now = found.get(each.name, KeyDomain())
        place = f"domain-{each.index}"
        version = typed.whole(f"{place}-version", now.version, least=1)
        period = typed.text(f"{place}-period")
        made = dataclasses.replace(
            now,
            version=now.version if version is None else version,
            period=now.period if period is None else period,
            joins=_names(typed, f"{place}-joins", each.joins, now.joins),
            datasets=_names(typed, f"{place}-datasets", each.datasets, now.datasets) or (),
        )
        if made != KeyDomain() or each.name in found:
            found[each.name] = made
    return found


def _names(typed: Typed, field: str, before: str, now: tuple[str, ...] | None) -> tuple[str, ...] | None:
    text = typed.text(field)
    if text is None or text == before:
        return now
    return tuple(names_of(text)) or None


def _condition(text: str, field: str, typed: Typed) -> Condition | None:
    if not text:
        return None
    words = mapping_of(text, LONGEST)
    if words is None:
        typed.fault(field, f"条件应写作“{EXAMPLE}”", f"A condition is written as “{EXAMPLE}”")
        return None
    try:
        return condition(words)
    except InvalidParameter as error:
        typed.fault(field, in_chinese(str(error)), str(error))
        return None


def _branch(rule: AttributeRule, text: str, field: str, typed: Typed) -> AttributeRule | None:
    if not text:
        return None
    words = mapping_of(text, LONGEST)
    if words is None or not isinstance(words.get("technique"), str):
        typed.fault(
            field,
            "其余记录的处理应写作“technique: generalization.rounding, base: 100”",
            "What becomes of other records is written as “technique: generalization.rounding, base: 100”",
        )
        return rule.otherwise
    now = rule.otherwise
    parameters: dict[str, Any] = {name: value for name, value in words.items() if name not in ("technique", "key")}
    if now is not None and now.technique == words["technique"] and not {"mapping", "file"} & parameters.keys():
        parameters = {name: now.parameters[name] for name in ("mapping",) if name in now.parameters} | parameters
    key = words.get("key")
    return AttributeRule(rule.name, rule.role, words["technique"], parameters, None if key is None else str(key))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\r\n", "\n").split("\n") if line.strip()]

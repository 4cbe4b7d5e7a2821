"""One sentence per attribute that says in words what the policy does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from masking.policy.model import AttributeRule, MaskingPolicy

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Explained:
    """One attribute in words. ``title`` is its item name in the language asked for."""

    attribute: str
    title: str
    sentence: str


def explain(policy: MaskingPolicy, lang: Language = "zh") -> list[Explained]:
    """A sentence per attribute, in the policy's order."""
    return [
        Explained(name, rule.title.get(lang) or name, _sentence(policy, rule, lang))
        for name, rule in policy.attributes.items()
    ]


def explain_limits(policy: MaskingPolicy, lang: Language = "zh") -> list[str]:
    """Sentences about the whole table: limits, the person unit, the aggregate."""
    zh = lang == "zh"
    limits = policy.limits
    sentences = []
    if policy.unit:
        sentences.append(
            f"以“{policy.unit}”区分个人，按人计数"
            if zh
            else f"persons are told apart by {policy.unit!r} and counted as persons"
        )
    if limits.k_anonymity:
        sentences.append(
            f"准标识符的每种组合至少对应 {limits.k_anonymity} 人；为此最多删去 {limits.suppression:.1%} 的行"
            if zh
            else f"every combination of quasi-identifiers belongs to at least {limits.k_anonymity} persons; at most "
            f"{limits.suppression:.1%} of the rows are left out for it"
        )
    if limits.distinct_l_diversity:
        sentences.append(
            f"每个等价类中的敏感属性至少有 {limits.distinct_l_diversity} 个不同值"
            if zh
            else f"every class holds at least {limits.distinct_l_diversity} values of each sensitive attribute"
        )
    if policy.aggregate:
        by, threshold, base = ", ".join(policy.aggregate.by), policy.aggregate.threshold, policy.aggregate.rounding
        sentences.append(
            f"不发布记录，只发布按 {by} 统计的表：少于 {threshold} 人的格不显示，计数取整到 {base}"
            if zh
            else f"no records, only a table by {by}: cells of fewer than {threshold} persons are not shown, counts are "
            f"rounded to {base}"
        )
    return sentences


def _sentence(policy: MaskingPolicy, rule: AttributeRule, lang: Language) -> str:
    role = rule.role.title(lang)
    words = _TECHNIQUES.get(rule.technique)
    what = words(rule, rule.parameters)[lang] if words else _other(rule)[lang]
    if policy.aggregate is not None and not rule.dropped:
        what = _in_cells(policy, rule, what, lang)
    sentence = f"{role}：{what}" if lang == "zh" else f"{role}: {what}"
    if rule.pseudonym and rule.name in policy.derived_quasi_identifiers:
        sentence += (
            "；假名仍按准标识符计入风险" if lang == "zh" else "; the pseudonym still counts as a quasi-identifier"
        )
    if rule.invented:
        sentence += "（虚构的测试数据）" if lang == "zh" else " (invented test data)"
    return sentence


def _in_cells(policy: MaskingPolicy, rule: AttributeRule, what: str, lang: Language) -> str:
    assert policy.aggregate is not None
    if rule.name in policy.aggregate.by:
        return f"{what}，作为统计维度" if lang == "zh" else f"{what}; a dimension of the table"
    if any(rule.name in measure.values() for measure in policy.aggregate.measures.values()):
        return "只出现在汇总数中" if lang == "zh" else "only inside sums and means"
    return "不出现在统计表中" if lang == "zh" else "not in the table"


def _both(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _bands(_: AttributeRule, given: Mapping[str, Any]) -> dict[str, str]:
    if given.get("edges"):
        edges = [f"{edge:g}" for edge in given["edges"]]
        return _both(f"分段，界点 {'、'.join(edges)}", f"in bands with edges {', '.join(edges)}")
    ends = [f"{word} {given[name]:g}" for name, word in (("lower", ""), ("upper", "")) if given.get(name) is not None]
    zh = f"按每 {given.get('width', 0):g} 一段分段"
    en = f"in bands of {given.get('width', 0):g}"
    return _both(f"{zh}，两端为{'、'.join(ends)}", f"{en}, ends at{','.join(ends)}") if ends else _both(zh, en)


def _date(_: AttributeRule, given: Mapping[str, Any]) -> dict[str, str]:
    to = str(given.get("to", ""))
    if to.startswith("year_band:"):
        years = to.split(":", maxsplit=1)[1]
        return _both(f"只保留 {years} 年一段", f"only the band of {years} years is kept")
    zh = {"year": "年份", "month": "年月", "quarter": "季度"}.get(to, to)
    return _both(f"只保留{zh}", f"only the {to} is kept")


def _top_bottom(_: AttributeRule, given: Mapping[str, Any]) -> dict[str, str]:
    parts_zh, parts_en = [], []
    if given.get("lower") is not None:
        parts_zh.append(f"小于 {given['lower']:g} 的记为 {given['lower']:g}")
        parts_en.append(f"values below {given['lower']:g} become {given['lower']:g}")
    if given.get("upper") is not None:
        parts_zh.append(f"大于 {given['upper']:g} 的记为 {given['upper']:g}")
        parts_en.append(f"values above {given['upper']:g} become {given['upper']:g}")
    return _both("，".join(parts_zh), ", ".join(parts_en))


def _mask(_: AttributeRule, given: Mapping[str, Any]) -> dict[str, str]:
    first, last = given.get("keep_first", 0), given.get("keep_last", 0)
    return _both(
        f"只显示前 {first} 位和后 {last} 位，其余遮盖",
        f"the first {first} and last {last} characters are shown, the rest covered",
    )


def _other(rule: AttributeRule) -> dict[str, str]:
    return _both(f"使用技术 {rule.technique}", f"technique {rule.technique}")


_TECHNIQUES: Final[Mapping[str, Callable[[AttributeRule, Mapping[str, Any]], dict[str, str]]]] = {
    "keep": lambda _rule, _given: _both("保持原样", "kept as it is"),
    "suppression.drop": lambda _rule, _given: _both("删除，不发布", "dropped, not published"),
    "suppression.mask": _mask,
    "generalization.date": _date,
    "generalization.rounding": lambda _rule, given: _both(
        f"取整到 {given.get('base')} 的倍数", f"rounded to multiples of {given.get('base')}"
    ),
    "generalization.bands": _bands,
    "generalization.top_bottom": _top_bottom,
    "generalization.hierarchy": lambda _rule, given: _both(
        f"按层级表归并到第 {given.get('level', 1)} 层", f"replaced by level {given.get('level', 1)} of its hierarchy"
    ),
    "pseudonymization.keyed": lambda rule, _given: _both(
        f"换成密钥“{rule.key}”下的假名（去标识化，不是匿名化）",
        f"replaced by a pseudonym under the key {rule.key!r} (de-identified, not anonymous)",
    ),
    "cryptographic.ff1": lambda rule, _given: _both(
        f"以密钥“{rule.key}”保留格式加密（去标识化，不是匿名化）",
        f"encrypted under the key {rule.key!r}, format kept (de-identified, not anonymous)",
    ),
    "text.redact": lambda _rule, _given: _both(
        "文本中查出的标识符换成类型名；去标识化效果最高为 2 级",
        "identifiers found in the text are replaced by their type; the effect is at most 2",
    ),
}

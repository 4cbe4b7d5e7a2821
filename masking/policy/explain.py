"""One sentence per attribute that says in words what the policy does to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from masking import techniques
from masking.policy.explain_aggregate import about_aggregate
from masking.policy.model import AttributeRule, KeyDomain, MaskingPolicy, PolicySet
from masking.policy.words import Both, Language, sentence, shown
from masking.techniques.conditions import Condition

_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


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
    """Sentences about the whole table: test data, the person unit, records, keys, limits, the aggregate."""
    place = 0 if lang == "zh" else 1
    return [both[place] for both in (*_about_test_data(policy.test_data), *_records(policy), *_limits(policy))] + [
        both[place] for both in _keys(policy.key_domains)
    ]


def explain_set(policies: PolicySet, lang: Language = "zh") -> list[str]:
    """Sentences about several tables together."""
    sentences = list(_about_test_data(policies.test_data))
    sentences += [
        (
            f"{each.table} 的“{each.column}”与 {each.to_table} 的“{each.to_column}”同法处理，脱敏后仍可关联",
            f"{each.column!r} of {each.table} and {each.to_column!r} of {each.to_table} are masked alike: they join",
        )
        for each in policies.foreign_keys
    ]
    if policies.foreign_keys:
        sentences.append(
            (
                "记录删去时，引用它的其他表的记录一并删去",
                "a record that leaves takes along the records of other tables that refer to it",
            )
        )
        sentences.append(
            (
                "各表的限值只在本表内检验；得到多张表的人可以把它们关联起来",
                "limits are checked in each table by itself; who holds several tables can join them",
            )
        )
    return [both[0 if lang == "zh" else 1] for both in (*sentences, *_keys(policies.key_domains))]


def _about_test_data(test_data: bool) -> Iterator[Both]:
    if test_data:
        yield (
            "！！仅供测试：假名看起来可能是真实有效的号码；按此策略处理的表不得发布，也不得提供给任何人",
            (
                "!! TEST DATA ONLY: pseudonyms may look like real, valid numbers; a table made by this policy is never "
                "published or given to anybody"
            ),
        )


def _records(policy: MaskingPolicy) -> Iterator[Both]:
    if policy.unit:
        yield (
            f"以“{policy.unit}”区分个人，按人计数",
            f"persons are told apart by {policy.unit!r} and counted as persons",
        )
    if policy.record:
        yield (
            f"以“{'”“'.join(policy.record)}”区分记录；随机数每条记录只抽取一次，各次发布相同",
            (
                f"records are told apart by {', '.join(policy.record)}; what is random is drawn once for each, the "
                "same in all editions"
            ),
        )
    for each in policy.suppress:
        met = {lang: condition_in_words(each, policy, lang) for lang in _LANGUAGES}
        yield f"{met['zh']}的记录整条删去", f"records are left out where {met['en']}"
    if policy.sample:
        share, key = f"{policy.sample.share:.1%}", policy.sample.key
        whose = ("按人", "of the persons") if policy.unit else ("按记录", "of the records")
        yield (
            f"只抽取 {share} 的样本（{whose[0]}，由密钥“{key}”决定，只抽取一次）",
            f"only a sample of {share} {whose[1]} is kept, drawn once under the key {key!r}",
        )


def _limits(policy: MaskingPolicy) -> Iterator[Both]:
    limits = policy.limits
    if limits.k_anonymity:
        yield (
            f"准标识符的每种组合至少对应 {limits.k_anonymity} 人；为此最多删去 {limits.suppression:.1%} 的行",
            (
                f"every combination of quasi-identifiers belongs to at least {limits.k_anonymity} persons; at most "
                f"{limits.suppression:.1%} of the rows are left out for it"
            ),
        )
    if limits.distinct_l_diversity:
        yield (
            f"每个等价类中的敏感属性至少有 {limits.distinct_l_diversity} 个不同值",
            f"every class holds at least {limits.distinct_l_diversity} values of each sensitive attribute",
        )
    yield from _further(policy)
    yield from about_aggregate(policy)
    yield from _fixed_tables(policy)


def _fixed_tables(policy: MaskingPolicy) -> Iterator[Both]:
    tables = policy.sandbox.tables
    if tables is None:
        return
    by = [(each.title.get("zh") or each.name, each.title.get("en") or each.name) for each in tables.dimensions]
    zh, en = ("、".join(each[place] for each in by) for place in (0, 1))
    yield (
        (
            f"固定口径统计按 {zh}（至多三项交叉），每个数据批次只计算一次；"
            f"口径由本策略确定，数字含噪声，小于 {tables.threshold} 的不显示"
        ),
        (
            f"fixed tables by {en} (three at most together), computed once for each intake; the categories are this "
            f"policy's, figures hold noise, and below {tables.threshold} none is shown"
        ),
    )
    for measure in tables.measures:
        bounds = f"[{measure.lower:g}, {measure.upper:g}]"
        yield (
            f"固定口径统计汇总“{measure.column}”，每人每格计入 {bounds} 之内",
            f"fixed tables sum {measure.column!r}: a person adds to a cell within {bounds}",
        )
    if policy.unit and tables.contribution:
        yield (
            f"每人至多计入 {tables.contribution} 个基本格",
            f"a person counts in at most {tables.contribution} cells of all dimensions crossed",
        )


def _further(policy: MaskingPolicy) -> Iterator[Both]:
    """The limits beyond k and distinct l, and how a search meets them."""
    limits = policy.limits
    if limits.entropy_l_diversity:
        least = f"{limits.entropy_l_diversity:g}"
        yield (
            f"每个等价类中敏感属性的熵不低于 {least} 个等频值的熵",
            f"in every class the sensitive values are as mixed as {least} equally frequent ones (entropy)",
        )
    if limits.recursive_cl_diversity:
        c, least_rank = f"{limits.recursive_cl_diversity[0]:g}", limits.recursive_cl_diversity[1]
        yield (
            f"每个等价类中最常见的敏感值少于第 {least_rank} 位及以后各值之和的 {c} 倍",
            f"in every class the commonest sensitive value is rarer than {c} times all from the {least_rank}th on",
        )
    if limits.t_closeness:
        t, distance = f"{limits.t_closeness.t:g}", limits.t_closeness.distance
        zh = {"equal": "等距", "ordered": "有序", "hierarchical": "层级"}[distance]
        yield (
            f"每个等价类的敏感值分布与全表之差不超过 {t}（{zh}距离）",
            f"sensitive values of a class are distributed as in the whole table, within {t} ({distance} distance)",
        )
    if limits.max_risk:
        yield f"单人重标识风险不超过 {limits.max_risk:g}", f"nobody's risk is above {limits.max_risk:g}"
    if limits.average_risk:
        yield f"平均重标识风险不超过 {limits.average_risk:g}", f"the average risk is at most {limits.average_risk:g}"
    if limits.population_uniqueness:
        wanted = limits.population_uniqueness
        yield (
            f"在 {wanted.population:,} 人的总体中，估计唯一者的比例不超过 {wanted.share:g}（{wanted.estimator}）",
            (
                f"among {wanted.population:,} persons at most the share {wanted.share:g} is estimated to be alone "
                f"({wanted.estimator})"
            ),
        )
    if policy.recoded:
        kinds = {
            "local": ("各等价类分别泛化", "each class by itself"),
            "global": ("整列同一层级", "whole columns alike"),
        }
        zh, en = kinds[policy.recoding]
        yield (
            f"准标识符由搜索泛化到损失最小（{zh}）；没有可归入的等价类的记录，各准标识符均写作 *",
            f"a search generalizes the quasi-identifiers at the least loss ({en}); who has no class gets * in all",
        )


def _keys(domains: Mapping[str, KeyDomain]) -> Iterator[Both]:
    for name, domain in domains.items():
        zh, en = [], []
        if domain.datasets:
            zh.append(f"只用于数据集 {'、'.join(domain.datasets)}")
            en.append(f"only for the datasets {', '.join(domain.datasets)}")
        if domain.joins is not None:
            zh.append(f"只有“{'”“'.join(domain.joins)}”的假名可以互相关联" if domain.joins else "各属性的假名互不关联")
            en.append(
                f"only pseudonyms of {', '.join(domain.joins)} join each other"
                if domain.joins
                else "pseudonyms of no two attributes join"
            )
        if domain.period:
            zh.append(f"假名只在 {domain.period} 期内有效，下一期全部更换")
            en.append(f"pseudonyms hold for the period {domain.period} only; the next one gets fresh ones")
        if domain.version > 1:
            zh.append(f"第 {domain.version} 版假名")
            en.append(f"pseudonyms of version {domain.version}")
        if zh:
            yield f"密钥“{name}”：{'；'.join(zh)}", f"key {name!r}: {'; '.join(en)}"


def _sentence(policy: MaskingPolicy, rule: AttributeRule, lang: Language) -> str:
    zh = lang == "zh"
    what = _what(policy, rule, lang)
    if policy.aggregate is not None and not rule.dropped:
        what = _in_cells(policy, rule, what, lang)
    sentence = f"{rule.role.title(lang)}：{what}" if zh else f"{rule.role.title(lang)}: {what}"
    if rule.pseudonym and rule.name in policy.derived_quasi_identifiers:
        sentence += "；假名仍按准标识符计入风险" if zh else "; the pseudonym still counts as a quasi-identifier"
    if rule.invented:
        sentence += "（虚构的测试数据）" if zh else " (invented test data)"
    return sentence


def _what(policy: MaskingPolicy, rule: AttributeRule, lang: Language) -> str:
    """What becomes of the value; with a condition, of the records that meet it and of all others."""
    done = sentence_of(rule, lang)
    if rule.when is None or rule.otherwise is None:
        return done
    met, others = condition_in_words(rule.when, policy, lang), sentence_of(rule.otherwise, lang)
    return f"{met}的记录：{done}；其余记录：{others}" if lang == "zh" else f"where {met}: {done}; elsewhere: {others}"


def sentence_of(rule: AttributeRule, lang: Language) -> str:
    """What the rule's technique does with its parameters, whatever role and condition it has."""
    known = rule.technique in techniques.names()
    parameters = techniques.get(rule.technique).parameters() if known else ()
    return sentence(rule.technique, rule.parameters, {each.name: each.default for each in parameters}, rule.key, lang)


def condition_in_words(condition: Condition, policy: MaskingPolicy, lang: Language) -> str:
    """Which records meet a condition: ``年龄 ≥ 90``, ``age >= 90``."""
    if condition.parts:
        parts = [condition_in_words(part, policy, lang) for part in condition.parts]
        joint = {"all": ("且", " and "), "any": ("或", " or ")}[condition.comparison][lang != "zh"]
        return joint.join(f"（{part}）" if lang == "zh" else f"({part})" for part in parts) if parts[1:] else parts[0]
    rule = policy.attributes.get(condition.column)
    title = (rule.title.get(lang) if rule else "") or condition.column
    word = _COMPARISONS[condition.comparison][lang != "zh"]
    if condition.comparison == "is_null":
        word = _EMPTY[bool(condition.value)][lang != "zh"]
        return f"“{title}”{word}" if lang == "zh" else f"{title} {word}"
    value = shown(condition.value, lang)
    return f"“{title}”{word} {value} " if lang == "zh" else f"{title} {word} {value}"


def _in_cells(policy: MaskingPolicy, rule: AttributeRule, what: str, lang: Language) -> str:
    assert policy.aggregate is not None
    if rule.name in policy.aggregate.by:
        return f"{what}，作为统计维度" if lang == "zh" else f"{what}; a dimension of the table"
    if any(rule.name in measure.values() for measure in policy.aggregate.measures.values()):
        return "只出现在汇总数中" if lang == "zh" else "only inside sums and means"
    return "不出现在统计表中" if lang == "zh" else "not in the table"


_COMPARISONS: Final[Mapping[str, tuple[str, str]]] = {
    "equals": ("为", "is"),
    "in": ("属于", "is one of"),
    "not_in": ("不属于", "is none of"),
    "at_least": ("不低于", "is at least"),
    "below": ("低于", "is below"),
    "is_null": ("", ""),
    "matches": ("形如", "has the form"),
}
_EMPTY: Final[Mapping[bool, tuple[str, str]]] = {True: ("为空", "is empty"), False: ("不为空", "is not empty")}

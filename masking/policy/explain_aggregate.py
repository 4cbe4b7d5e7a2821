"""What a table of cells shows and how it is protected, in sentences of both languages."""

from __future__ import annotations

from collections.abc import Iterator

from masking.disclosure.rules import Rules
from masking.policy.model import Aggregate, MaskingPolicy
from masking.policy.words import Both, Language


def explain_aggregate(policy: MaskingPolicy, lang: Language = "zh") -> list[str]:
    """Sentences about the table that leaves instead of records; none for a policy of records."""
    return [both[0 if lang == "zh" else 1] for both in about_aggregate(policy)]


def about_aggregate(policy: MaskingPolicy) -> Iterator[Both]:
    """The same in both languages."""
    if policy.aggregate and policy.aggregate.protect:
        yield from _protected(policy.aggregate, policy.aggregate.protect)
    elif policy.aggregate:
        by, threshold, base = ", ".join(policy.aggregate.by), policy.aggregate.threshold, policy.aggregate.rounding
        yield (
            f"不发布记录，只发布按 {by} 统计的表：少于 {threshold} 人的格不显示，计数取整到 {base}",
            (
                f"no records, only a table by {by}: cells of fewer than {threshold} persons are not shown, counts are "
                f"rounded to {base}"
            ),
        )


def _protected(aggregate: Aggregate, rules: Rules) -> Iterator[Both]:
    """A table with margins and how it is protected."""
    tables = rules.tables or (aggregate.by,)
    zh, en = ("、".join(" × ".join(each) for each in tables), ", ".join(" × ".join(each) for each in tables))
    yield (
        f"不发布记录，只发布按 {zh} 统计、带合计（“{rules.total}”）的表；发布前由审计程序尝试推算，推算得出就不发布",
        (
            f"no records, only a table by {en} with its totals ({rules.total}); an audit tries to recompute cells "
            "first, and what it can recompute is not published"
        ),
    )
    grouped = [name for name, spec in aggregate.dimensions.items() if "hierarchy" in spec]
    if grouped:
        yield (
            f"{'、'.join(grouped)} 另按层级逐级合计",
            f"{', '.join(grouped)}: also the totals of each level of a hierarchy",
        )
    least = rules.threshold
    if rules.method == "rounding":
        yield (
            f"人数受控取整到 {rules.base} 的倍数，各格相加仍等于合计",
            f"counts are rounded to multiples of {rules.base} so that they still add up",
        )
    elif rules.method == "random_rounding":
        yield (
            f"人数随机取整到 {rules.base} 的倍数（由密钥“{rules.key}”决定，各次发布相同），各格相加不等于合计",
            (
                f"counts are rounded at random to multiples of {rules.base} under the key {rules.key!r}, the same in "
                "all editions; they do not add up"
            ),
        )
    elif rules.method == "cell_key":
        yield (
            (
                f"人数加噪声，最多相差 {rules.deviation}（由格内的人和密钥“{rules.key}”决定，各次发布相同），"
                "各格相加不等于合计"
            ),
            (
                f"counts get noise of at most {rules.deviation}, drawn from the persons in the cell under the key "
                f"{rules.key!r}, the same in all editions; they do not add up"
            ),
        )
    else:
        yield (
            f"少于 {least} 人的格不显示；能由合计推出它的格也隐藏，使其无法推出",
            f"cells of fewer than {least} persons are not shown, nor cells that these would follow from",
        )
        yield from _contributors(rules)


def _contributors(rules: Rules) -> Iterator[Both]:
    """Which sums tell too much of one person or firm."""
    if rules.dominance:
        n, share = rules.dominance
        yield (
            f"最大的 {n} 个贡献者占比超过 {share:.0%} 的格不显示",
            f"nor cells of which the largest {n} hold more than {share:.0%}",
        )
    if rules.p_percent:
        yield (
            f"第二大的贡献者能把最大者估计到 {rules.p_percent:g}% 以内的格不显示",
            f"nor cells whose second largest knows the largest to within {rules.p_percent:g}%",
        )
    if rules.prior_posterior:
        p, q = rules.prior_posterior
        yield (
            f"即使事先已知每人到 {q:g}% 以内，也无法从格中得知到 {p:g}% 以内，否则不显示",
            f"nor cells that tell a person to within {p:g}% who was known to within {q:g}% before",
        )

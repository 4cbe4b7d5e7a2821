"""Fixed tables in words for officers: what is registered, what to expect of it, how good the published figures are."""

from __future__ import annotations

from opendata.catalog.texts import Text, text
from sandbox.queries.design import shown_error
from sandbox.queries.expected import Expected, ExpectedMean
from sandbox.queries.quality import MEANING, TITLES, UNRELIABLE, Quality, of_share
from sandbox.queries.registration import Registration
from sandbox.queries.tally import Tally


def in_words(registration: Registration) -> tuple[Text, ...]:
    """Dimensions, measures, what is counted and when another set may be made."""
    dimensions = [text(f"{each.title['zh']}（{each.count} 类）", f"{each.title['en']} ({each.count})")
                  for each in registration.dimensions]  # fmt: skip
    measures = [text(f"{each.title['zh']}（{each.lower:g} 至 {each.upper:g}）",
                     f"{each.title['en']} ({each.lower:g} to {each.upper:g})")
                for each in registration.measures]  # fmt: skip
    by, sums = listed(dimensions), listed(measures)
    unit = text("不同的人", "distinct persons") if registration.unit else text("记录", "records")
    cells = f"{registration.contribution} cell{'s' if registration.contribution > 1 else ''}"
    said = [
        text(f"维度：{by['zh']}。", f"Dimensions: {by['en']}."),
        text(
            f"计数：{unit['zh']}，每{'人' if registration.unit else '条'}至多计入 {registration.contribution} 格；"
            f"小于 {registration.threshold} 的不显示；{registration.renew_days} 天内同一人群不再公布新的一套。",
            f"Counted: {unit['en']}, each in at most {cells}; below "
            f"{registration.threshold} nothing is shown; no other set of this population for "
            f"{registration.renew_days} days.",
        ),
    ]
    if measures:
        said.insert(1, text(f"合计与均值：{sums['zh']}，超出的按界限计。",
                            f"Sums and means of {sums['en']}; values beyond are clamped."))  # fmt: skip
    return tuple(said)


def error_in_words(said: Expected) -> tuple[Text, ...]:
    """The error to expect, and whether the largest table can be read."""
    parts = [text(f"{size} 项 ±{_span(low, high)}", f"{size}: ±{_span(low, high)}") for size, low, high in said.errors]
    told = listed(parts)
    sentences = [
        text(
            f"计数的预期误差（95%，按维度数）：{told['zh']}。",
            f"Expected error of counts (95 %, by number of dimensions): {told['en']}.",
        )
    ]
    if said.shares:
        told = listed([_marked(size, _percent(low, high), of_share(high)) for size, low, high in said.shares])
        sentences.append(
            text(
                f"平均每格的相对误差：{told['zh']}。",
                f"As a share of an average cell's count: {told['en']}.",
            )
        )
    sentences += [_mean_in_words(each) for each in said.means]
    if said.figure is not None:
        sentences.append(
            text(
                f"最大的表平均每格约 {said.figure:g}，误差 ±{said.error:g}。",
                f"The largest table shows about {said.figure:g} a cell, with an error of ±{said.error:g}.",
            )
        )
    if said.sparse:
        sentences.append(
            text(
                f"口径过细，不能计算：请去掉维度 {said.drop}，或合并类别。" if said.drop
                else "口径过细，不能计算：请去掉一个以上的维度，或合并类别。",
                f"Too sparse to be computed: drop {said.drop}, or merge categories." if said.drop
                else "Too sparse to be computed: drop more than one dimension, or merge categories.",
            )
        )  # fmt: skip
    return tuple(sentences)


def tally_in_words(registration: Registration, found: Tally) -> tuple[Text, ...]:
    """How good the figures are that were published."""
    titles = {"count": text("计数", "counts")}
    for each in registration.measures:
        titles |= {
            f"{each.column}:sum": text(f"{each.title['zh']}合计", f"sums of {each.title['en']}"),
            f"{each.column}:mean": text(f"{each.title['zh']}均值", f"means of {each.title['en']}"),
        }
    parts = [
        text(
            f"{titles[words]['zh']} {marks.total():,} 个，其中粗略 {marks[Quality.ROUGH]:,} 个、"
            f"不可靠 {marks[Quality.UNRELIABLE]:,} 个",
            f"{marks.total():,} {titles[words]['en']}, of which {marks[Quality.ROUGH]:,} rough and "
            f"{marks[Quality.UNRELIABLE]:,} unreliable",
        )
        for words, marks in found.items()
    ]
    listed = text("；".join(each["zh"] for each in parts), "; ".join(each["en"] for each in parts))
    return (text(f"已公布的数字：{listed['zh']}。", f"Published figures: {listed['en']}."), MEANING)


def listed(texts: list[Text]) -> Text:
    """One after the other."""
    return text("、".join(each["zh"] for each in texts), ", ".join(each["en"] for each in texts))


def _mean_in_words(said: ExpectedMean) -> Text:
    """The error of means, which means are too small for it, and what lowers it."""
    parts = []
    for size, low, high in said.errors:
        least = f"{shown_error(high / UNRELIABLE):g}"
        parts.append(
            text(
                f"{size} 项 ±{_span(low, high)}（不足 {least} 即不可靠）",
                f"{size}: ±{_span(low, high)} (unreliable below {least})",
            )
        )
    told, title, measure = listed(parts), said.measure.title, said.measure
    return text(
        f"平均每格中{title['zh']}均值的误差：{told['zh']}。"
        f"它随上下界（{measure.lower:g} 至 {measure.upper:g}）的距离增大：按实际范围收窄，或减少维度、类别。",
        f"Error of the mean of {title['en']} in an average cell: {told['en']}. "
        f"It grows with the distance of the bounds ({measure.lower:g} to {measure.upper:g}): "
        "narrow them to what the data hold, or have fewer categories.",
    )


def _marked(size: int, told: str, quality: Quality) -> Text:
    zh, en = f"{size} 项 {told}", f"{size}: {told}"
    if quality is Quality.GOOD:
        return text(zh, en)
    return text(f"{zh}（{TITLES[quality]['zh']}）", f"{en} ({TITLES[quality]['en']})")


def _percent(low: float, high: float) -> str:
    """Two significant digits at most."""
    least, most = (f"{float(f'{share * 100:.2g}'):g}" for share in (low, high))
    return f"{least}%" if least == most else f"{least}–{most}%"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"

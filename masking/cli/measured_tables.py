"""The sections of ``masking measure`` as tables for people, in Chinese or English; every figure with its unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]
Answer = Mapping[str, Any]
Shown = TypeVar("Shown")


def tables(answer: Answer, name: str, *, en: bool) -> Iterator[Table]:
    """Title, headers and rows of each section that was measured."""
    yield name, _pick(("度量", "值"), ("measure", "value"), en=en), _overview(answer, en=en)
    yield from _limits(answer["limits"], en=en)
    yield from _models(answer["models"], en=en)
    yield from _population(answer.get("population_uniqueness"), en=en)
    yield from _special(answer.get("special_uniques"), en=en)
    if answer.get("utility") is not None:
        yield from _utility(answer["utility"], en=en)
    if answer.get("linkage") is not None:
        yield from _linkage(answer["linkage"], en=en)


def notes(answer: Answer, *, en: bool) -> Iterator[str]:
    """What was not measured, and why."""
    for limit, missing in answer["limits"]["not_measured"].items():
        yield _pick(f"{limit} 未检验：缺少 {missing}", f"{limit} was not checked: no {missing}", en=en)
    usage = answer.get("utility")
    if usage is not None and usage["not_measured"]:
        names = ", ".join(usage["not_measured"])
        yield _pick(f"技术不属泛化，未计损失：{names}", f"no generalization, so no loss was measured: {names}", en=en)
    if usage is not None and answer.get("linkage") is None:
        yield _pick(
            "未做链接演练：两表行数不同，用 --link 指明共有的编号列",
            "no linkage drill: records left; name an id column of both tables with --link",
            en=en,
        )


def _overview(answer: Answer, *, en: bool) -> list[tuple[Any, ...]]:
    risk = answer["risk"]
    shown: dict[str, Any] = {name: answer[name] for name in _OVERVIEW if name in answer}
    shown["quasi_identifiers"] = ", ".join(answer["quasi_identifiers"])
    shown["marketer"] = risk["marketer"]
    rows = [(_word(_OVERVIEW[name], en=en), value) for name, value in shown.items()]
    if risk["journalist"] is not None:
        known = risk["journalist"]
        rows += [(_word(_JOURNALIST[name], en=en), known[name]) for name in _JOURNALIST]
        rows.append(
            (_pick("记者视角的依据", "the journalist's population", en=en), _word(_BASIS[known["basis"]], en=en))
        )
    for sharing, found in (answer["effect"] or {}).items():
        grade = found["grade"]
        from masking.taxonomy import Effect

        title = f"{_word(_SHARING[sharing], en=en)} ≤ {found['threshold']:g}"
        rows.append((title, Effect(grade).title("en" if en else "zh")))
    return rows


def _limits(found: Answer, *, en: bool) -> Iterator[Table]:
    from masking.reporting.words import LIMITS

    if not found["limits"]:
        return
    title = _pick(
        "策略的限值（被抑制记录也是一个等价类）", "limits of the policy (suppressed records are a class)", en=en
    )
    headers = _pick(
        ("限值", "要求", "实测", "是否满足", "不满足的类", "其中的人"),
        ("limit", "asked", "found", "holds", "failing classes", "their persons"),
        en=en,
    )
    words = {**LIMITS, "suppression": ("被抑制或剔除的记录比例", "share of records suppressed or left out")}
    yield (
        title,
        headers,
        [
            (
                words[each["limit"]][en],
                _told(each["asked"]),
                "–" if each["found"] is None else each["found"],
                _pick("是", "yes", en=en) if each["holds"] else _pick("否", "NO", en=en),
                *(("–", "–") if each["limit"] in _OF_THE_TABLE else (each["failing_classes"], each["failing_persons"])),
            )
            for each in found["limits"]
        ],
    )


def _models(found: Answer, *, en: bool) -> Iterator[Table]:
    if not found:
        return
    headers = (_pick("敏感属性", "sensitive attribute", en=en), *(_word(word, en=en) for word in _MODELS.values()))
    rows = [
        (
            name,
            *(_told(each["least_c"].get(part[1:])) if part in ("c2", "c3") else _told(each[part]) for part in _MODELS),
        )
        for name, each in found.items()
    ]
    yield (
        _pick("敏感属性的模型（最差的等价类）", "models of the sensitive attributes (worst class)", en=en),
        headers,
        rows,
    )


def _population(found: Any, *, en: bool) -> Iterator[Table]:
    if not found:
        return
    title = _pick("总体唯一者的估计", "estimated persons alone in the population", en=en)
    headers = _pick(
        ("估计方法", "所用模型", "总体唯一者（人）", "占总体", "总体（人）"),
        ("estimator", "model used", "persons alone", "share of the population", "population (persons)"),
        en=en,
    )
    yield (
        title,
        headers,
        [(each["asked"], each["model"], each["uniques"], each["share"], int(each["population"])) for each in found],
    )


def _special(found: Any, *, en: bool) -> Iterator[Table]:
    if not found:
        return
    rows = [
        (_pick(f"{size} 个属性的最小唯一组合", f"minimal uniques of {size} attribute(s)", en=en), count)
        for size, count in found["by_size"].items()
    ]
    rows += [
        (_pick("有此组合的记录（条）", "records with one", en=en), found["special_records"]),
        (_pick("占全部记录", "share of all records", en=en), found["special_share"]),
        (_pick("最高 SUDA 得分", "highest SUDA score", en=en), found["score_max"]),
    ]
    rows += [
        (_pick(f"得分中的份额：{name}", f"share of the score: {name}", en=en), share)
        for name, share in found["attributes"].items()
    ]
    yield (
        _pick("特殊唯一（SUDA2）", "special uniques (SUDA2)", en=en),
        _pick(("度量", "值"), ("measure", "value"), en=en),
        rows,
    )


def _utility(found: Answer, *, en: bool) -> Iterator[Table]:
    rows = [(_word(word, en=en), found[name]) for name, word in _UTILITY.items()]
    rows += [(_pick(f"损失：{name}", f"loss: {name}", en=en), value) for name, value in found["losses"].items()]
    queries = found["queries"]
    rows += [
        (
            _pick(
                f"{queries['queries']} 个计数查询的相对误差：{zh}",
                f"relative error of {queries['queries']} counts: {e}",
                en=en,
            ),
            queries[name],
        )
        for name, zh, e in (("mean", "均值", "mean"), ("median", "中位", "median"), ("p95", "95 % 分位", "95 %"))
    ]
    model = found["model"]
    if model is not None:
        rows += [
            (
                _pick(
                    f"预测 {model['target']} 的{zh}（{when_zh}）",
                    f"{e} of predicting {model['target']} ({when})",
                    en=en,
                ),
                model[when][name],
            )
            for name, zh, e in (("accuracy", "准确率", "accuracy"), ("auc", " AUC", "AUC"))
            for when, when_zh in (("before", "处理前"), ("after", "处理后"))
        ]
        rows.append((_pick("总猜最常见值的准确率", "accuracy of always the commonest", en=en), model["baseline"]))
    yield (
        _pick("效用（对照原始表）", "utility (against the raw table)", en=en),
        _pick(("度量", "值"), ("measure", "value"), en=en),
        rows,
    )
    headers = _pick(
        ("属性", "全变差", "Hellinger", "Jensen-Shannon", "搬土距离"),
        ("attribute", "total variation", "Hellinger", "Jensen-Shannon", "earth mover"),
        en=en,
    )
    yield (
        _pick("各列分布的变化（0 为不变）", "changes of the columns' distributions (0: none)", en=en),
        headers,
        [
            (
                each["attribute"],
                each["total_variation"],
                each["hellinger"],
                each["jensen_shannon"],
                _told(each["earth_mover"]),
            )
            for each in found["columns"]
        ],
    )


def _linkage(found: Answer, *, en: bool) -> Iterator[Table]:
    rows: list[tuple[Any, ...]] = [(_word(word, en=en), found[name]) for name, word in _LINKAGE.items()]
    for name, each in found["inference"].items():
        rows.append(
            (
                _pick(f"敏感值的最高后验概率：{name}", f"greatest posterior of a value: {name}", en=en),
                f"{each['max']:.4g} ({_pick('不链接时', 'without linking', en=en)} {each['baseline']:.4g})",
            )
        )
    title = _pick(
        "链接演练：攻击者持有全部原始准标识符", "linkage drill: an attacker with all raw quasi-identifiers", en=en
    )
    yield title, _pick(("度量", "值"), ("measure", "value"), en=en), rows


_OF_THE_TABLE: Final = ("average_risk", "population_uniqueness", "k_map", "delta_presence", "suppression")
"""Limits that no class breaks by itself."""
_OVERVIEW: Final[dict[str, tuple[str, str]]] = {
    "rows": ("行数", "rows"),
    "quasi_identifiers": ("准标识符", "quasi-identifiers"),
    "persons": ("人数", "persons"),
    "classes": ("等价类", "classes"),
    "k": ("最小等价类（k）", "smallest class (k)"),
    "unique_persons": ("可单独区分的人数", "persons who stand alone"),
    "uniqueness": ("可单独区分的比例", "share of persons who stand alone"),
    "prosecutor_max": ("最高重标识风险（检察官）", "highest risk (prosecutor)"),
    "prosecutor_average": ("平均重标识风险（检察官）", "average risk (prosecutor)"),
    "at_risk": ("风险高于 0.2 的比例", "share of persons above risk 0.2"),
    "marketer": ("营销者可认出的比例", "share that a marketer re-identifies"),
    "uniqueness_all_columns": ("全列唯一的行的比例", "share of rows unique over all columns"),
}
_JOURNALIST: Final[dict[str, tuple[str, str]]] = {
    "max": ("最高重标识风险（记者）", "highest risk (journalist)"),
    "average": ("平均重标识风险（记者）", "average risk (journalist)"),
    "at_risk": ("风险高于 0.2 的比例（记者）", "share above risk 0.2 (journalist)"),
    "marketer": ("总体中营销者可认出的比例", "share that a marketer finds in the population"),
}
_BASIS: Final[dict[str, tuple[str, str]]] = {
    "population": ("总体的表", "a table of it"),
    "estimate": ("由总体人数估计", "estimated from its size"),
}
_SHARING: Final[dict[str, tuple[str, str]]] = {
    "full_public": ("完全公开，风险", "full publication, risk"),
    "controlled": ("受控公开，风险", "controlled sharing, risk"),
}
_MODELS: Final[dict[str, tuple[str, str]]] = {
    "distinct_l": ("不同值 l", "distinct l"),
    "entropy_l": ("熵 l", "entropy l"),
    "c2": ("递归 l=2 的 c", "c of recursive l=2"),
    "c3": ("递归 l=3 的 c", "c of recursive l=3"),
    "t_equal": ("t（等距）", "t (equal)"),
    "t_ordered": ("t（有序）", "t (ordered)"),
    "alpha": ("α（最大占比）", "α (greatest share)"),
    "beta": ("β-相似", "β-likeness"),
    "delta": ("δ-披露", "δ-disclosure"),
}
_UTILITY: Final[dict[str, tuple[str, str]]] = {
    "granularity": ("粒度（1 为未处理）", "granularity (1: untouched)"),
    "loss": ("损失（几何平均，0 为未处理）", "loss (geometric mean, 0: untouched)"),
    "discernibility": ("可辨别性（行²）", "discernibility (rows²)"),
    "average_class_size": ("等价类平均大小（行）", "average class size (rows)"),
    "average_class_size_over_k": ("等价类平均大小除以 k", "average class size over k"),
    "worst_correlation_change": ("相关系数的最大变化", "greatest change of a correlation"),
    "mean_information_change": ("互信息的平均变化", "mean change of mutual information"),
}
_LINKAGE: Final[dict[str, tuple[str, str]]] = {
    "attack": ("攻击方式", "attack"),
    "attacked": ("被攻击的记录（条）", "records attacked"),
    "expected": ("认对的平均概率", "mean probability of the right record"),
    "max_probability": ("认对的最高概率", "greatest probability of the right record"),
    "successes": ("实际认对（条）", "records found"),
    "success_rate": ("实际认对的比例", "share found"),
    "upper_95": ("该比例的 95 % 上界", "upper 95 % bound of it"),
    "baseline": ("盲猜", "blind guessing"),
    "fewest_candidates": ("最少的候选人数", "fewest candidates"),
}


def _pick(chinese: Shown, english: Shown, *, en: bool) -> Shown:
    return english if en else chinese


def _word(words: tuple[str, str], *, en: bool) -> str:
    return words[en]


def _told(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return " / ".join(_told(part) for part in value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)

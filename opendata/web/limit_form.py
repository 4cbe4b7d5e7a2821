"""The limits of a masking policy as fields of a form; a limit without a field keeps what the YAML says.

The words and intervals are those of ``masking.limits``; limits on a population table (k-map, delta-presence) are held
by ``masking.anonymize`` only and have no field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping
from typing import cast, get_args

from masking.limits import DISTANCES, ESTIMATORS, Closeness, Distance, Estimator, Limits, PopulationUniqueness
from opendata.web.form_fields import Typed, shown

MOST_K = 1_000_000
SMALLEST_CLASS = 2
"""A class of one person is no limit."""

MORE = (
    "entropy_l_diversity",
    "recursive_c",
    "recursive_l",
    "t_closeness",
    "t_distance",
    "max_risk",
    "average_risk",
    "population_share",
    "population_size",
    "population_estimator",
)
"""Fields that stand folded below the three that most policies use."""
_WORDS = ("t_distance", "population_estimator")

Words = dict[str, str]
LABELS: Mapping[str, Words] = {
    "k_anonymity": {"zh": "每组人数 k", "en": "Persons in a class, k"},
    "distinct_l_diversity": {"zh": "敏感值种数 l", "en": "Sensitive values in a class, l"},
    "entropy_l_diversity": {"zh": "熵 l-多样性", "en": "Entropy l-diversity"},
    "recursive_c": {"zh": "递归 (c,l)-多样性的 c", "en": "c of recursive (c,l)-diversity"},
    "recursive_l": {"zh": "递归 (c,l)-多样性的 l", "en": "l of recursive (c,l)-diversity"},
    "t_closeness": {"zh": "t-接近性", "en": "t-closeness"},
    "t_distance": {"zh": "t 的距离", "en": "Distance of t"},
    "max_risk": {"zh": "单人最高风险", "en": "Highest risk"},
    "average_risk": {"zh": "平均风险", "en": "Average risk"},
    "population_share": {"zh": "总体唯一者比例", "en": "Share of unique persons"},
    "population_size": {"zh": "总体人数", "en": "Persons in the population"},
    "population_estimator": {"zh": "估计方法", "en": "Estimator"},
    "suppression": {"zh": "最多删去的百分数", "en": "Percentage that may be suppressed"},
    "recoding": {"zh": "逐级泛化的方式", "en": "How levels are chosen"},
}
DISTANCE_TITLES: Mapping[str, Words] = {
    "equal": {"zh": "等距（类别）", "en": "equal (categories)"},
    "ordered": {"zh": "有序（数值）", "en": "ordered (numbers)"},
    "hierarchical": {"zh": "层级（在 YAML 里写明）", "en": "hierarchical (written in the YAML)"},
}
ESTIMATOR_TITLES: Mapping[str, Words] = {
    "dankar": {"zh": "Dankar 选择规则", "en": "Dankar's choice"},
    "pitman": {"zh": "Pitman", "en": "Pitman"},
    "zayatz": {"zh": "Zayatz", "en": "Zayatz"},
    "snb": {"zh": "慢负二项（SNB）", "en": "slide negative binomial (SNB)"},
}
RECODING_TITLES: Mapping[str, Words] = {
    "local": {"zh": "局部：各等价类分别泛化，损失更小", "en": "local: each class by itself, at less loss"},
    "global": {"zh": "全局：整列同一层级，更易读", "en": "global: whole columns alike, easier to read"},
}
assert set(DISTANCE_TITLES) == set(get_args(Distance))
assert set(ESTIMATOR_TITLES) == set(get_args(Estimator))


def uses_more(limits: Limits, errors: Container[str]) -> bool:
    """True if a limit beside k, l and suppression is asked, or wrong: then its fields are shown at once."""
    texts = fields(limits)
    return any(texts[name] and name not in _WORDS for name in MORE) or any(name in errors for name in MORE)


def fields(limits: Limits) -> dict[str, str]:
    """The text of each field."""
    c, least = limits.recursive_cl_diversity or (None, None)
    closeness, population = limits.t_closeness, limits.population_uniqueness
    return {
        "k_anonymity": shown(limits.k_anonymity),
        "distinct_l_diversity": shown(limits.distinct_l_diversity),
        "entropy_l_diversity": shown(limits.entropy_l_diversity),
        "recursive_c": shown(c),
        "recursive_l": shown(least),
        "t_closeness": shown(closeness.t if closeness else None),
        "t_distance": closeness.distance if closeness else DISTANCES[0],
        "max_risk": shown(limits.max_risk),
        "average_risk": shown(limits.average_risk),
        "population_share": shown(population.share if population else None),
        "population_size": shown(population.population if population else None),
        "population_estimator": population.estimator if population else ESTIMATORS[0],
        "suppression": shown(limits.suppression * 100),
    }


def options(lang: str) -> dict[str, list[tuple[str, str]]]:
    """The words of each list that a field chooses from."""
    titles = {
        "t_distance": DISTANCE_TITLES,
        "population_estimator": ESTIMATOR_TITLES,
        "recoding": RECODING_TITLES,
    }
    return {name: [(key, words[lang]) for key, words in known.items()] for name, known in titles.items()}


def changed(limits: Limits, typed: Typed) -> Limits:
    """The limits as the form wants them; what is wrong is noted in ``typed``."""
    return dataclasses.replace(
        limits,
        k_anonymity=typed.whole("k_anonymity", limits.k_anonymity, least=SMALLEST_CLASS, most=MOST_K),
        distinct_l_diversity=typed.whole(
            "distinct_l_diversity", limits.distinct_l_diversity, least=SMALLEST_CLASS, most=MOST_K
        ),
        entropy_l_diversity=typed.number("entropy_l_diversity", limits.entropy_l_diversity, least=1, most=MOST_K),
        recursive_cl_diversity=_recursive(limits, typed),
        t_closeness=_closeness(limits.t_closeness, typed),
        max_risk=_risk(typed, "max_risk", limits.max_risk),
        average_risk=_risk(typed, "average_risk", limits.average_risk),
        population_uniqueness=_population(limits.population_uniqueness, typed),
        suppression=_suppression(typed, limits.suppression),
    )


def _risk(typed: Typed, name: str, now: float | None) -> float | None:
    return typed.number(name, now, least=0, most=1, above=True, percent=True)


def _recursive(limits: Limits, typed: Typed) -> tuple[float, int] | None:
    now_c, now_l = limits.recursive_cl_diversity or (None, None)
    c = typed.number("recursive_c", now_c, least=0, most=MOST_K, above=True)
    least = typed.whole("recursive_l", now_l, least=SMALLEST_CLASS, most=MOST_K)
    if c is None and least is None:
        return None
    if c is None or least is None:
        _both(
            typed, "recursive_c" if c is None else "recursive_l", "c 和 l 须同时填写", "Give both c and l, or neither"
        )
        return limits.recursive_cl_diversity
    return c, least


def _closeness(now: Closeness | None, typed: Typed) -> Closeness | None:
    t = typed.number("t_closeness", now.t if now else None, least=0, most=1)
    distance = cast("Distance", typed.chosen("t_distance", now.distance if now else DISTANCES[0], DISTANCES))
    if t is None:
        return None
    trees = now.hierarchies if now else {}
    if distance == "hierarchical" and not trees:
        typed.fault(
            "t_distance",
            "层级距离须先在 YAML 的 t_closeness 里写明 hierarchies",
            "Write the hierarchies below t_closeness in the YAML first",
        )
        return now
    return Closeness(t, distance, trees)


def _population(now: PopulationUniqueness | None, typed: Typed) -> PopulationUniqueness | None:
    share = typed.number("population_share", now.share if now else None, least=0, most=1, percent=True)
    size = typed.whole("population_size", now.population if now else None, least=1)
    known = now.estimator if now else ESTIMATORS[0]
    estimator = cast("Estimator", typed.chosen("population_estimator", known, ESTIMATORS))
    if share is None and size is None:
        return None
    if share is None or size is None:
        name = "population_share" if share is None else "population_size"
        _both(typed, name, "比例和总体人数须同时填写", "Give both the share and the size of the population, or neither")
        return now
    return PopulationUniqueness(share, size, estimator)


def _suppression(typed: Typed, now: float) -> float:
    text = typed.text("suppression")
    if text is None or text == shown(now * 100):
        return now
    bare = Typed({"suppression": text.replace("％", "%").removesuffix("%")}, labels=typed.labels)
    percent = bare.number("suppression", 0.0, least=0, most=100)
    typed.faults |= bare.faults
    return round((percent or 0.0) / 100, 12)


def _both(typed: Typed, name: str, zh: str, en: str) -> None:
    if name not in typed.faults:
        typed.fault(name, zh, en)

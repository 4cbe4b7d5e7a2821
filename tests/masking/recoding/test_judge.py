"""The judge of classes against a plain reading of each model's definition, person by person."""

import math
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter
from masking.hierarchies import Hierarchy
from masking.limits import Limits
from masking.recoding.items import Items
from masking.recoding.judge import Judge

HOME = Hierarchy.of([["a", "v"], ["b", "c"], ["c", "c"], ["e", "v"]])
TREE = Hierarchy.of([["flu", "lung"], ["cold", "lung"], ["ulcer", "stomach"]])
ILLS = ("cold", "flu", "ulcer")
ORDER = Hierarchy.of([[ill] for ill in ILLS])
ORDERED = {"t": 0.25, "distance": "ordered"}
LIMITS = st.sampled_from(
    [
        {"k_anonymity": 3},
        {"max_risk": 0.5},
        {"distinct_l_diversity": 2},
        {"entropy_l_diversity": 1.7},
        {"recursive_cl_diversity": [1.5, 2]},
        {"recursive_cl_diversity": [2, 1]},
        {"t_closeness": 0.3},
        {"t_closeness": ORDERED},
        {"t_closeness": {"t": 0.25, "distance": "hierarchical"}},
        {"k_anonymity": 2, "distinct_l_diversity": 2, "t_closeness": 0.4},
    ]
)
ROWS = st.lists(
    st.tuples(st.sampled_from("abce"), st.sampled_from(ILLS), st.sampled_from("xy"), st.integers(0, 4)),
    min_size=1,
    max_size=24,
)


def distance(kind: str, part: dict[str, float], whole: dict[str, float]) -> float:
    gap = [part.get(ill, 0) - whole.get(ill, 0) for ill in ILLS]
    if kind == "equal":
        return sum(map(abs, gap)) / 2
    if kind == "ordered":
        return sum(abs(sum(gap[: at + 1])) for at in range(len(gap))) / (len(gap) - 1)
    # Li et al. 2007, 4.3: two levels above the leaves; what a node cannot settle below costs its height / 2.
    cold, flu, ulcer = gap
    within = min(sum(max(each, 0) for each in (cold, flu)), sum(max(-each, 0) for each in (cold, flu)))
    return within * 1 / 2 + abs(ulcer)


def plainly(rows: list[tuple[str, ...]], limits: dict[str, object]) -> dict[str, bool]:
    """Whether each class (of the first column) meets the limits, from the definitions; every row is a person."""
    everyone = Counter(row[1] for row in rows)
    whole = {ill: count / len(rows) for ill, count in everyone.items()}
    answer = {}
    groups = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row[1])
    for home, ills in groups.items():
        counts = sorted(Counter(ills).values(), reverse=True)
        total = len(ills)
        good = True
        for name, value in limits.items():
            if name == "k_anonymity":
                good &= total >= value
            elif name == "max_risk":
                good &= 1 / total <= value
            elif name == "distinct_l_diversity":
                good &= len(counts) >= value
            elif name == "entropy_l_diversity":
                entropy = -sum(count / total * math.log(count / total) for count in counts)
                good &= math.exp(entropy) >= value - 1e-9
            elif name == "recursive_cl_diversity":
                c, least = value
                good &= counts[0] < c * sum(counts[least - 1 :])
            else:
                given_ = value if isinstance(value, dict) else {"t": value}
                part = {ill: count / total for ill, count in Counter(ills).items()}
                far = distance(given_.get("distance", "equal"), part, whole)
                good &= far <= given_["t"] + 1e-9
        answer[home] = good
    return answer


def items_of(
    rows: list[tuple[object, ...]], sensitive: list[str], unit: str | None = None, tree: Hierarchy = TREE
) -> tuple[Items, np.ndarray]:
    table = pa.table(dict(zip("xspu", map(pa.array, map(list, zip(*rows, strict=True))), strict=True)))
    return Items.of(table, {"x": HOME}, sensitive, unit=unit, trees={"s": tree} if "s" in sensitive else None)


@given(ROWS, LIMITS)
@settings(max_examples=300, deadline=None)
def test_it_says_what_the_definitions_say(rows: list[tuple[object, ...]], limits: dict[str, object]) -> None:
    items, _ = items_of(rows, ["s"], tree=ORDER if limits.get("t_closeness") == ORDERED else TREE)
    judge = Judge(items, Limits.of(limits))
    ids, count = items.classes([0])
    verdict = dict(
        zip(
            (HOME.leaves[items.leaves[0][np.flatnonzero(ids == at)[0]]] for at in range(count)),
            judge.meets(ids, count).tolist(),
            strict=True,
        )
    )
    assert verdict == plainly([row[:2] for row in rows], limits)


@given(ROWS, st.integers(2, 4))
@settings(max_examples=100, deadline=None)
def test_persons_are_counted_once(rows: list[tuple[object, ...]], k: int) -> None:
    items, _ = items_of(rows, [], unit="u")
    ids, count = items.classes([1])
    groups = defaultdict(set)
    for row in rows:
        groups["v" if row[0] in "ae" else "c"].add(row[3])
    verdict = Judge(items, Limits.of({"k_anonymity": k})).meets(ids, count)
    assert sorted(verdict.tolist()) == sorted(len(people) >= k for people in groups.values())


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_another_sensitive_attribute_is_known_to_the_attacker(rows: list[tuple[object, ...]]) -> None:
    items, _ = items_of(rows, ["s", "p"])
    ids, count = items.classes([2])
    verdict = Judge(items, Limits.of({"distinct_l_diversity": 2})).meets(ids, count)
    by_p, by_s = defaultdict(set), defaultdict(set)
    for row in rows:
        by_p[row[2]].add(row[1])
        by_s[row[1]].add(row[2])
    assert verdict.tolist() == [all(len(values) > 1 for values in [*by_p.values(), *by_s.values()])]


def test_a_part_of_the_items_with_weights_of_their_own() -> None:
    items, _ = items_of([("a", "flu", "x", 0)] * 4 + [("b", "flu", "x", 0)] * 2, [])
    judge = Judge(items, Limits.of({"k_anonymity": 3}))
    among = np.array([0])
    assert judge.meets(np.array([0]), 1, among).tolist() == [True]
    assert judge.meets(np.array([0]), 1, among, np.array([2])).tolist() == [False]
    assert judge.meets(np.array([1]), 3, among).tolist() == [True, True, True]  # empty classes harm nobody


def test_a_limit_without_what_it_needs_is_refused() -> None:
    items, _ = items_of([("a", "flu", "x", 0)], [])
    with pytest.raises(InvalidParameter, match="needs a sensitive attribute"):
        Judge(items, Limits.of({"distinct_l_diversity": 2}))
    with pytest.raises(InvalidParameter, match="needs the population"):
        Judge(items, Limits.of({"k_map": 2})).meets(np.array([0]), 1)
    with_ill = Items.of(pa.table({"x": ["a"], "s": ["flu"]}), {"x": HOME}, ["s"])[0]
    with pytest.raises(InvalidParameter, match="needs a hierarchy of 's'"):
        Judge(with_ill, Limits.of({"t_closeness": {"t": 0.1, "distance": "hierarchical"}})).meets(np.array([0]), 1)

"""Local recoding: whatever the table and the limits, every class meets them by a plain count, or there is one error."""

from collections import Counter, defaultdict
from math import exp, log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import Cancelled, LimitsNotMet
from masking.hierarchies import Hierarchy, flat
from masking.limits import Limits
from masking.recoding.items import Items
from masking.recoding.local_recoding import search_local
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes

AGE = Hierarchy.of([[str(age), f"{age // 2 * 2}+", f"{age // 4 * 4}++"] for age in range(8)])
PLACE = Hierarchy.of([["a", "ab"], ["b", "ab"], ["c", "c"], ["d", "d"]])
SEX = flat(pa.array(["f", "m"]))
HIERARCHIES = {"age": AGE, "place": PLACE, "sex": SEX}
ROWS = st.lists(
    st.tuples(
        st.sampled_from([*map(str, range(8)), None]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["f", "m"]),
        st.sampled_from([1, 2, 4]),
        st.integers(0, 9),
    ),
    max_size=40,
)
LIMITS = st.fixed_dictionaries(
    {"k_anonymity": st.integers(1, 6)},
    optional={
        "distinct_l_diversity": st.integers(1, 3),
        "entropy_l_diversity": st.sampled_from([1.5, 2, 2.5]),
        "recursive_cl_diversity": st.sampled_from([[1, 2], [3, 2], [2, 3]]),
        "t_closeness": st.sampled_from([{"t": 0.1}, {"t": 0.3}, {"t": 0.2, "distance": "ordered"}]),
    },
)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    names = ("age", "place", "sex", "illness", "person")
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in names]
    kinds = [pa.string()] * 3 + [pa.int64()] * 2
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)})


def search(
    table: pa.Table, limits: dict[str, object], wishes: Wishes | None = None, unit: str | None = None, **watched: object
) -> tuple[Recoding, pa.Table]:
    sensitive = ["illness"] if Limits.of(limits).needs_sensitive else []
    items, of_record = Items.of(table, HIERARCHIES, sensitive, unit=unit)
    found = search_local(items, Limits.of(limits), wishes or Wishes(), Watch(**watched))  # type: ignore[arg-type]
    return found, found.table(table, of_record)


def broken(released: pa.Table, limits: dict[str, object], unit: str | None = None) -> list[str]:
    """Limits that a class of the table breaks, counted one record after the other: the oracle."""
    rows = released.to_pylist()
    asked = Limits.of(limits)
    classes = defaultdict(list)
    for number, row in enumerate(rows):
        classes[row["age"], row["place"], row["sex"]].append((row["illness"], row[unit] if unit else number))
    persons_of = {key: {person for _, person in members} for key, members in classes.items()}
    found = [f"{len(persons)} persons" for persons in persons_of.values() if len(persons) < asked.least_class]
    order = sorted({row["illness"] for row in rows})

    def shares(members: list[tuple[int, int]]) -> dict[int, float]:
        counts = Counter(value for value, _ in set(members)) if unit else Counter(value for value, _ in members)
        return {value: counts[value] / sum(counts.values()) for value in order}

    whole = shares([(row["illness"], number) for number, row in enumerate(rows)])
    for members in classes.values():
        here = sorted((share for share in shares(members).values() if share), reverse=True)
        if asked.distinct_l_diversity and len(here) < asked.distinct_l_diversity:
            found.append("distinct")
        if asked.entropy_l_diversity and exp(-sum(s * log(s) for s in here)) < asked.entropy_l_diversity - 1e-9:
            found.append("entropy")
        if asked.recursive_cl_diversity:
            c, least = asked.recursive_cl_diversity
            if here[0] >= c * sum(here[least - 1 :]) + 1e-12:
                found.append("recursive")
        if asked.t_closeness:
            gaps = [shares(members)[value] - whole[value] for value in order]
            if asked.t_closeness.distance == "equal":
                far = sum(map(abs, gaps)) / 2
            else:
                far = sum(abs(sum(gaps[: at + 1])) for at in range(len(gaps))) / max(1, len(gaps) - 1)
            if far > asked.t_closeness.t + 1e-9:
                found.append("close")
    return found


@given(ROWS, LIMITS, st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=80, deadline=None)
def test_every_class_meets_the_limits_or_it_is_refused(rows, limits, suppression):
    try:
        found, released = search(table_of(rows), limits, Wishes(suppression=suppression))
    except LimitsNotMet as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.measured["suppression"] > suppression
        return
    assert not broken(released, limits)
    assert released.num_rows == len(rows) - int(found.gone.sum())
    assert found.suppressed_records <= suppression * len(rows) + 1e-9


@given(ROWS, st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_persons_are_counted_where_they_have_several_records(rows, k):
    _, released = search(table_of(rows), {"k_anonymity": k}, unit="person")
    assert not broken(released, {"k_anonymity": k}, unit="person")


def test_the_oracle_sees_what_is_broken():
    rows = [("1", "a", "f", 1, 1), ("1", "a", "f", 1, 1), ("2", "a", "f", 2, 2)]
    table = table_of(rows)
    assert broken(table, {"k_anonymity": 2}) == ["1 persons"]
    assert broken(table, {"k_anonymity": 2}, unit="person") == ["1 persons", "1 persons"]
    assert broken(table, {"distinct_l_diversity": 2}) == ["distinct", "distinct"]
    assert broken(table, {"entropy_l_diversity": 2}) == ["entropy", "entropy"]
    assert broken(table, {"recursive_cl_diversity": [1, 2]}) == ["recursive", "recursive"]
    assert broken(table, {"t_closeness": 0.1}) == ["close", "close"]
    assert broken(table, {"t_closeness": {"t": 0.1, "distance": "ordered"}}) == ["close", "close"]


@given(ROWS, LIMITS, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_records_changes_nothing(rows, limits, random):
    shuffled = rows[:]
    random.shuffle(shuffled)
    plain = search(table_of(rows), limits)[1].to_pylist()
    assert Counter(map(repr, plain)) == Counter(map(repr, search(table_of(shuffled), limits)[1].to_pylist()))


@given(ROWS, st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted))
@settings(max_examples=30, deadline=None)
def test_levels_stay_where_they_are_allowed(rows, allowed):
    low, high = allowed
    found, released = search(table_of(rows), {"k_anonymity": 3}, Wishes(levels={"age": (low, high), "sex": (0, 0)}))
    assert not broken(released, {"k_anonymity": 3})
    kept = ~found.suppressed
    assert ((found.levels[kept, 0] >= low) & (found.levels[kept, 0] <= high)).all()
    assert (found.levels[kept, 2] == 0).all()


def test_an_attribute_that_counts_more_is_generalized_less():
    random = np.random.default_rng(3)
    rows = [
        (str(age), place, sex, 1, 0)
        for age, place, sex in zip(
            random.integers(0, 8, 400).tolist(),
            random.choice(list("abcd"), 400).tolist(),
            random.choice(["f", "m"], 400).tolist(),
            strict=True,
        )
    ]
    plain, _ = search(table_of(rows), {"k_anonymity": 12})
    weighed, _ = search(table_of(rows), {"k_anonymity": 12}, Wishes(weights={"age": 20}))
    assert weighed.shares()[0] < plain.shares()[0]


@pytest.mark.parametrize("stage", [0, 1, 2, 5])
def test_stopped_it_gives_what_it_has(stage):
    rows = [(str(at % 8), "abcd"[at % 4], "fm"[at % 2], at % 3, at) for at in range(60)]
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > stage

    _, released = search(table_of(rows), {"k_anonymity": 5}, stop=stop)
    assert not broken(released, {"k_anonymity": 5})


def test_cancelled_it_gives_nothing():
    with pytest.raises(Cancelled):
        search(table_of([("1", "a", "f", 1, 1)] * 9), {"k_anonymity": 2}, cancelled=lambda: True)


def test_progress_rises_within_each_stage():
    said = []
    rows = [(str(at % 8), "abcd"[at % 4], "fm"[at % 2], 1, at) for at in range(200)]
    search(table_of(rows), {"k_anonymity": 7}, progress=lambda stage, share: said.append((stage, share)))
    assert said
    assert all(0 <= share <= 1 for _, share in said)

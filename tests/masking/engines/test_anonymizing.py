"""masking.anonymize: what comes out meets every limit by a plain count, or a clear refusal; order never matters."""

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masking
from masking.errors import Cancelled, DataError, InvalidParameter, LimitsNotMet, UnknownAttribute
from masking.recoding.items import Items
from masking.recoding.result import Recoding, whole
from masking.report import MaskingReport

HOME = [["长沙", "湖南", "华中"], ["株洲", "湖南", "华中"], ["武汉", "湖北", "华中"], ["广州", "广东", "华南"]]
AGE = [[str(age), f"{age // 10 * 10}-"] for age in range(40)]
KINDS = pytest.mark.parametrize("recoding", ["local", "global"])
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from([*[row[0] for row in HOME], None]),
        st.one_of(st.integers(0, 39), st.none()),
        st.sampled_from(["感冒", "骨折", "胃炎", None]),
        st.integers(0, 6),
    ),
    max_size=40,
)
ASKED = st.fixed_dictionaries(
    {"k_anonymity": st.integers(1, 6)},
    optional={
        "distinct_l_diversity": st.integers(1, 3),
        "entropy_l_diversity": st.sampled_from([1.0, 1.5, 2.0]),
        "recursive_cl_diversity": st.sampled_from([[2, 2], [0.9, 1], [3, 3]]),
        "t_closeness": st.sampled_from([0.1, 0.4]),
        "average_risk": st.sampled_from([0.1, 0.3]),
    },
)


def people(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    kinds = (pa.string(), pa.int64(), pa.string(), pa.int64())
    names = ("home", "age", "ill", "person")
    return pa.table({n: pa.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)})


def classes(table: pa.Table, *names: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in table.to_pylist():
        found[tuple(row[name] for name in names)].append(row)
    return found


@KINDS
@given(rows=PEOPLE, asked=ASKED, suppression=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=150, deadline=None)
def test_every_class_meets_the_limits_or_it_refuses(
    recoding: Any, rows: list[tuple[Any, ...]], asked: dict[str, Any], suppression: float
) -> None:
    table = people(rows)
    try:
        made = masking.anonymize(table, {"home": HOME, "age": AGE}, asked, ["ill"], recoding, suppression)
    except LimitsNotMet:
        return
    found = classes(made.table, "home", "age")
    whole = Counter(row["ill"] for row in made.table.to_pylist())
    for members in found.values():
        ills = sorted(Counter(row["ill"] for row in members).values(), reverse=True)
        assert len(members) >= asked["k_anonymity"]
        assert len(ills) >= asked.get("distinct_l_diversity", 1)
        if "recursive_cl_diversity" in asked:
            c, least = asked["recursive_cl_diversity"]
            assert ills[0] < c * sum(ills[least - 1 :])
        if isinstance(asked.get("t_closeness"), float):
            part = Counter(row["ill"] for row in members)
            gaps = [abs(part[ill] / len(members) - whole[ill] / made.table.num_rows) for ill in whole]
            assert sum(gaps) / 2 <= asked["t_closeness"] + 1e-9
    if "average_risk" in asked and made.table.num_rows:
        assert len(found) <= asked["average_risk"] * made.table.num_rows + 1e-9
    stars = len(found.get(("*", "*"), []))
    assert stars + table.num_rows - made.table.num_rows <= suppression * table.num_rows + 1e-9
    # What is released is what came in, generalized.
    before = Counter((row["person"], row["ill"]) for row in table.to_pylist())
    assert not Counter((row["person"], row["ill"]) for row in made.table.to_pylist()) - before
    _check_cells(table, made.table)


def _check_cells(before: pa.Table, after: pa.Table) -> None:
    allowed = {row[0]: {*row, "*"} for row in HOME} | {row[0]: {*row, "*"} for row in AGE} | {"None": {None, "*"}}
    seen = {str(value) for name in ("home", "age") for value in before.column(name).to_pylist()}
    possible = set().union(*(allowed[value] for value in seen)) if seen else set()
    assert {value for name in ("home", "age") for value in after.column(name).to_pylist()} <= possible


@KINDS
@given(rows=PEOPLE.filter(len), order=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_records_does_not_matter(recoding: Any, rows: list[tuple[Any, ...]], order: Any) -> None:
    asked = {"k_anonymity": 3, "distinct_l_diversity": 2}
    shuffled = list(rows)
    order.shuffle(shuffled)
    one, other = (
        masking.anonymize(people(each), {"home": HOME, "age": AGE}, asked, ["ill"], recoding).table
        for each in (rows, shuffled)
    )
    assert Counter(map(str, one.to_pylist())) == Counter(map(str, other.to_pylist()))
    again = masking.anonymize(people(rows), {"home": HOME, "age": AGE}, asked, ["ill"], recoding).table
    assert again.equals(one)


@KINDS
def test_persons_with_several_records_are_counted_once(recoding: Any) -> None:
    rows = [("长沙", 20, "感冒", person) for person in (1, 1, 1, 1, 2)]
    rows += [("武汉", 30, "感冒", person) for person in (3, 4, 5)]
    made = masking.anonymize(
        people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 3}, recoding=recoding, unit="person"
    )
    for members in classes(made.table, "home", "age").values():
        assert len({row["person"] for row in members}) >= 3
    by_record = masking.anonymize(people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 3}, recoding=recoding)
    assert by_record.report.recoding.granularity > made.report.recoding.granularity  # the control: records are more


@KINDS
def test_the_kind_of_table_and_other_columns_stay(recoding: Any) -> None:
    table = people([("长沙", 20, "感冒", at) for at in range(6)])
    for given_ in (table, pl.from_arrow(table), table.to_pandas()):
        made = masking.anonymize(given_, {"age": AGE}, {"k_anonymity": 2}, recoding=recoding)
        assert type(made.table) is type(given_)
        frame = made.table if isinstance(made.table, pd.DataFrame) else pa.table(made.table).to_pandas()
        assert frame["person"].tolist() == list(range(6))
        assert frame["age"].tolist() == ["20"] * 6
    assert table.column("age").type == pa.int64()  # the caller's table is as it was


@KINDS
def test_wishes_are_kept(recoding: Any) -> None:
    rows = [(home[0], age, "感冒", 0) for home in HOME for age in (11, 15, 23, 38)]
    kept = masking.anonymize(
        people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 4}, recoding=recoding, keep=["home"]
    )
    assert set(kept.table.column("home").to_pylist()) == {row[0] for row in HOME}
    bounded = masking.anonymize(
        people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 2}, recoding=recoding, levels={"age": (1, 1)}
    )
    assert set(bounded.table.column("age").to_pylist()) <= {"10-", "20-", "30-", "*"}
    heavy, light = (
        masking.anonymize(
            people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 4}, recoding=recoding, weights={"home": weight}
        ).report.recoding.levels["home"][0]
        for weight in (50.0, 0.02)
    )
    assert heavy > light


def test_the_report_says_what_was_proved_and_survives_json() -> None:
    rows = [(home[0], age, ill, 0) for home in HOME for age in (11, 15, 23) for ill in ("感冒", "骨折")]
    made = masking.anonymize(people(rows), {"home": HOME, "age": None}, {"k_anonymity": 3, "max_risk": 0.3}, ["ill"])
    report = made.report
    assert {claim.limit: claim.asked for claim in report.claims} == {"k_anonymity": 3, "max_risk": 0.3}
    assert all(claim.found is not None for claim in report.claims)
    assert report.k_after >= 4
    assert MaskingReport.from_dict(json.loads(report.to_json())) == report
    assert report.public().to_dict()["recoding"] == "local"
    assert all(claim["found"] is None for claim in report.public().to_dict()["claims"])


def test_limits_on_a_population() -> None:
    everyone = people([(home[0], age, "感冒", 0) for home in HOME for age in range(40) for _ in range(2)])
    some = people([("长沙", 20, "感冒", 0), ("武汉", 31, "感冒", 1), ("株洲", 5, "感冒", 2)])
    hierarchies = {"home": HOME, "age": AGE}
    made = masking.anonymize(some, hierarchies, {"k_map": 5}, recoding="global", population=everyone)
    for home, age in classes(made.table, "home", "age"):
        covered = [
            row
            for row in everyone.to_pylist()
            if home in (row["home"], *{r[0]: r for r in HOME}[row["home"]], "*")
            and age in (str(row["age"]), f"{row['age'] // 10 * 10}-", "*")
        ]
        assert len(covered) >= 5
    assert (
        made.report.recoding.granularity
        > masking.anonymize(some, hierarchies, {"k_anonymity": 2}, recoding="global").report.recoding.granularity
    )
    present = masking.anonymize(
        some, hierarchies, {"delta_presence": [0, 0.05]}, recoding="global", population=everyone
    )
    assert present.report.claims[0].found is not None
    with pytest.raises(InvalidParameter, match="global recoding only"):
        masking.anonymize(some, hierarchies, {"k_map": 5}, population=everyone)
    with pytest.raises(InvalidParameter, match="need the population"):
        masking.anonymize(some, hierarchies, {"k_map": 5}, recoding="global")


def test_the_hierarchical_distance_takes_a_hierarchy_of_the_sensitive_attribute() -> None:
    rows = [(home[0], 20, ill, 0) for home in HOME for ill in ("感冒", "骨折", "胃炎") * 2]
    tree = [["感冒", "内科"], ["胃炎", "内科"], ["骨折", "外科"]]
    asked = {"k_anonymity": 3, "t_closeness": {"t": 0.2, "distance": "hierarchical"}}
    for sensitive in ({"ill": tree}, ["ill"]):
        hierarchies = {"home": HOME} if isinstance(sensitive, dict) else {"home": HOME, "ill": tree}
        made = masking.anonymize(people(rows), hierarchies, asked, sensitive)
        assert made.table.column("ill").to_pylist() == [row[2] for row in rows]
    with pytest.raises(InvalidParameter, match="needs a hierarchy"):
        masking.anonymize(people(rows), {"home": HOME}, asked, ["ill"])


@KINDS
@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"hierarchies": {}}, InvalidParameter, "at least one"),
        ({"hierarchies": {"hom": HOME}}, UnknownAttribute, "hom"),
        ({"hierarchies": {"home": HOME[:2]}}, DataError, "does not name the values of 2 records"),
        ({"limits": {"k": 5}}, InvalidParameter, "there is no limit 'k'"),
        ({"limits": {"distinct_l_diversity": 2}}, InvalidParameter, "needs a sensitive attribute"),
        ({"suppression": 2.0}, InvalidParameter, "suppression"),
        ({"sensitive": ["illness"]}, UnknownAttribute, "illness"),
        (
            {"limits": {"t_closeness": {"t": 0.5, "distance": "ordered"}}, "sensitive": ["ill"]},
            InvalidParameter,
            "an order",
        ),
        ({"unit": "home"}, InvalidParameter, "cannot be a quasi-identifier"),
        ({"weights": {"nobody": 1}}, InvalidParameter, "not a quasi-identifier"),
        ({"levels": {"home": 9}}, InvalidParameter, "levels 0 to"),
        ({"limits": {"k_anonymity": 9}, "suppression": 0.0}, LimitsNotMet, "suppress|leave"),
    ],
)
def test_what_is_wrong_is_one_clear_error(recoding: Any, change: dict[str, Any], error: type, says: str) -> None:
    table = people([(home[0], 20, "感冒", 0) for home in HOME])
    asked = {"hierarchies": {"home": HOME}, "limits": {"k_anonymity": 2}, "recoding": recoding, **change}
    with pytest.raises(error, match=says) as caught:
        masking.anonymize(table, **asked)
    assert not any(value in str(caught.value) for value in ("长沙", "武汉", "感冒"))


@KINDS
def test_a_caller_can_stop_or_cancel(recoding: Any) -> None:
    rows = [(home[0], age, "感冒", at) for at, home in enumerate(HOME) for age in range(40)]
    told: list[float] = []
    made = masking.anonymize(
        people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 3}, recoding=recoding, stop=lambda: True,
        progress=lambda _stage, share: told.append(share),
    )  # fmt: skip
    assert min(len(members) for members in classes(made.table, "home", "age").values()) >= 3
    assert all(0 <= share <= 1 for share in told)
    with pytest.raises(Cancelled):
        masking.anonymize(people(rows), {"home": HOME}, {"k_anonymity": 3}, recoding=recoding, cancelled=lambda: True)


def test_a_search_that_lies_is_caught_before_anything_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control of the proof: a search that generalizes nothing and says that all is well."""

    def lying(items: Items, *_: Any, **__: Any) -> Recoding:
        return whole(items, np.zeros((len(items), len(items.names)), dtype=np.uint8))

    monkeypatch.setattr("masking.engines.anonymizing.find", lying)
    with pytest.raises(LimitsNotMet, match=r"does not meet .*2 class\(es\) fail, the smallest has 1 person"):
        masking.anonymize(
            people([("长沙", 20, "感冒", 0), ("武汉", 30, "感冒", 1)]), {"home": HOME, "age": AGE}, {"k_anonymity": 2}
        )


@KINDS
def test_small_and_strange_tables(recoding: Any) -> None:
    for rows in ([], [("长沙", 20, "感冒", 0)], [("长沙", 20, "感冒", 0)] * 9, [(None, None, None, 0)] * 4):
        made = masking.anonymize(people(rows), {"home": HOME, "age": AGE}, {"k_anonymity": 3}, recoding=recoding)
        assert made.table.num_rows == (len(rows) if len(rows) >= 3 else 0)
    wide = pa.table({f"c{at}": [str(row % 2) for row in range(12)] for at in range(60)})
    made = masking.anonymize(wide, dict.fromkeys(wide.column_names), {"k_anonymity": 3}, recoding=recoding,
                             stop=lambda: True)  # fmt: skip
    assert made.table.num_rows == 12


@KINDS
def test_the_average_risk_is_that_of_persons(recoding: Any) -> None:
    """A person's risk is that of their smallest class, so records of several classes do not water it down."""
    rows = [(HOME[at % 4][0], at % 40, "感冒", at // 3) for at in range(240)]
    asked = {"k_anonymity": 2, "average_risk": 0.06}
    made = masking.anonymize(people(rows), {"home": HOME, "age": AGE}, asked, recoding=recoding, unit="person")
    smallest: dict[int, int] = {}
    for members in classes(made.table, "home", "age").values():
        persons = {row["person"] for row in members}
        for person in persons:
            smallest[person] = min(smallest.get(person, 10**9), len(persons))
    average = sum(1 / size for size in smallest.values()) / len(smallest)
    assert average <= 0.06 + 1e-9
    found = {claim.limit: claim.found for claim in made.report.claims}
    assert found["average_risk"] == pytest.approx(average)
    assert made.report.after.prosecutor_average == pytest.approx(average)

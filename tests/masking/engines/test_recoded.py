"""Policies whose attributes a search generalizes: streamed as in memory, checked again, never through in clear."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import masking
from masking.engines.local import apply_stream, compile, ready  # noqa: A004
from masking.errors import Cancelled, DataError, InvalidParameter, LimitsNotMet, PolicyError
from masking.policy import check, dump, load

POLICY = """version: 1
dataset: visits
attributes:
  name: {role: direct_identifier, technique: suppression.drop}
  city: {role: quasi_identifier, technique: generalization.recoding, mapping: {长沙: [湖南], 株洲: [湖南], 武汉: [湖北]}}
  age: {role: quasi_identifier, technique: generalization.recoding, intervals: [5, 10, 20], highest: 3}
  day: {role: quasi_identifier, technique: generalization.recoding, calendar: true}
  ill: {role: sensitive, technique: keep}
  cost: {role: insensitive, technique: generalization.rounding, base: 100}
limits: {k_anonymity: 4, distinct_l_diversity: 2, suppression: 1}
"""
GLOBAL = POLICY + "recoding: global\n"


def visits(rows: int = 3000) -> pa.Table:
    at = range(rows)
    return pa.table(
        {
            "name": [f"人{n}" for n in at],
            "city": [("长沙", "株洲", "武汉", None)[(n * 7 + n // 11) % 4] for n in at],
            "age": [(n * 13 + n // 7) % 90 for n in at],
            "day": pa.array([19000 + (n * 31 + n // 3) % 700 for n in at], pa.int32()).cast(pa.date32()),
            "ill": [("感冒", "骨折", "胃炎")[(n * 5 + n // 2) % 3] for n in at],
            "cost": [float(n % 1234) for n in at],
        }
    )


def streamed(policy: str, table: pa.Table, size: int, **more: Any) -> tuple[pa.Table, Any]:
    out: list[pa.Table] = []
    report = apply_stream(
        load(policy),
        lambda: table.to_reader(max_chunksize=size),
        None,
        lambda each: out.append(each.read_all()),
        **more,
    )
    return out[0], report


@pytest.mark.parametrize("policy", [POLICY, GLOBAL])
def test_a_stream_gives_what_anonymize_gives(policy: str) -> None:
    table = visits()
    made, report = streamed(policy, table, 257, workers=2)
    loaded = load(policy)
    plan = compile(loaded, table.schema, None)
    assert plan.joint is not None
    hierarchies = {name: rule.hierarchy_of(table.column(name)) for name, rule in plan.joint.rules.items()}
    levels = {name: rule.range_of(hierarchies[name]) for name, rule in plan.joint.rules.items()}
    whole = masking.anonymize(table, hierarchies, loaded.limits, ["ill"], loaded.recoding, levels=levels)
    for name in hierarchies:
        assert made.column(name).to_pylist() == whole.table.column(name).to_pylist()
    assert report.recoding == whole.report.recoding
    assert {each.limit: each.found for each in report.claims} == {
        each.limit: pytest.approx(each.found) for each in whole.report.claims
    }
    assert "name" not in made.column_names


@pytest.mark.parametrize("policy", [POLICY, GLOBAL])
def test_batches_and_workers_do_not_matter(policy: str) -> None:
    table = visits(800)
    first, report = streamed(policy, table, 100, workers=1)
    for size, workers in ((7, 1), (800, 1), (50, 3)):
        made, again = streamed(policy, table, size, workers=workers)
        assert made.combine_chunks().equals(first.combine_chunks())
        assert again.to_dict() == report.to_dict()


def test_the_plan_masks_any_batch_by_itself_also_elsewhere() -> None:
    import pickle

    table = visits(500)
    plan = ready(compile(load(POLICY), table.schema, None), lambda: table.to_reader())
    plan = pickle.loads(pickle.dumps(plan))
    whole = pa.Table.from_batches([plan.mask_batch(table.combine_chunks().to_batches()[0])])
    parts = pa.Table.from_batches([plan.mask_batch(batch) for batch in table.to_batches(max_chunksize=33)])
    assert parts.combine_chunks().equals(whole.combine_chunks())
    assert "人1" not in repr(plan)


def test_a_combination_that_the_search_has_not_seen_never_passes() -> None:
    table = visits(500)
    plan = ready(compile(load(POLICY), table.schema, None), lambda: table.to_reader())
    other = table.slice(0, 1).set_column(2, "age", pa.array([17], pa.int64()))
    unseen = [age for age in range(90) if age not in table.column("age").to_pylist()] or [200]
    other = other.set_column(2, "age", pa.array(unseen[:1], pa.int64()))
    with pytest.raises(PolicyError, match="changed between two readings"):
        plan.mask_batch(other.to_batches()[0])


def test_a_search_that_lies_is_caught_by_the_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from masking.recoding.result import whole

    def lying(items: Any, *_: Any, **__: Any) -> Any:
        return whole(items, np.zeros((len(items), len(items.names)), dtype=np.uint8))

    monkeypatch.setattr("masking.engines.recoded.find", lying)
    with pytest.raises(LimitsNotMet, match="the search left"):
        streamed(POLICY, visits(300), 100)


def test_a_policy_is_written_and_read_back() -> None:
    policy = load(GLOBAL)
    assert policy.recoded == ("city", "age", "day")
    again = load(dump(policy))
    assert (again.recoding, again.limits, again.recoded) == ("global", policy.limits, policy.recoded)


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        ("technique: generalization.recoding, calendar: true", "technique: generalization.date, to: year", PolicyError,
         "decides all quasi-identifiers together"),
        ("ill: {role: sensitive, technique: keep}",
         "ill: {role: sensitive, technique: generalization.recoding}", PolicyError, "for quasi-identifiers"),
        ("highest: 3", "highest: 9", InvalidParameter, "levels 0 to 4"),
        ("intervals: [5, 10, 20]", "intervals: [5, 7]", InvalidParameter, "multiple of the one before"),
        ("intervals: [5, 10, 20]", "prefixes: [1], calendar: true", InvalidParameter, "one hierarchy"),
        ("limits: {k_anonymity: 4,", "limits: {k_map: 3,", PolicyError, "needs a table of the population"),
        ("limits: {k_anonymity: 4,", "limits: {t_closeness: {t: 0.2, distance: hierarchical, hierarchies: {x: {a: b}}},",
         PolicyError, "no kept sensitive attribute"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_before_a_record_is_read(old: str, new: str, error: type, says: str) -> None:
    assert old in POLICY
    loaded = load(POLICY.replace(old, new))
    for refuse in (lambda: check(loaded), lambda: compile(loaded, visits(1).schema, None)):
        with pytest.raises(error, match=says):
            refuse()


def test_values_that_a_hierarchy_does_not_name_stop_the_run() -> None:
    table = visits(20).set_column(1, "city", pa.array(["上海"] * 20))
    with pytest.raises(DataError, match="city") as caught:
        streamed(POLICY, table, 10)
    assert "上海" not in str(caught.value)


def test_without_limits_the_lowest_level_holds() -> None:
    policy = POLICY.split("limits:", maxsplit=1)[0].replace("highest: 3", "lowest: 2")
    made = masking.apply(policy, visits(50), {}).table
    assert set(made.column("city").to_pylist()) == {"长沙", "株洲", "武汉", None}
    assert made.column("age").to_pylist()[1] == "10-19"


def test_persons_and_left_out_records_count() -> None:
    policy = POLICY.replace("technique: suppression.drop}", "technique: pseudonymization.keyed, key: k}").replace(
        "dataset: visits\n",
        "dataset: visits\nunit: name\nkey_domains: {k: {period: 2026-01}}\n"
        "suppress: [{column: cost, at_least: 1000}]\n",
    )
    table = visits(900)
    table = table.set_column(0, "name", pa.array([f"人{n % 300}" for n in range(900)]))
    report = masking.apply(policy, table, {"k": b"k" * 32}).report
    assert report.left_out == sum(cost >= 1000 for cost in table.column("cost").to_pylist())
    assert report.k_after >= 4
    assert report.rows_in == 900
    assert report.rows_out == report.rows_in - report.left_out - report.suppressed


def test_cancelled_while_it_searches_writes_nothing() -> None:
    written: list[Any] = []
    stages: list[str] = []

    def cancelled() -> bool:
        return "search" in stages

    with pytest.raises(Cancelled):
        apply_stream(
            load(POLICY), lambda: visits(2000).to_reader(max_chunksize=100), None, written.append,
            progress=lambda stage, _: stages.append(stage), cancelled=cancelled,
        )  # fmt: skip
    assert not written


def test_limits_without_a_search_hold_by_leaving_records_out() -> None:
    """Every model that counts by hash, against a plain count of what is left."""
    policy = """version: 1
dataset: x
attributes:
  a: {role: quasi_identifier, technique: keep}
  s: {role: sensitive, technique: keep}
limits: {LIMITS, suppression: 1}
"""
    a = ["x"] * 6 + ["y"] * 6 + ["z"] * 6
    s = [1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 3, 3, 1, 1, 1, 2, 3, 3]
    for limits, left in {
        "entropy_l_diversity: 2.9": {"y"},
        "entropy_l_diversity: 2.5": {"y", "z"},
        "recursive_cl_diversity: [1, 2]": {"y"},
        "recursive_cl_diversity: [1.5, 2]": {"y", "z"},
        "max_risk: 0.2": {"x", "y", "z"},
        "max_risk: 0.1": set(),
        "k_anonymity: 6, distinct_l_diversity: 3": {"y", "z"},
    }.items():
        made = masking.apply(policy.replace("LIMITS", limits), pa.table({"a": a, "s": s}), {})
        assert set(made.table.column("a").to_pylist()) == left, limits
    close = masking.apply(policy.replace("LIMITS", "t_closeness: 0.25"), pa.table({"a": a, "s": s}), {})
    assert set(close.table.column("a").to_pylist()) == {"y", "z"}
    assert close.report.claims[0].found <= 0.25
    entropy = masking.apply(policy.replace("LIMITS", "entropy_l_diversity: 2"), pa.table({"a": a, "s": s}), {})
    worst = math.exp(-sum(p * math.log(p) for p in (0.5, 1 / 6, 1 / 3)))
    assert entropy.report.claims[0].found == pytest.approx(worst)
    with pytest.raises(LimitsNotMet, match="a limit of the whole table"):
        masking.apply(policy.replace("LIMITS", "average_risk: 0.1"), pa.table({"a": a, "s": s}), {})
    with pytest.raises(PolicyError, match="held by a search only"):
        masking.apply(
            policy.replace("LIMITS", "t_closeness: {t: 0.2, distance: ordered}"), pa.table({"a": a, "s": s}), {}
        )


def test_hierarchies_stand_in_files_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "city.csv").write_text("长沙;湖南\n株洲;湖南\n武汉;湖北\n", encoding="utf-8")
    text = POLICY.replace("mapping: {长沙: [湖南], 株洲: [湖南], 武汉: [湖北]}", "file: city.csv")
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    table = visits(600)
    assert masking.apply(tmp_path / "policy.yaml", table, {}).table.equals(masking.apply(POLICY, table, {}).table)
    with pytest.raises(InvalidParameter, match="next to a policy file"):
        masking.apply(text, table, {})


CLOSE = POLICY.replace("attributes:", "record: [name]\nattributes:").replace(
    "limits: {k_anonymity: 4, distinct_l_diversity: 2,", "limits: {k_anonymity: 4, t_closeness: 0.15,"
)


def skewed(rows: int = 600) -> pa.Table:
    """Few combinations of many records, whose illness depends on the age."""
    table = visits(rows)
    age, ill = [10 * (n % 4) for n in range(rows)], ["感冒" if (n % 4) * 3 + n % 7 > 6 else "骨折" for n in range(rows)]
    place = table.schema.get_field_index("day")
    table = table.set_column(place, "day", pa.array([19000] * rows, pa.int32()).cast(pa.date32()))
    return table.set_column(2, "age", pa.array(age)).set_column(4, "ill", pa.array(ill))


@pytest.fixture
def by_quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the way that divides combinations: of a table as small as these the undivided one may be better."""
    monkeypatch.setattr("masking.recoding.local_recoding._LITTLE", -1)


@pytest.mark.usefixtures("by_quotas")
def test_records_of_one_combination_may_differ_where_they_are_told_apart() -> None:
    """t-closeness divides combinations; a stream does so when the policy says what tells records apart."""
    table = skewed()
    made, _ = streamed(CLOSE, table, 100)
    for size, workers in ((7, 3), (600, 1)):
        again, _ = streamed(CLOSE, table, size, workers=workers)
        assert again.combine_chunks().equals(made.combine_chunks())
    shuffled = table.take(pa.array([(n * 7) % 600 for n in range(600)]))
    other, _ = streamed(CLOSE, shuffled, 100)
    assert sorted(map(str, other.to_pylist())) == sorted(map(str, made.to_pylist()))
    plan = ready(compile(load(CLOSE), table.schema, None), lambda: table.to_reader())
    assert plan.joint is not None
    assert plan.joint.found is not None
    assert plan.joint.found.divided  # the test would show nothing if no combination were divided
    divided = pa.concat_tables([table.slice(at, 1).set_column(0, "name", pa.array(["别人"])) for at in range(100)])
    with pytest.raises(PolicyError, match="changed between two readings"):
        plan.mask_batch(divided.combine_chunks().to_batches()[0])


@pytest.mark.usefixtures("by_quotas")
def test_records_that_are_not_told_apart_are_refused() -> None:
    table = skewed().set_column(0, "name", pa.array(["同"] * 600))
    with pytest.raises(InvalidParameter, match="several records are alike"):
        streamed(CLOSE, table, 100)

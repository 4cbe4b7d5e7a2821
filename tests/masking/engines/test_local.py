"""The local engine: names checked before a record is read, limits decide what leaves, whole = streamed."""

import pickle
import traceback

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import masking
from masking.engines.classes import ClassCounter, figures, within
from masking.engines.local import Plan, apply_stream, compile, run  # noqa: A004
from masking.errors import (
    Cancelled,
    InvalidValue,
    KeyMissing,
    LimitsNotMet,
    PolicyError,
    UnknownAttribute,
    UnsupportedColumn,
)
from masking.keys import MappingKeys
from masking.measures import k_anonymity, l_diversity, risk_figures
from masking.policy.load import load
from masking.policy.model import Limits

KEYS = {"k": bytes(range(32))}
SECRET = "Canary13800000000"
POLICY = """version: 1
dataset: patients
attributes:
  id: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  phone: {role: direct_identifier, technique: suppression.drop}
  age: {role: quasi_identifier, technique: generalization.bands, width: 10}
  sex: {role: quasi_identifier, technique: keep}
  ill: {role: sensitive, technique: keep}
"""


def table(rows):
    """Rows of (id, age, sex, ill)."""
    ids, ages, sexes, ills = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "phone": pa.array([SECRET] * len(rows), pa.string()),
            "age": pa.array(ages, pa.int64()),
            "sex": pa.array(sexes, pa.string()),
            "ill": pa.array(ills, pa.string()),
        }
    )


def limited(text, unit=None):
    return POLICY.replace("attributes:", f"unit: {unit}\nattributes:" if unit else "attributes:") + f"limits: {text}\n"


ROWS = [("a", 31, "F", "x"), ("b", 35, "F", "y"), ("c", 39, "F", "x"), ("d", 52, "M", "x")]


def test_columns_come_out_in_the_policys_order_without_the_dropped():
    given = table(ROWS).select(["ill", "sex", "age", "phone", "id"])
    masked = masking.apply(POLICY, given, KEYS)
    assert masked.table.schema.names == ["id", "age", "sex", "ill"]
    assert masked.table["age"].to_pylist() == ["[30,40)"] * 3 + ["[50,60)"]
    assert (masked.report.rows_in, masked.report.rows_out, masked.report.suppressed) == (4, 4, 0)


@pytest.mark.parametrize(
    "make",
    [lambda t: t, lambda t: t.to_pandas(), pl.from_arrow, lambda t: t.to_batches()[0]],
    ids=["arrow", "pandas", "polars", "batch"],
)
def test_same_kind_out_and_input_untouched(make):
    given, copy = make(table(ROWS)), make(table(ROWS))
    masked = masking.apply(POLICY, given, KEYS)
    assert type(masked.table) is type(given)
    assert given.equals(copy)
    assert SECRET not in repr(masked)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": ["x", None]}),
        pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
        pd.DataFrame({"a": pd.Series([], dtype="string")}),
        pl.DataFrame({"a": ["x", None]}),
        pl.DataFrame({"a": []}, schema={"a": pl.String}),
        pl.DataFrame({"a": ["x"]}, schema={"a": pl.Categorical}),
        pa.table({"a": ["x", None]}),
        pa.table({"a": pa.array([], pa.string())}),
        pa.table({"a": ["x", "y"]}).to_batches()[0],
    ],
    ids=lambda table: f"{type(table).__module__}-{len(table)}",
)
def test_a_table_of_one_kept_column_comes_back_as_it_was(table):
    policy = "version: 1\ndataset: d\nattributes:\n  a: {role: quasi_identifier, technique: keep}\n"
    masked = masking.apply(policy, table, workers=2).table
    assert type(masked) is type(table)
    assert masked.equals(table)


def reader_that_must_not_be_read(schema):
    def batches():
        raise AssertionError("a record was read")
        yield

    return pa.RecordBatchReader.from_batches(schema, batches())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda s: s.append(pa.field("extra", pa.string())), UnknownAttribute),
        (lambda s: s.remove(0), UnknownAttribute),
        (lambda s: s.append(s.field(0)), UnknownAttribute),
        (lambda s: s.set(2, pa.field("age", pa.string())), UnsupportedColumn),
    ],
)
def test_a_wrong_table_is_refused_before_a_record_is_read(change, error):
    schema = change(table([]).schema)
    with pytest.raises(error):
        apply_stream(
            load(POLICY), lambda: reader_that_must_not_be_read(schema), MappingKeys(KEYS), lambda _: pytest.fail("sink")
        )


def test_a_missing_key_is_refused_before_a_record_is_read():
    schema = table([]).schema
    with pytest.raises(KeyMissing):
        apply_stream(load(POLICY), lambda: reader_that_must_not_be_read(schema), MappingKeys({}), lambda _: None)


def test_extra_columns_never_pass_a_compiled_plan():
    plan = compile(load(POLICY), table([]).schema, MappingKeys(KEYS))
    wider = table(ROWS).append_column("extra", pa.array([SECRET] * 4)).to_batches()[0]
    with pytest.raises(UnknownAttribute):
        plan.mask_batch(wider)
    retyped = table(ROWS).set_column(2, "age", pa.array([1.5] * 4)).to_batches()[0]
    with pytest.raises(UnsupportedColumn):
        plan.mask_batch(retyped)


def test_dropping_everything_is_an_error():
    policy = "version: 1\ndataset: d\nattributes:\n  a: {role: direct_identifier, technique: suppression.drop}\n"
    with pytest.raises(PolicyError):
        masking.apply(policy, pa.table({"a": ["x"]}))


def test_a_plan_survives_pickle_and_shows_no_key():
    plan = compile(load(POLICY), table([]).schema, MappingKeys(KEYS))
    again = pickle.loads(pickle.dumps(plan))
    assert isinstance(again, Plan)
    batch = table(ROWS).to_batches()[0]
    assert again.mask_batch(batch).equals(plan.mask_batch(batch))
    for step in plan.steps:
        secret = getattr(step.technique, "secret", b"\0")
        assert repr(secret)[2:-1] not in repr(plan) + repr(step) + repr(step.technique)


class TestLimits:
    def test_small_classes_leave_within_the_share(self):
        masked = masking.apply(limited("{k_anonymity: 3, suppression: 0.25}"), table(ROWS), KEYS)
        assert masked.table["sex"].to_pylist() == ["F"] * 3
        assert masked.report.suppressed == 1
        assert (masked.report.k_before, masked.report.k_after) == (1, 3)

    def test_nothing_is_written_beyond_the_share(self):
        policy = load(limited("{k_anonymity: 3, suppression: 0.2}"))
        with pytest.raises(LimitsNotMet) as refused:
            apply_stream(
                policy, lambda: table(ROWS).to_reader(), MappingKeys(KEYS), lambda _: pytest.fail("sink was called")
            )
        assert refused.value.measured["suppression"] == 0.25
        assert refused.value.limits == {"k_anonymity": 3, "suppression": 0.2}
        assert SECRET not in "".join(traceback.format_exception(refused.value))

    def test_k_counts_persons_not_records(self):
        """Three records of one person are a class of one."""
        rows = [("a", 31, "F", "x")] * 3 + [("b", 52, "M", "x"), ("c", 53, "M", "y"), ("d", 54, "M", "x")]
        whole = masking.apply(limited("{k_anonymity: 3}"), table(rows), KEYS)
        assert whole.report.rows_out == 6
        masked = masking.apply(limited("{k_anonymity: 3, suppression: 0.5}", unit="id"), table(rows), KEYS)
        assert masked.table["sex"].to_pylist() == ["M"] * 3
        assert masked.report.k_after == 3

    def test_a_dropped_unit_still_counts_persons(self):
        rows = [("a", 31, "F", "x")] * 3
        policy = limited("{k_anonymity: 2}", unit="id").replace("pseudonymization.keyed, key: k", "suppression.drop")
        with pytest.raises(LimitsNotMet):
            masking.apply(policy, table(rows))

    def test_diversity(self):
        rows = [("a", 31, "F", "x"), ("b", 32, "F", "x"), ("c", 51, "M", "x"), ("d", 52, "M", "y")]
        masked = masking.apply(
            limited("{k_anonymity: 2, distinct_l_diversity: 2, suppression: 0.5}"), table(rows), KEYS
        )
        assert masked.table["sex"].to_pylist() == ["M", "M"]
        assert l_diversity(masked.table, ["age", "sex"], "ill") == 2

    def test_several_sensitive_attributes_are_tested_with_the_others_known(self):
        """Each class has two values of both, but whoever knows one of them knows the other."""
        rows = pa.table({"q": ["a"] * 4, "s": ["x", "x", "y", "y"], "t": ["1", "1", "2", "2"]})
        policy = (
            "version: 1\ndataset: d\nattributes:\n"
            "  q: {role: quasi_identifier, technique: keep}\n"
            "  s: {role: sensitive, technique: keep}\n"
            "  t: {role: sensitive, technique: keep}\n"
            "limits: {distinct_l_diversity: 2}\n"
        )
        with pytest.raises(LimitsNotMet):
            masking.apply(policy, rows)
        crossed = rows.set_column(2, "t", pa.array(["1", "2", "1", "2"]))
        assert masking.apply(policy, crossed).report.rows_out == 4

    def test_an_empty_table_stays_empty(self):
        masked = masking.apply(limited("{k_anonymity: 3}"), table([]), KEYS)
        assert masked.table.num_rows == 0
        assert masked.table.schema.names == ["id", "age", "sex", "ill"]

    def test_nulls_are_a_class_of_their_own(self):
        rows = [("a", None, "F", "x"), ("b", None, "F", "y"), ("c", 31, "F", "x")]
        masked = masking.apply(limited("{k_anonymity: 2, suppression: 0.5}"), table(rows), KEYS)
        assert masked.table["age"].to_pylist() == [None, None]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(20, 60), st.sampled_from("FM"), st.sampled_from("xyz")),
        max_size=40,
    ),
    st.integers(2, 4),
    st.integers(2, 3),
    st.booleans(),
    st.integers(1, 40),
)
@settings(max_examples=30, deadline=None)
def test_what_is_left_meets_the_limits_however_it_is_cut(rows, k, l, units, size):
    policy = load(
        limited(f"{{k_anonymity: {k}, distinct_l_diversity: {l}, suppression: 0.999}}", unit="id" if units else None)
    )
    given = table(rows)
    out = []
    try:
        report = apply_stream(
            policy,
            lambda: given.to_reader(max_chunksize=size),
            MappingKeys(KEYS),
            lambda reader: out.append(reader.read_all()),
        )
    except LimitsNotMet:
        assert not out
        return
    (left,) = out
    assert report.rows_in == len(rows)
    assert report.rows_out == left.num_rows
    if left.num_rows:
        unit = "id" if units else None
        assert k_anonymity(left, ["age", "sex"], unit) >= k
        assert l_diversity(left, ["age", "sex"], "ill") >= l
        assert report.k_after == k_anonymity(left, ["age", "sex"], unit)
        assert report.before.k == k_anonymity(given, ["age", "sex"], unit)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(20, 29), st.sampled_from("FM"), st.sampled_from("xyz")),
        min_size=1,
        max_size=40,
    ),
    st.booleans(),
    st.integers(1, 40),
)
@settings(max_examples=20, deadline=None)
def test_streamed_figures_equal_the_measures_of_the_whole(rows, units, size):
    given = table(rows)
    counter = ClassCounter(["age", "sex"], ["ill"], units=units)
    for batch in given.to_batches(max_chunksize=size):
        counter.add(batch, batch.column("id"))
    ours, theirs = figures(counter), risk_figures(given, ["age", "sex"], ["ill"], "id" if units else None)
    assert ours.prosecutor_average == pytest.approx(theirs.prosecutor_average)
    assert (ours.persons, ours.classes, ours.k, ours.unique_persons, ours.distinct_l) == (
        theirs.persons,
        theirs.classes,
        theirs.k,
        theirs.unique_persons,
        theirs.distinct_l,
    )
    assert within(counter, Limits()).height == counter.combinations().height


@given(st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_whole_equals_streamed(size):
    plan = compile(load(POLICY), table([]).schema, MappingKeys(KEYS))
    streamed = run(plan, table(ROWS).to_reader(max_chunksize=size)).read_all()
    assert streamed.to_pydict() == masking.apply(POLICY, table(ROWS), KEYS).table.to_pydict()


def test_refused_values_are_counted_from_the_start_of_the_stream():
    policy = "version: 1\ndataset: d\nattributes:\n  day: {role: quasi_identifier, technique: generalization.date, to: year}\n"
    rows = pa.table({"day": ["2020-01-01"] * 5 + [SECRET]})
    plan = compile(load(policy), rows.schema, None)
    with pytest.raises(InvalidValue) as refused:
        run(plan, rows.to_reader(max_chunksize=2)).read_all()
    assert refused.value.first_rows == (5,)
    assert "'day'" in str(refused.value)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_progress_and_cancelling():
    seen = []
    policy = load(limited("{k_anonymity: 2, suppression: 0.5}"))
    apply_stream(
        policy,
        lambda: table(ROWS).to_reader(max_chunksize=2),
        MappingKeys(KEYS),
        lambda r: r.read_all(),
        progress=lambda stage, rows: seen.append((stage, rows)),
    )
    assert seen == [("measure", 4), ("write", 4)]  # small batches are joined
    with pytest.raises(Cancelled):
        apply_stream(
            policy, lambda: table(ROWS).to_reader(), MappingKeys(KEYS), lambda r: r.read_all(), cancelled=lambda: True
        )


def test_rejects_and_nulls_are_reported():
    policy = (
        "version: 1\ndataset: d\nattributes:\n"
        "  card: {role: direct_identifier, technique: cryptographic.ff1, key: k, on_invalid: 'null'}\n"
    )
    masked = masking.apply(policy, pa.table({"card": ["123456789", "x", None]}), KEYS)
    (attribute,) = masked.report.attributes
    assert (attribute.nulls, attribute.rejects) == (2, 1)


def test_aggregate_policy_gives_a_table_of_cells():
    policy = POLICY + "aggregate: {by: [sex], measures: {persons: {count: '*'}}, threshold: 3, rounding: 5}\n"
    rows = [(f"p{i}", 30 + i % 9, "F", "x") for i in range(11)] + [("q", 31, "M", "y")]
    masked = masking.apply(policy, table(rows), KEYS)
    assert masked.table.to_pydict() == {"sex": ["F"], "persons": [10]}
    assert masked.report.kind == "aggregate"
    assert SECRET not in str(masked.table) + masked.report.to_json()


def test_an_aggregate_of_persons_counts_each_once():
    policy = limited("{k_anonymity: 2}", unit="id").split("limits:")[0]
    policy += "aggregate: {by: [sex], measures: {persons: {count: '*'}}, threshold: 3, rounding: 1}\n"
    rows = [("a", 30, "F", "x")] * 9 + [(name, 30, "M", "x") for name in "bcd"]
    assert masking.apply(policy, table(rows), KEYS).table.to_pydict() == {"sex": ["M"], "persons": [3]}


def test_two_tables_under_one_key_join_and_under_another_do_not():
    one = masking.apply(POLICY, table(ROWS), KEYS).table["id"].to_pylist()
    two = masking.apply(POLICY, table(ROWS[::-1]), KEYS).table["id"].to_pylist()
    other = masking.apply(POLICY, table(ROWS), {"k": bytes(range(1, 33))}).table["id"].to_pylist()
    assert set(one) == set(two)
    assert not set(one) & set(other)


def test_a_policy_file_reads_hierarchies_beside_it(tmp_path):
    (tmp_path / "h.csv").write_text("a;A\n")
    path = tmp_path / "p.yaml"
    path.write_text(
        "version: 1\ndataset: d\nattributes:\n"
        "  v: {role: quasi_identifier, technique: generalization.hierarchy, file: h.csv}\n"
    )
    rows = pd.DataFrame({"v": ["a"]})
    assert masking.apply(path, rows).table["v"].tolist() == ["A"]
    with pytest.raises(PolicyError, match="next to a policy"):
        masking.apply(path.read_text(), rows)

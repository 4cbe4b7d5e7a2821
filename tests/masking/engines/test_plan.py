"""A compiled policy: conditions, records that leave, whole columns, parts that stay legible."""

import pickle

import pyarrow as pa
import pytest

from masking.engines.local import compile as compile_plan
from masking.errors import InvalidValue, PolicyError, UnknownAttribute
from masking.keys import ThrowawayKeys
from masking.policy import load

TABLE = pa.RecordBatch.from_pydict(
    {"id": ["a", "b", "c", "d"], "age": [12, 40, None, 90], "note": ["x1", "12", "y", None]}
)


def plan(attributes, beside=""):
    lines = "\n".join(f"  {name}: {{role: insensitive, {rule}}}" for name, rule in attributes.items())
    policy = load(f"version: 1\ndataset: d\n{beside}attributes:\n{lines}\n")
    return compile_plan(policy, TABLE.schema, ThrowawayKeys())


KEEP = {"id": "technique: keep", "age": "technique: keep", "note": "technique: keep"}


def test_each_record_gets_the_technique_its_condition_says():
    rule = (
        "technique: suppression.mask, keep_first: 1, when: {column: age, at_least: 18},"
        " otherwise: {technique: suppression.local, all: true}"
    )
    masked = plan({**KEEP, "note": rule}).mask_batch(TABLE)
    assert masked.column("note").to_pylist() == [None, "1*", None, None], "a null age meets no comparison"


def test_a_value_of_the_other_records_cannot_stop_a_technique_and_its_place_is_right():
    made = plan(
        {
            **KEEP,
            "note": "technique: generalization.ip, when: {column: id, in: [b, c]},"
            " otherwise: {technique: suppression.local, all: true}",
        }
    )
    with pytest.raises(InvalidValue) as refused:
        made.mask_batch(TABLE)
    assert (refused.value.count, refused.value.first_rows) == (2, (1, 2))
    assert "12" not in str(refused.value).replace("[1, 2]", "")


def test_records_leave_before_anything_is_masked():
    made = plan(KEEP, "suppress: [{column: age, at_least: 80}, {column: age, is_null: true}]\n")
    done = made.run(TABLE)
    assert done.masked.column("id").to_pylist() == done.kept.column("id").to_pylist() == ["a", "b"]
    assert (done.records, done.stay.tolist()) == (4, [True, True, False, False])


@pytest.mark.parametrize(
    ("attributes", "beside", "error"),
    [
        ({**KEEP, "note": "technique: keep, when: {column: age, below: 3}"}, "", PolicyError),
        ({**KEEP, "note": "technique: keep, otherwise: {technique: keep}"}, "", PolicyError),
        (
            {**KEEP, "note": "technique: keep, when: {column: aeg, below: 3}, otherwise: {technique: keep}"},
            "",
            UnknownAttribute,
        ),
        (
            {**KEEP, "age": "technique: keep, when: {column: age, below: 3}, otherwise: {technique: suppression.mask}"},
            "",
            PolicyError,
        ),
        (
            {**KEEP, "age": "technique: suppression.drop, when: {column: age, below: 3}, otherwise: {technique: keep}"},
            "",
            PolicyError,
        ),
        (
            {
                **KEEP,
                "age": "technique: randomization.permutation, key: k, when: {column: id, in: [a]},"
                " otherwise: {technique: keep}",
            },
            "record: [id]\n",
            PolicyError,
        ),
        (KEEP, "record: [nobody]\n", UnknownAttribute),
        (KEEP, "suppress: [{column: nobody, is_null: true}]\n", UnknownAttribute),
        (KEEP, "sample: {share: 0.5, key: k}\n", PolicyError),
    ],
    ids=[
        "when alone",
        "otherwise alone",
        "unknown",
        "two types",
        "drop",
        "whole column",
        "record",
        "suppress",
        "sample",
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_record_is_read(attributes, beside, error):
    with pytest.raises(error):
        plan(attributes, beside)


def test_a_whole_column_is_fitted_once_and_the_plan_travels():
    made = plan({**KEEP, "age": "technique: randomization.permutation, key: k"}, "record: [id]\n")
    assert set(made.unfitted) == {"age", "id"}
    with pytest.raises(PolicyError):
        made.mask_batch(TABLE)
    fitted = pickle.loads(pickle.dumps(made.fit(pa.Table.from_batches([TABLE]))))
    whole = fitted.mask_batch(TABLE).column("age").to_pylist()
    parts = [fitted.mask_batch(TABLE.slice(row, 1)).column("age")[0].as_py() for row in (3, 1, 0)]
    assert sorted(whole, key=str) == sorted(TABLE.column("age").to_pylist(), key=str)
    assert parts == [whole[3], whole[1], whole[0]]


def test_text_of_two_widths_is_one_type():
    wide = TABLE.set_column(2, "note", TABLE.column("note").cast(pa.large_string()))
    rule = (
        "technique: suppression.mask, keep_first: 1, when: {column: age, at_least: 18},"
        " otherwise: {technique: suppression.local, all: true}"
    )
    lines = "".join(f"  {name}: {{role: insensitive, {rule_}}}\n" for name, rule_ in {**KEEP, "note": rule}.items())
    made = compile_plan(load(f"version: 1\ndataset: d\nattributes:\n{lines}"), wide.schema, ThrowawayKeys())
    assert made.mask_batch(wide).column("note").to_pylist() == [None, "1*", None, None]

"""PRAM: the transition matrix that is published is the one that was drawn from."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.randomization.pram import transition_matrix
from tests.masking.techniques.randomized import build, chi_square, ids, run

MANY = 60_000
CODES = ["a", "b", "c"]
WEIGHTS = [0.6, 0.3, 0.1]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("true", CODES)
def test_rows_of_the_matrix(weights, true):
    given = {"values": CODES, "keep": 0.7} | ({} if weights is None else {"weights": weights})
    masked = run("pram", pa.array([true] * MANY), **given)
    counts = {each["values"]: each["counts"] for each in pc.value_counts(masked).to_pylist()}
    expected = build("pram", **given).matrix[CODES.index(true)] * MANY
    assert abs(chi_square([counts[code] for code in CODES], expected)) < 4


def test_the_matrix():
    matrix = transition_matrix(0.7, WEIGHTS)
    assert np.allclose(matrix, [[0.88, 0.09, 0.03], [0.18, 0.79, 0.03], [0.18, 0.09, 0.73]])
    assert np.allclose(matrix.sum(axis=1), 1)
    assert np.allclose(np.array(WEIGHTS) @ matrix, WEIGHTS)  # invariant: the published distribution stays
    assert np.allclose(transition_matrix(0, [1, 3]), [[0.25, 0.75]] * 2)


def test_analysts_estimate_the_true_counts():
    true = np.repeat(CODES, [20_000, 9_000, 1_000])
    masked = run("pram", pa.array(true), values=CODES, keep=0.5)
    counts = np.array([pc.sum(pc.equal(masked, code)).as_py() for code in CODES])
    estimated = counts @ np.linalg.inv(transition_matrix(0.5, [1, 1, 1]))
    assert np.abs(estimated - [20_000, 9_000, 1_000]).max() < 700
    assert np.abs(counts - [20_000, 9_000, 1_000]).max() > 3_000  # what is published is far from it


def test_editions_agree_and_another_key_does_not():
    column = pa.array(CODES * 100)
    editions = [run("pram", column, values=CODES, keep=0.2).to_pylist() for _ in range(3)]
    assert editions[0] == editions[1] == editions[2]
    assert run("pram", column, key="other", values=CODES, keep=0.2).to_pylist() != editions[0]
    assert run("pram", column, attribute="other", values=CODES, keep=0.2).to_pylist() != editions[0]


def test_whole_numbers():
    masked = run("pram", pa.array([1, 2, None, 1] * 50, pa.int8()), values=[1, 2], keep=0.5)
    assert masked.type == pa.int64()
    assert set(masked.to_pylist()) == {1, 2, None}
    assert [value is None for value in masked.to_pylist()] == [False, False, True, False] * 50


def test_a_code_of_weight_0_is_never_drawn():
    masked = run("pram", pa.array(["a"] * 5000), values=CODES, keep=0.1, weights=[1, 0, 1])
    assert set(masked.to_pylist()) == {"a", "c"}


@pytest.mark.parametrize("value", ["d", "A", "a ", "", "ａ"])
def test_what_is_no_code_never_passes(value):
    column = pa.array(["a", None, value, "b"])
    with pytest.raises(InvalidValue) as refused:
        run("pram", column, values=CODES, keep=0.99)
    assert (refused.value.count, refused.value.first_rows) == (1, (2,))
    made = build("pram", values=CODES, keep=0.99, on_invalid="null")
    masked, rejects = made.apply_counted(column, {"id": ids(4)})
    assert rejects == 1
    assert masked.to_pylist()[1:3] == [None, None]


def test_types():
    made = build("pram", values=CODES, keep=0.5)
    with pytest.raises(InvalidParameter, match="whole numbers"):
        made.output_type(pa.int64())
    for kind in (pa.float64(), pa.bool_(), pa.date32(), pa.binary()):
        with pytest.raises(UnsupportedColumn):
            made.output_type(kind)
    assert made.output_type(pa.large_string()) == pa.string()


@pytest.mark.parametrize(
    "parameters",
    [
        {"values": CODES},
        {"values": ["a"], "keep": 0.5},
        {"values": [], "keep": 0.5},
        {"values": ["a", "a"], "keep": 0.5},
        {"values": ["1", 1], "keep": 0.5},  # one spelling, two codes
        {"values": [True, False], "keep": 0.5},  # `yes` and `no` without quotes
        {"values": [1.5, 2.5], "keep": 0.5},
        {"values": CODES, "keep": 1},
        {"values": CODES, "keep": -0.1},
        {"values": CODES, "keep": 0.5, "weights": [1, 1]},
        {"values": CODES, "keep": 0.5, "weights": []},
        {"values": CODES, "keep": 0.5, "weights": [1, 1, -1]},
        {"values": CODES, "keep": 0.5, "weights": [0, 0, 0]},
        {"values": CODES, "keep": 0.5, "on_invalid": "keep"},
    ],
)
def test_parameters(parameters):
    with pytest.raises(InvalidParameter, match="'column'"):
        build("pram", **parameters)

"""Noise: its distribution and scale, bounds, types, and that averaging editions gains nothing."""

import decimal
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from tests.masking.techniques.randomized import build, ids, kolmogorov, run

MANY = 100_000
HALVES = np.vectorize(math.erf)
CUMULATIVE = {
    "laplace": lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)) / 2, 1 - np.exp(-np.maximum(x, 0)) / 2),
    "normal": lambda x: (1 + HALVES(x / math.sqrt(2))) / 2,
    "uniform": lambda x: np.clip((x + 1) / 2, 0, 1),
}


@pytest.mark.parametrize("distribution", sorted(CUMULATIVE))
@pytest.mark.parametrize("scale", [0.004, 1, 2500])
def test_distribution_and_scale(distribution, scale):
    noisy = run("noise", pa.array(np.full(MANY, 7.0)), distribution=distribution, scale=scale).to_numpy()
    noise = (noisy - 7.0) / scale
    assert kolmogorov(noise, CUMULATIVE[distribution]) < 1.95 + 0.001 * math.sqrt(MANY)  # rounded to a thousandth
    deviation = {"laplace": math.sqrt(2), "normal": 1, "uniform": 1 / math.sqrt(3)}[distribution]
    assert abs(noise.std() - deviation) < 0.02
    assert abs(noise.mean()) < 5 * deviation / math.sqrt(MANY)


@pytest.mark.parametrize("distribution", sorted(CUMULATIVE))
def test_a_distribution_that_is_not_the_stated_one_is_noticed(distribution):
    noisy = run("noise", pa.array(np.full(MANY, 7.0)), distribution=distribution, scale=1.05).to_numpy()
    assert kolmogorov(noisy - 7.0, CUMULATIVE[distribution]) > 1.95


def test_multiplicative_noise_is_a_share_of_the_value():
    values = np.repeat([10.0, 1e6, -1e9], MANY)
    noisy = run("noise", pa.array(values), distribution="uniform", scale=0.1, multiplicative=True).to_numpy()
    shares = noisy / values - 1
    assert np.abs(shares).max() < 0.1 + 1e-4
    for part in np.split(shares, 3):
        assert kolmogorov(part / 0.1, CUMULATIVE["uniform"]) < 1.95 + 0.001 * math.sqrt(MANY)


def test_last_digits_do_not_tell_the_value():
    """Computed noise has few possible values near each candidate; rounding leaves all candidates the same digits."""
    noisy = run("noise", pa.array(np.full(1000, 1234.56789)), distribution="laplace", scale=10).to_numpy()
    assert (noisy == np.round(noisy, 2)).all()
    shares = run("noise", pa.array(np.full(1000, 1 / 3)), distribution="laplace", scale=0.1, multiplicative=True)
    fraction, _ = np.frexp(shares.to_numpy())
    assert (fraction * 2**14 == np.rint(fraction * 2**14)).all()


def test_a_hundred_editions_of_one_record_tell_no_more_than_one():
    true = np.full(500, 5000)
    column = pa.array(true)
    editions = [
        run("noise", column.slice(start % 7), {"id": ids(500).slice(start % 7)}, distribution="laplace", scale=100)
        for start in range(100)
    ]
    mean = np.mean([edition.to_numpy()[-400:] for edition in editions], axis=0)
    one = editions[0].to_numpy()[-400:]
    assert (mean == one).all()
    # The attack works where noise is drawn anew: with a fresh key for each edition it is averaged away.
    fresh = [run("noise", column, key=str(key), distribution="laplace", scale=100).to_numpy() for key in range(100)]
    error = np.abs(np.mean(fresh, axis=0) - true).mean()
    assert error < 0.2 * np.abs(one - true[:400]).mean()


def test_two_attributes_of_a_record_have_noise_of_their_own():
    column = pa.array(np.zeros(10_000))
    income, wealth = (
        run("noise", column, attribute=name, distribution="normal", scale=1).to_numpy() for name in ("income", "wealth")
    )
    assert abs(np.corrcoef(income, wealth)[0, 1]) < 0.05
    again = run("noise", column, attribute="income", distribution="normal", scale=1).to_numpy()
    assert (again == income).all()


def test_a_record_keeps_its_noise_in_any_order_and_among_any_others():
    whole = run("noise", pa.array(np.zeros(100)), distribution="normal", scale=1)
    order = np.random.default_rng(5).permutation(100)
    shuffled = run("noise", pa.array(np.zeros(100)), {"id": pa.array(order)}, distribution="normal", scale=1)
    assert shuffled.to_pylist() == whole.take(pa.array(order)).to_pylist()
    # Of two intakes that overlap, those in both have the same noise.
    later = run("noise", pa.array(np.zeros(100)), {"id": ids(100, 50)}, distribution="normal", scale=1)
    assert later.to_pylist()[:50] == whole.to_pylist()[50:]


def test_records_that_are_not_told_apart_have_one_noise():
    noisy = run("noise", pa.array([10, 20]), {"id": pa.array(["a", "a"])}, distribution="laplace", scale=50)
    assert noisy[1].as_py() - noisy[0].as_py() == 10


@given(st.lists(st.integers(-(2**61), 2**61) | st.none(), max_size=20), st.floats(0.01, 1e6))
@settings(max_examples=100, deadline=None)
def test_whole_numbers_stay_whole_and_exact(values, scale):
    """Numbers beyond 2^53 get the same noise as small ones: nothing goes through a float."""
    column = pa.array(values, pa.int64())
    noisy = run("noise", column, distribution="uniform", scale=scale)
    zeros = run("noise", pa.array([0] * len(values), pa.int64()), distribution="uniform", scale=scale).to_pylist()
    expected = [None if value is None else value + noise for value, noise in zip(values, zeros, strict=True)]
    assert noisy.to_pylist() == expected
    assert noisy.type == pa.int64()


def test_bounds_are_where_results_end():
    column = pa.array(np.repeat([0, 50, 100], 1000))
    noisy = run("noise", column, distribution="normal", scale=30, lower=0, upper=100).to_numpy()
    assert (noisy.min(), noisy.max()) == (0, 100)
    assert 0.4 < (noisy[:1000] == 0).mean() < 0.6  # the heap at the bound that the docs state
    decimals = run("noise", column.cast(pa.float64()), distribution="normal", scale=30, lower=0.5).to_numpy()
    assert decimals.min() == 0.5


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, None], pa.int8()), pa.int64()),
        (pa.array([1, None], pa.uint64()), pa.int64()),
        (pa.array([1.5, None], pa.float32()), pa.float64()),
        (pa.array([decimal.Decimal("1.50"), None]), pa.float64()),
        (pa.array([None, None]), pa.float64()),
    ],
)
def test_types(column, expected):
    noisy = run("noise", column, distribution="uniform", scale=1)
    assert noisy.type == expected
    assert noisy[1].as_py() is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InvalidValue) as refused:
        run("noise", pa.array([1.0, None, value]), distribution="laplace", scale=1)
    assert (refused.value.count, refused.value.first_rows) == (1, (2,))


@pytest.mark.parametrize("scale", [1e306, 1.7e308])
def test_numbers_that_would_run_over_are_refused(scale):
    column = pa.array([1.7976931348623157e308] * 20)
    with pytest.raises(InvalidValue, match="do not fit"):
        run("noise", column, distribution="laplace", scale=scale)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_whole_numbers_that_would_run_over_are_refused(value):
    column = pa.array([value] * 100)
    with pytest.raises(InvalidValue, match="do not fit"):
        run("noise", column, distribution="laplace", scale=1000)
    with pytest.raises(InvalidValue, match="do not fit"):
        run("noise", column, distribution="uniform", scale=0.9, multiplicative=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {"distribution": "cauchy", "scale": 1},
        {"distribution": "laplace"},
        {"distribution": "laplace", "scale": 0},
        {"distribution": "laplace", "scale": -1},
        {"distribution": "laplace", "scale": float("nan")},
        {"distribution": "laplace", "scale": 1, "lower": 2, "upper": 2},
    ],
)
def test_parameters(parameters):
    with pytest.raises(InvalidParameter, match="'column'"):
        build("noise", **parameters)


def test_whole_columns_need_whole_bounds():
    made = build("noise", distribution="laplace", scale=1, lower=0.5)
    with pytest.raises(InvalidParameter, match="whole"):
        made.output_type(pa.int64())
    with pytest.raises(UnsupportedColumn):
        made.output_type(pa.string())


def test_needs_record_columns():
    with pytest.raises(InvalidParameter, match="record") as refused:
        build("noise", record=(), distribution="laplace", scale=1)
    assert refused.value.parameter == "record"

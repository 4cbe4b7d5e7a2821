"""Population uniqueness: numbers of ARX, hand-computed samples, a slow second way, and samples whose truth is known."""

from __future__ import annotations

import doctest
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter
from masking.measures import frequencies, negative_binomial, pitman, population
from masking.measures.frequencies import Frequencies
from masking.measures.negative_binomial import shifted_negative_binomial, shlosser
from masking.measures.pitman import digamma, pitman_parameters
from masking.measures.population import estimate_uniqueness, population_uniqueness, zayatz

SIZES = st.lists(st.one_of(st.just(1), st.just(2), st.integers(1, 12)), min_size=2, max_size=40)


@pytest.mark.parametrize("module", [frequencies, negative_binomial, pitman, population])
def test_docstrings(module):
    assert doctest.testmod(module).failed == 0


@pytest.fixture(scope="module")
def adult(shared):
    return pl.read_csv(shared / "data/arx/adult/adult.csv", separator=";")


@pytest.mark.parametrize(
    ("fraction", "estimator", "share"),
    [
        # ARX 3.9, TestRiskMetrics.testDecisionRule2: it compares four digits, here are all it prints.
        (0.01, "pitman", 0.1446083531167384),
        (0.1, "pitman", 0.27684993883653597),
        (0.1, "zayatz", 0.3207402393466189),
        (0.2, "zayatz", 0.3577099234829125),
        (1.0, "zayatz", 0.5142895033485844),
        (1.0, "dankar", 0.5142895033485844),
    ],
)
def test_equals_arx_on_adult(adult, fraction, estimator, share):
    found = population_uniqueness(adult, adult.columns, sampling_fraction=fraction, estimator=estimator)
    assert found.share == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("attributes", "fraction", "tolerance"), [(9, 0.1, 0.06), (9, 0.3, 0.03), (5, 0.1, 0.04), (5, 0.4, 0.03)]
)
def test_a_sample_tells_of_the_table_it_came_from(adult, attributes, fraction, tolerance):
    columns = adult.columns[:attributes]
    sizes = adult.group_by(columns).len()["len"]
    truth = float((sizes == 1).sum()) / adult.height
    for seed in (1, 2):
        sample = adult.sample(fraction=fraction, seed=seed)
        found = population_uniqueness(sample, columns, population=adult.height)
        assert found.share == pytest.approx(truth, abs=tolerance), found
        assert abs(found.share - truth) < abs(_sample_uniqueness(sample, columns) - truth), (
            "better than the sample's own"
        )


def _sample_uniqueness(sample, columns):
    sizes = sample.group_by(columns).len()["len"]
    return float((sizes == 1).sum()) / sample.height


def test_zayatz_by_hand():
    # Sizes 1, 1, 2 of N = 8: one of one 4/8; one of two 2 * C(6, 3) / C(8, 4) = 40/70.
    chance = 2 * (1 / 2) / (2 * (1 / 2) + 4 / 7)
    assert estimate_uniqueness([1, 1, 2], population=8, estimator="zayatz").uniques == pytest.approx(2 * chance * 2)


def test_shlosser_by_hand():
    f1, f2, q = 3, 2, 0.25
    first = f1 * q * q + 2 * q * q * (1 - q * q) * f2
    second = f1 * (1 - q) * q + f2 * (1 - q) ** 2 * ((1 + q) ** 2 - 1)
    ratio = (f1 * (1 - q) + f2 * (1 - q) ** 2) / (f1 * q + 2 * q * (1 - q) * f2)
    assert shlosser(Frequencies.of([1, 1, 1, 2, 2]), q) == pytest.approx(5 + 3 * first / second * ratio**2)


@pytest.mark.parametrize("estimator", ["pitman", "zayatz", "snb", "dankar"])
def test_edges(estimator):
    def share(sizes, **given):
        return estimate_uniqueness(sizes, estimator=estimator, **given).share

    assert share([], population=0) == 0
    assert share([], sampling_fraction=0.1) == 0
    assert share([2, 5, 5], sampling_fraction=0.1) == 0  # nobody alone here, nobody alone there
    assert share([1], sampling_fraction=0.1) == pytest.approx(1)  # one person: no model but Zayatz
    assert share([1] * 50, sampling_fraction=0.3) == pytest.approx(1)  # all alone
    assert 0 <= share([1, 5000], population=2_000_000_000) <= 1
    assert 0 <= share([1, *[7] * 3000], sampling_fraction=0.001) <= 1


def test_the_whole_population_is_known():
    for estimator in ("zayatz", "snb", "dankar"):
        found = estimate_uniqueness([1, 1, 1, 2, 2, 4], sampling_fraction=1, estimator=estimator)
        assert found.uniques == pytest.approx(3), estimator


def test_models_alone_say_none_where_nobody_is_alone():
    nobody = Frequencies.of([2, 3])
    assert pitman.pitman(nobody, 50) == shifted_negative_binomial(nobody, 50) == zayatz(nobody, 50) == 0


def test_the_rule_names_the_model_that_answered():
    sizes = [1] * 300 + [2] * 130 + [3] * 70 + [4] * 40 + [5] * 20
    assert estimate_uniqueness(sizes, sampling_fraction=0.1).model == "pitman"
    above = estimate_uniqueness(sizes, sampling_fraction=0.3)
    each = {
        name: estimate_uniqueness(sizes, sampling_fraction=0.3, estimator=name).uniques for name in ("snb", "zayatz")
    }
    assert above.uniques == min(each.values())
    assert each["snb"] != each["zayatz"], "both models answer"
    assert above.model == min(each, key=each.get)
    assert estimate_uniqueness([1] * 9, sampling_fraction=0.1, estimator="pitman").model == "zayatz"
    assert estimate_uniqueness([2], sampling_fraction=0.1).model == "none"


@pytest.mark.parametrize(
    ("sizes", "given", "says"),
    [
        ([1], {}, "either"),
        ([1], {"population": 3, "sampling_fraction": 0.5}, "either"),
        ([1], {"sampling_fraction": 0}, "fraction"),
        ([1], {"sampling_fraction": 1.5}, "fraction"),
        ([1, 1], {"population": 1}, "at least the persons"),
        ([1], {"population": math.nan}, "at least the persons"),
        ([0], {"population": 3}, "whole numbers"),
        ([1.5], {"population": 3}, "whole numbers"),
        ([None, 1.0], {"population": 3}, "whole numbers"),
        ([1], {"population": 3, "estimator": "guess"}, "no estimator"),
    ],
)
def test_wrong_parameters(sizes, given, says):
    with pytest.raises(InvalidParameter, match=says):
        estimate_uniqueness(sizes, **given)


def test_persons_are_counted_not_records():
    table = pl.DataFrame({"age": [1, 1, 2, 3], "person": ["a", "a", "b", "c"]})
    found = population_uniqueness(table, ["age"], population=3, unit="person", estimator="zayatz")
    assert found.uniques == pytest.approx(3)


@settings(deadline=None, max_examples=7)
@given(SIZES)
def test_pitman_is_the_top_of_the_likelihood(sizes):
    assume(len(sizes) < sum(sizes))
    alpha, theta = pitman_parameters(Frequencies.of(sizes))
    best = plain_likelihood(sizes, alpha, theta)
    for other_alpha in (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.95, alpha - 0.01, alpha + 0.01):
        if 0 <= other_alpha < 1:
            for other in (0.01, 0.3, 1.0, 3.0, 10.0, 100.0, theta + other_alpha - 0.01, theta + other_alpha + 0.01):
                if other > 0:
                    assert plain_likelihood(sizes, other_alpha, other - other_alpha) <= best + 1e-7


def plain_likelihood(sizes, alpha, theta):
    return (
        sum(math.log(theta + i * alpha) for i in range(1, len(sizes)))
        - sum(math.log(theta + i) for i in range(1, sum(sizes)))
        + sum(math.log(i - alpha) for size in sizes for i in range(1, size))
    )


@settings(deadline=None, max_examples=7)
@given(SIZES, st.floats(0.02, 1))
def test_zayatz_equals_the_textbook(sizes, fraction):
    size = round(sum(sizes) / fraction)

    def one_of(members):
        return members * math.comb(size - members, sum(sizes) - 1) / math.comb(size, sum(sizes))

    ones = sizes.count(1)
    expected = ones * (ones * one_of(1) / sum(map(one_of, sizes))) * size / sum(sizes) if ones else 0.0
    assert zayatz(Frequencies.of(sizes), size) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=7)
@given(SIZES, st.floats(0.02, 0.98))
def test_snb_solves_its_two_equations(sizes, fraction):
    """An independent way: the chances of one and of two by summing the model's distribution, term by term."""
    found = Frequencies.of(sizes)
    solved = shifted_negative_binomial(found, sum(sizes) / fraction)
    assume(solved and found.of_size(1) and found.of_size(2))
    assert solved is not None
    classes = shlosser(found, fraction)
    shares = (found.of_size(1) / classes, found.of_size(2) / classes)
    pairs = negative_binomial._snb_parameters(*shares, fraction)
    assert any(classes * beta**alpha == pytest.approx(solved) for alpha, beta in pairs)
    for alpha, beta in pairs:
        if alpha * (1 - beta) / beta < 40:  # else the plain sum has no end
            assert plain_shares(alpha, beta, fraction) == pytest.approx(shares, rel=1e-6, abs=1e-9)


def plain_shares(alpha, beta, fraction):
    chance, one, two = beta**alpha, 0.0, 0.0
    for further in range(4_000):
        size = 1 + further
        one += chance * size * fraction * (1 - fraction) ** (size - 1)
        two += chance * size * (size - 1) / 2 * fraction**2 * (1 - fraction) ** (size - 2) if size > 1 else 0.0
        chance *= (alpha + further) / (1 + further) * (1 - beta)
    return one, two


@settings(deadline=None, max_examples=7)
@given(SIZES, st.floats(0.01, 1), st.randoms(use_true_random=False))
def test_estimates_are_shares_and_order_means_nothing(sizes, fraction, random):
    mixed = list(sizes)
    random.shuffle(mixed)
    for estimator in ("pitman", "zayatz", "snb", "dankar"):
        found = estimate_uniqueness(sizes, sampling_fraction=fraction, estimator=estimator)
        assert 0 <= found.share <= 1
        assert found == estimate_uniqueness(np.array(mixed), sampling_fraction=fraction, estimator=estimator)


def test_digamma():
    euler = 0.5772156649015329
    assert digamma(np.array([1.0, 2.0, 0.5])) == pytest.approx([-euler, 1 - euler, -euler - 2 * math.log(2)], abs=1e-14)
    given = np.array([0.01, 0.7, 3.3, 41.0, 1e6])
    assert digamma(given + 1) - digamma(given) == pytest.approx(1 / given, rel=1e-9)

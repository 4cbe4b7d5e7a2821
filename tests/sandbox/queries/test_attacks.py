"""Every attack gains at most five points over guessing, its interval included; without the guard it succeeds."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from sandbox.queries.design import ADVANTAGE, MU
from tests.sandbox.queries.attacks import ATTACKS, design, differencing

SUCCESS = 0.95


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_gains_at_most_five_points(name, capsys):
    rate = ATTACKS[name](guarded=True)
    with capsys.disabled():
        print(f"\n  {name:<32} {rate}", end="")
    assert rate.right + rate.half_width <= rate.base + ADVANTAGE, str(rate)


@pytest.mark.parametrize("name", ATTACKS)
def test_without_the_guard_the_attack_succeeds(name):
    rate = ATTACKS[name](guarded=False)
    assert rate.right - rate.half_width >= SUCCESS, str(rate)


@pytest.mark.parametrize("chance", [0.5, 0.7, 0.95])
@pytest.mark.parametrize("measures", [0, 1, 4])
def test_no_prior_and_no_measures_help_the_strongest_attacker(chance, measures):
    rate = differencing(guarded=True, chance=chance, measures=measures)
    assert rate.right - rate.half_width <= rate.base + ADVANTAGE
    assert rate.right <= rate.base + ADVANTAGE, str(rate)


def test_all_cubes_of_a_population_together_stay_below_the_bound():
    squares = sum(design(number=number).mu ** 2 for number in range(1, 40))
    gain = NormalDist().cdf(math.sqrt(squares) / 2) - 0.5
    assert squares <= MU**2
    assert gain <= ADVANTAGE


def test_the_attack_reaches_what_theory_says():
    """The strongest attack is not weak by mistake: it gains what the noise is said to leave."""
    rate = differencing(guarded=True)
    expected = NormalDist().cdf(design(1).mu / 2)
    assert abs(rate.right - expected) <= 2 * rate.half_width, (str(rate), expected)

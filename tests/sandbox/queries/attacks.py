"""Attacks on fixed tables, many trials at once, each with an engine that is not guarded and falls to it.

The attacker knows everything about everybody but one fact of one person, and sees the whole noisy base: that is more
than any set of answers holds, for every answer is computed from it. Noise is the product's own (`cell_noise`,
`Design`). A rate is the share of trials in which the fact was guessed right; the base rate is what guessing without
any data gives.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sandbox.queries.design import Design
from sandbox.queries.noise import cell_noise
from tests.sandbox.queries.cubes import counted, persons_table, registered

Floats = npt.NDArray[np.float64]
TRIALS = 100_000
SHAPE = (2, 2, 2, 2)
"""Four dimensions: a base cell is in no table that can be asked for. The last dimension is the secret fact."""
THRESHOLD = 10


@dataclass(frozen=True)
class Rate:
    """How often an attack was right, beside guessing."""

    right: float
    base: float
    trials: int

    @classmethod
    def of(cls, right: npt.NDArray[np.bool_], base: float) -> Rate:
        return cls(float(right.mean()), base, right.size)

    @property
    def half_width(self) -> float:
        """Of the 95 % interval (normal approximation)."""
        return 1.96 * math.sqrt(max(self.right * (1 - self.right), 0.25 / self.trials) / self.trials)

    def __str__(self) -> str:
        return f"{self.right:.4f} ± {self.half_width:.4f} (base {self.base:.4f}, n = {self.trials})"


def design(measures: int = 0, number: int = 1) -> Design:
    """The product's noise for a registration with so many measures."""
    text = ", ".join(f"m{place}: {{lower: 0, upper: 1000}}" for place in range(measures))
    attributes = "".join(f"  m{place}: {{role: sensitive}}\n" for place in range(measures))
    return Design.of(
        registered(
            "version: 1\ndataset: d\nattributes:\n  a: {role: quasi_identifier, technique: keep, codes: [x, y]}\n"
            f"{attributes}sandbox:\n  tables:\n    dimensions: {{a: {{}}}}\n    measures: {{{text}}}\n"
        ),
        number,
    )


def drawn(shape: tuple[int, ...], deviation: float) -> Floats:
    """Independent cells of the product's noise."""
    return cell_noise(secrets.token_bytes(16), math.prod(shape), deviation).reshape(shape).astype(np.float64)


def bits(chance: float = 0.5, trials: int = TRIALS) -> npt.NDArray[np.bool_]:
    """The secret facts."""
    return np.random.default_rng(7).random(trials) < chance


def likelier(statistic: Floats, distance: float, chance: float) -> npt.NDArray[np.bool_]:
    """The best guess from a normal statistic of mean ±distance / 2 and variance ``distance``."""
    return statistic > -math.log(chance / (1 - chance))


# Differencing: everybody else's figures are subtracted, one person is left.


def differencing(*, guarded: bool, chance: float = 0.5, measures: int = 1) -> Rate:
    """Is the person in this base cell or in its sibling? The count and all sums are used, at the bounds' worst."""
    fact, noise = bits(chance), design(measures)
    figures = 1 + measures  # each in multiples of its largest contribution
    seen = np.where(fact, 1.0, 0.0)[:, None, None] * np.array([1.0, -1.0]) + np.array([0.0, 1.0])
    seen = np.repeat(seen, figures, axis=1)
    if guarded:
        seen = seen + drawn(seen.shape, noise.deviation * 1000) / 1000
    statistic = ((seen[:, :, 0] - seen[:, :, 1]) / noise.deviation**2).sum(axis=1)
    guess = likelier(statistic, 0.0, chance) if guarded else statistic > 0
    return Rate.of(guess == fact, max(chance, 1 - chance))


# Queries that pad, add and subtract: all of them read the same base.


def _bases(fact: npt.NDArray[np.bool_], known: int = 30) -> Floats:
    """True cubes: everybody else as known, and the person in cell (0, 0, 0, fact)."""
    base = np.full((len(fact), *SHAPE), float(known))
    base[np.arange(len(fact)), 0, 0, 0, fact.astype(np.int64)] += 1
    return base


def _tables(base: Floats) -> dict[tuple[int, ...], Floats]:
    """Every askable table of each trial."""
    axes = range(len(SHAPE))
    return {
        table: base.sum(axis=tuple(1 + axis for axis in axes if axis not in table))
        for size in range(4)
        for table in combinations(axes, size)
    }


def _seen(fact: npt.NDArray[np.bool_], mode: str) -> dict[tuple[int, ...], Floats]:
    """What answers hold: ``guarded``, or ``exact``."""
    base = _bases(fact)
    return _tables(base + drawn(base.shape, design().deviation) if mode == "guarded" else base)


def _less_known(seen: dict[tuple[int, ...], Floats]) -> dict[tuple[int, ...], Floats]:
    """What is left of each figure when everybody else is subtracted."""
    known = _tables(np.full((1, *SHAPE), 30.0))
    return {table: each - known[table] for table, each in seen.items()}


def tracker(*, guarded: bool) -> Rate:
    """The person's own group is never asked for: it is all minus the complement, by inclusion and exclusion."""
    fact = bits(trials=TRIALS // 4)
    rest = _less_known(_seen(fact, "guarded" if guarded else "exact"))

    def alone(last: int) -> Floats:
        whole = rest[3,][:, last]
        without = rest[0, 1, 3][:, 1, :, last].sum(axis=1) + rest[0, 1, 3][:, 0, 1, last]
        return whole - without

    return Rate.of((alone(1) > alone(0)) == fact, 0.5)


def padded_averaging(*, guarded: bool) -> Rate:
    """Everybody with the fact minus everybody without, from each table that has the secret dimension, averaged."""
    fact = bits(trials=TRIALS // 4)
    if not guarded:  # an engine with fresh noise may be asked again and again
        asked = np.where(fact, 1.0, -1.0)[:, None] + drawn((len(fact), 10), design().deviation / math.sqrt(400))
        return Rate.of((asked.mean(axis=1) > 0) == fact, 0.5)
    rest = _less_known(_seen(fact, "guarded"))
    with_fact = [table for table in rest if 3 in table]
    estimates = []
    for table in with_fact:
        moved = np.moveaxis(rest[table], 1 + table.index(3), -1)
        own = moved[(slice(None), *([0] * (moved.ndim - 2)))]  # the person's own line of the table
        others = moved.reshape(len(fact), -1, 2).sum(axis=1)
        estimates += [own[:, 1] - own[:, 0], others[:, 1] - others[:, 0]]
    weights = [1.0 / 2 ** (4 - len(table)) for table in with_fact for _ in (0, 1)]
    return Rate.of((np.average(estimates, axis=0, weights=weights) > 0) == fact, 0.5)


def least_squares(*, guarded: bool) -> Rate:
    """All figures of all tables at once, by generalized least squares for the person's own contribution."""
    fact = bits(trials=TRIALS // 4)
    rest = _less_known(_seen(fact, "guarded" if guarded else "exact"))
    order = list(rest)
    pattern = {table: _tables(_difference())[table][0] for table in order}
    if not guarded:  # fresh noise: every table is asked 400 times
        spread = design().deviation / math.sqrt(400)
        rest = {table: rest[table] + drawn(rest[table].shape, spread) for table in order}
    stacked = np.concatenate([rest[table].reshape(len(fact), -1) for table in order], axis=1)
    direction = np.concatenate([pattern[table].reshape(-1) for table in order])
    covariance = _covariance(order) if guarded else np.eye(len(direction))
    weights = np.linalg.pinv(covariance, rcond=1e-9) @ direction
    middle = np.concatenate([_tables(np.abs(_difference()) / 2)[table][0].reshape(-1) for table in order])
    return Rate.of(((stacked - middle) @ weights > 0) == fact, 0.5)


def _difference() -> Floats:
    """What changes in the base when the fact is true and not false."""
    base = np.zeros((1, *SHAPE))
    base[0, 0, 0, 0, 1], base[0, 0, 0, 0, 0] = 1.0, -1.0
    return base


def _covariance(order: list[tuple[int, ...]]) -> Floats:
    """Of all figures, for one unit of noise in each base cell."""
    unit = np.eye(math.prod(SHAPE)).reshape(-1, *SHAPE)
    rows = np.concatenate([_tables(unit)[table].reshape(len(unit), -1) for table in order], axis=1)
    return rows.T @ rows


# Reconstruction of many persons together.


def reconstruction(*, guarded: bool, persons: int = 64, chance: float = 0.3) -> Rate:
    """64 persons with a secret bit each, everything else known: all bits at once, from all figures and the prior."""
    rng = np.random.default_rng(3)
    right = []
    for _ in range(100):
        fact = rng.random(persons) < chance
        if guarded:
            system, answers, variance = _figures_of_groups(fact, rng.integers(0, 4, (persons, 3)))
        else:  # free predicates: 320 random subsets, exactly
            system = (rng.random((320, persons)) < 0.5).astype(np.float64)
            answers, variance = system @ fact, np.full(320, 0.01)
        weighed = system.T / variance
        precision = weighed @ system + np.eye(persons) / (chance * (1 - chance))
        found = chance + np.linalg.solve(precision, weighed @ (answers - system @ np.full(persons, chance)))
        right.append((found > 0.5) == fact)
    return Rate.of(np.array(right), 1 - chance)


def _figures_of_groups(fact: npt.NDArray[np.bool_], place: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Persons with the bit in every cell of every table that has the secret dimension: system, figures, variances."""
    shape, noise = (4, 4, 4, 2), design().deviation
    base = np.zeros(shape)
    np.add.at(base, (*place.T, fact.astype(np.int64)), 1)
    seen = base + drawn(shape, noise)
    rows, values, variances = [], [], []
    for table in ((0, 1), (0, 2), (1, 2), (0,), (1,), (2,), ()):
        figures = seen[..., 1].sum(axis=tuple(axis for axis in range(3) if axis not in table)).reshape(-1)
        keys = np.zeros(len(fact), dtype=np.int64)
        for axis in table:
            keys = keys * 4 + place[:, axis]
        rows.append((keys[None, :] == np.arange(len(figures))[:, None]).astype(np.float64))
        values.append(figures)
        variances.append(np.full(len(figures), noise**2 * 4 ** (3 - len(table))))
    return np.concatenate(rows), np.concatenate(values), np.concatenate(variances)


# Single cells: one person alone, nobody, everybody, the largest.


def singling_out(*, guarded: bool) -> Rate:
    """Name a combination that exactly one person has: the one whose figure looks most like it among 24."""
    rng = np.random.default_rng(4)
    true = rng.poisson(1.0, (TRIALS // 10, 24))
    seen = true + drawn(true.shape, design().deviation) if guarded else true.astype(np.float64)
    named = np.abs(seen - 1).argmin(axis=1)
    return Rate.of(true[np.arange(len(true)), named] == 1, math.exp(-1))


def dominance(*, guarded: bool) -> Rate:
    """One firm holds nearly all of a sum: is its value at the upper bound or at the lower? Everybody else is known."""
    fact = bits()
    half = 500.0
    seen = np.where(fact, half, -half)
    if guarded:
        seen = seen + drawn(seen.shape, design(1).deviation * half)
    return Rate.of((seen > 0) == fact, 0.5)


def repeated_rows(*, guarded: bool) -> Rate:
    """The person has 500 records; is it kind b or kind c? Counted for real, with or without `unit:`."""
    yaml = REPEATED if guarded else REPEATED.replace("unit: patient\n", "")
    registration = registered(yaml)
    cubes = []
    for kind in ("b", "c"):
        table = persons_table(300)
        own = table.slice(0, 1).to_pylist()[0] | {"kind": kind}
        repeated = [own] * 500
        whole = pa.concat_tables([table.slice(1), pa.Table.from_pylist(repeated, schema=table.schema)])
        cubes.append(counted(registration, whole).persons.astype(np.float64))
    fact = bits()
    seen = np.where(fact[:, None], cubes[1], cubes[0]) + drawn(
        (len(fact), len(cubes[0])), Design.of(registration, 1).deviation
    )
    statistic = (seen - (cubes[0] + cubes[1]) / 2) @ (cubes[1] - cubes[0])
    return Rate.of((statistic > 0) == fact, 0.5)


REPEATED = """\
version: 1
dataset: visits
unit: patient
attributes:
  patient: {role: direct_identifier, technique: suppression.drop}
  sex: {role: quasi_identifier, technique: keep}
  age: {role: quasi_identifier, technique: keep}
  kind: {role: sensitive, codes: [b, c]}
  cost: {role: sensitive}
sandbox: {tables: {dimensions: {kind: {}}}}
"""


def zero_and_all(*, guarded: bool) -> Rate:
    """Everybody else of the group has the fact's opposite: is its cell of 0 others still 0, the other one all?"""
    fact = bits()
    true = np.stack([np.where(fact, 1.0, 0.0), np.where(fact, 40.0, 41.0)], axis=1)
    noise = drawn(true.shape, design().deviation)
    if guarded:
        seen = true + noise
    else:  # zeros stay zeros, as in many a method
        seen = true + np.where(true == 0, 0.0, noise)
        return Rate.of((seen[:, 0] != 0) == fact, 0.5)
    return Rate.of((seen[:, 0] - seen[:, 1] > -40.0) == fact, 0.5)


def parent_minus_children(*, guarded: bool) -> Rate:
    """A hidden child is its parent minus its siblings; the best guess at how many persons it has, exactly."""
    rng = np.random.default_rng(5)
    mean = 2.0
    true = np.concatenate([rng.poisson(mean, (TRIALS // 4, 1)), rng.integers(20, 90, (TRIALS // 4, 3))], axis=1)
    seen = true + drawn(true.shape, design().deviation) if guarded else true.astype(np.float64)
    child = seen.sum(axis=1) - seen[:, 1:].sum(axis=1)
    counts = np.arange(30)
    prior = np.exp(-mean) * mean**counts / np.array([math.factorial(int(each)) for each in counts], dtype=np.float64)
    spread = design().deviation if guarded else 0.1
    posterior = np.log(prior) - (child[:, None] - counts) ** 2 / (2 * spread**2)
    return Rate.of(posterior.argmax(axis=1) == true[:, 0], float(prior.max()))


def refusal_oracle(*, guarded: bool) -> Rate:
    """Nine others are in the cell: is it shown, or is it hidden? Of both cells that the person may be in."""
    fact = bits()
    true = np.stack([np.where(fact, 1.0, 0.0), np.where(fact, 0.0, 1.0)], axis=1) + THRESHOLD - 1
    seen = true + drawn(true.shape, design().deviation) if guarded else true
    shown = seen >= THRESHOLD
    guess = np.where(shown[:, 0] == shown[:, 1], np.arange(len(fact)) % 2 == 0, shown[:, 0])
    return Rate.of(guess == fact, 0.5)


# Two intakes of one population.


def two_intakes(*, guarded: bool) -> Rate:
    """The person has the same fact in both years: both cubes together, each weighed by its noise."""
    fact = bits(trials=4 * TRIALS)
    statistic = np.zeros(len(fact))
    for number in (1, 2):
        deviation = design(number=number).deviation if guarded else 0.3
        seen = (
            np.where(fact, 1.0, -1.0)[:, None] * np.array([0.5, -0.5]) + drawn((len(fact), 2), deviation * 1000) / 1000
        )
        statistic += (seen[:, 0] - seen[:, 1]) / deviation**2
    return Rate.of((statistic > 0) == fact, 0.5)


def newcomer(*, guarded: bool) -> Rate:
    """The person is new in the second intake, all others are as before; without the guard the noise keeps its key."""
    fact = bits()
    first = drawn((len(fact), 2), design().deviation)
    second = drawn((len(fact), 2), design(number=2).deviation) if guarded else first
    new = np.where(fact, 1.0, 0.0)[:, None] * np.array([1.0, -1.0]) + np.array([0.0, 1.0])
    change = new + second - first if guarded else (first + new) - first
    if guarded:  # what is old is known: the second cube alone says most
        change = new + second
    return Rate.of((change[:, 0] > change[:, 1]) == fact, 0.5)


ATTACKS: dict[str, Callable[..., Rate]] = {
    "differencing": differencing,
    "tracker": tracker,
    "padded averaging": padded_averaging,
    "least squares over all tables": least_squares,
    "linear reconstruction": reconstruction,
    "singling out": singling_out,
    "dominance": dominance,
    "repeated rows": repeated_rows,
    "zero and 100 % cells": zero_and_all,
    "parent minus children": parent_minus_children,
    "refusal oracle": refusal_oracle,
    "two intakes": two_intakes,
    "newcomer between two intakes": newcomer,
}

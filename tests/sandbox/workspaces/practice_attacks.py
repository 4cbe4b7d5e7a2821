"""Who was in the raw table? Attacks on practice data by somebody who knows a person's whole record and the maker.

An attack gives each practice table a score for its target; the threshold and the direction are learnt on half of the
trials and judged on the other half, so that an attack cannot win by hindsight. The target is in the raw
table in exactly half of the trials of each half, so half of all guesses are right by luck.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.measures.binomial import upper_bound
from masking.policy.load import load
from sandbox.workspaces.practice import Marginal, make_practice

CODES: Final = {
    "sex": ["男", "女"],
    "area": ["甲", "乙", "丙", "丁"],
    "band": ["a", "b", "c", "d", "e"],
}
POLICY: Final = load(
    "version: 1\ndataset: d\ntitle: {zh: 表, en: table}\nunit: id\nattributes:\n"
    "  id: {role: direct_identifier, technique: suppression.drop}\n"
    + "".join(
        f"  {name}: {{role: quasi_identifier, technique: keep, codes: {codes}}}\n" for name, codes in CODES.items()
    )
    + "  cost: {role: sensitive, practice: {minimum: 0, maximum: 1000}}\n"
    "sandbox: {practice_rows: 200}\n"
)
RAW_ROWS: Final = 20
Maker = Callable[[pl.DataFrame, str], pl.DataFrame]
"""From a raw table and the seed of a trial to a practice table."""
Columns = Mapping[str, npt.NDArray[Any]]
Record = Mapping[str, Any]
Score = Callable[[Columns, Record], float]
"""From the columns of a practice table and the target's record to a number that may tell whether the target was there."""


@dataclass(frozen=True)
class Outcome:
    """How often an attack was right, of ``trials``; the base rate is one half."""

    attack: str
    right: int
    trials: int

    @property
    def rate(self) -> float:
        return self.right / self.trials

    def __str__(self) -> str:
        high = upper_bound(self.right, self.trials, 0.975)
        low = 1 - upper_bound(self.trials - self.right, self.trials, 0.975)
        return f"{self.attack}: {self.rate:.1%} right, n = {self.trials}, 95 % interval {low:.1%} to {high:.1%}"


def product(raw: pl.DataFrame, seed: str) -> pl.DataFrame:
    """What the service does: the raw table gives names and types of its columns, as its intake keeps them."""
    return pl.DataFrame(make_practice(POLICY, kept_schema(tuple(raw.schema.items())), seed=seed))


def resampling(raw: pl.DataFrame, seed: str) -> pl.DataFrame:
    """A bad maker: every value is drawn from the raw column, column by column."""
    random = _random(seed)
    made = product(raw, seed)
    return pl.DataFrame({name: raw[name].gather(random.integers(0, raw.height, made.height)) for name in raw.columns})


def resampling_rows(raw: pl.DataFrame, seed: str) -> pl.DataFrame:
    """A bad maker: raw rows, with identifiers and costs made anew."""
    made = product(raw, seed)
    rows = raw[_random(seed).integers(0, raw.height, made.height).tolist()]
    return rows.with_columns(made["id"], made["cost"])


def rejecting(raw: pl.DataFrame, seed: str) -> pl.DataFrame:
    """A bad maker: the product's rows without those whose attributes equal a raw row's."""
    return product(raw, seed).join(raw.select(list(CODES)), on=list(CODES), how="anti")


def following(raw: pl.DataFrame, seed: str) -> pl.DataFrame:
    """A bad maker: shares of the raw table itself, never published, decide how often a value is drawn."""
    counted = {name: dict(raw[name].value_counts().iter_rows()) for name in CODES}
    shares = {
        name: Marginal({v: counts.get(v, 0) / raw.height for v in CODES[name]}) for name, counts in counted.items()
    }
    return pl.DataFrame(make_practice(POLICY, kept_schema(tuple(raw.schema.items())), seed=seed, marginals=shares))


@functools.cache
def kept_schema(columns: tuple[tuple[str, pl.DataType], ...]) -> list[tuple[str, str]]:
    """Names and types as an intake keeps them."""
    return [(field.name, str(field.type)) for field in pl.DataFrame(schema=dict(columns)).to_arrow().schema]


def exact_values(practice: Columns, target: Record) -> float:
    """How many cells of the columns with (nearly) unique values equal the target's."""
    return float(sum(np.count_nonzero(practice[name] == target[name]) for name in ("id", "cost")))


def exact_rows(practice: Columns, target: Record) -> float:
    """How many rows have all of the target's attributes."""
    return float(np.count_nonzero(_alike(practice, target) == len(CODES)))


def nearest(practice: Columns, target: Record) -> float:
    """Distance to the nearest practice row: attributes that differ, and the difference of costs."""
    apart = np.abs(practice["cost"] - target["cost"]) / 1000
    return float(np.min(len(CODES) - _alike(practice, target) + apart, initial=10.0))


def hole(practice: Columns, target: Record) -> float:
    """1 if no row has the target's attributes although many are expected: somebody was taken out."""
    return float(exact_rows(practice, target) == 0)


def likelihood(practice: Columns, target: Record) -> float:
    """Log likelihood of the target under the practice table's marginal shares."""
    counts = np.array([np.count_nonzero(practice[name] == target[name]) for name in CODES], dtype=float)
    return float(np.log(np.maximum(counts, 1e-9)).sum())


ATTACKS: Final[Mapping[str, Score]] = {
    "exact values": exact_values,
    "exact rows": exact_rows,
    "nearest neighbour": nearest,
    "hole": hole,
    "marginal likelihood": likelihood,
}


def attacked(maker: Maker, trials: int, *, seed: str = "") -> list[Outcome]:
    """Every attack on ``trials`` practice tables, judged on the second half of them."""
    scores = {name: np.empty(trials) for name in ATTACKS}
    halves = [np.arange(trials // 2) % 2 == 0, np.arange(trials - trials // 2) % 2 == 0]
    member = np.concatenate([_random(f"member {seed}{half}").permutation(each) for half, each in enumerate(halves)])
    for trial in range(trials):
        raw, target = world(f"{seed}{trial}", member=bool(member[trial]))
        practice = maker(raw, f"{seed}{trial}")
        columns, record = {each.name: each.to_numpy() for each in practice}, target.row(0, named=True)
        for name, attack in ATTACKS.items():
            scores[name][trial] = attack(columns, record)
    return [judged(name, each, member) for name, each in scores.items()]


def world(seed: str, *, member: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A raw table and a target's record with canary values, which is in the table or not."""
    random = _random(f"world {seed}")
    everyone = pl.DataFrame(
        {"id": [f"person-{number:06d}" for number in random.choice(10**6, RAW_ROWS + 1, replace=False)]}
        | {name: random.choice(codes, RAW_ROWS + 1) for name, codes in CODES.items()}
        | {"cost": random.uniform(0, 1000, RAW_ROWS + 1).round(2)}
    )
    target, others = everyone[:1], everyone[1:]
    raw = pl.concat([target, others[:-1]]) if member else others
    return raw.sample(fraction=1, shuffle=True, seed=int(random.integers(0, 2**31))), target


def judged(attack: str, scores: npt.NDArray[np.float64], member: npt.NDArray[np.bool_]) -> Outcome:
    """The best threshold and direction of the first half, on the second."""
    half = len(scores) // 2
    learnt, told = scores[:half], member[:half]
    best = max(
        ((float(((learnt >= edge) == told).mean()), edge, True) for edge in np.unique(learnt)),
        key=lambda each: max(each[0], 1 - each[0]),
    )
    guesses = scores[half:] >= best[1]
    guesses = guesses if best[0] >= 0.5 else ~guesses
    return Outcome(attack, int((guesses == member[half:]).sum()), len(scores) - half)


def _alike(practice: Columns, target: Record) -> npt.NDArray[np.int64]:
    return np.sum([practice[name] == target[name] for name in CODES], axis=0, dtype=np.int64)


def _random(seed: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))

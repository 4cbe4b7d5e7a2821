"""The search that a caller asked for, held to the limits of classes and to those of the whole table.

A limit of the whole table (average risk, uniqueness in the population) is met by asking for larger classes until it
is: every search makes both fall as its least class grows, and the smallest class size that does is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np

from masking.errors import InvalidParameter, LimitsNotMet
from masking.limits import Limits, PopulationUniqueness
from masking.measures.population import estimate_uniqueness
from masking.recoding.global_recoding import search_global
from masking.recoding.items import Ints, Items
from masking.recoding.judge import Judge
from masking.recoding.local_recoding import search_local
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes

Search = Callable[[Items, Limits, Wishes, Watch], Recoding]
Kind = Literal["local", "global"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_SEARCHES: Final[Mapping[Kind, Search]] = {"local": search_local, "global": search_global}
_GROWTH: Final = 1.5


def find(items: Items, limits: Limits, wishes: Wishes, watch: Watch, *, kind: Kind = "local") -> Recoding:
    """The least lossy recoding of this kind that the search finds.

    Raises:
        InvalidParameter: limits that need what is not there, or that this kind of recoding cannot hold.
        LimitsNotMet: no recoding meets the limits with the suppression that the wishes allow.
        Cancelled: ``watch`` said so.
    """
    if kind not in KINDS:
        raise InvalidParameter(f"recoding is one of {list(KINDS)}", parameter="recoding")
    if limits.needs_sensitive and not items.sensitive:
        raise InvalidParameter(f"{limits.needs_sensitive[0]} needs a sensitive attribute", parameter="sensitive")
    if limits.needs_population and kind == "local":
        raise InvalidParameter(
            f"{limits.needs_population[0]} is held by global recoding only (recoding: global)", parameter="recoding"
        )
    if not limits.of_the_table or not items.records:
        return _SEARCHES[kind](items, limits, wishes, watch)
    return _of_the_table(items, limits, wishes, watch, kind)


def table_meets(persons: Ints, average: float, limits: Limits) -> bool:
    """True if a table meets its limits as a whole; an empty one does.

    ``persons`` of each class; ``average``: the mean risk of a person, whose risk is that of their smallest class.
    """
    total = int(persons.sum())
    if not total:
        return True
    if limits.average_risk is not None and average > limits.average_risk * (1 + 1e-12):
        return False
    wanted = limits.population_uniqueness
    if wanted is None:
        return True
    return uniqueness_of(persons, wanted) <= wanted.share


def sizes_and_average(recoding: Recoding, judge: Judge) -> tuple[Ints, float]:
    """Persons of each released class, and the mean risk of a person: 1 over the size of their smallest class."""
    ids, count = recoding.classes()
    pairs = recoding.items.pairs
    persons = judge.persons(ids, count, recoding.item, recoding.count if pairs is None else None)
    held = persons[persons > 0]
    if pairs is None:
        return held, len(held) / max(1, int(held.sum()))
    of_item = np.full(len(recoding.items), -1, dtype=np.int64)
    of_item[recoding.item] = ids
    item, person = pairs
    there = of_item[item] >= 0
    smallest = np.full(int(person.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, person[there], persons[of_item[item[there]]])
    seen = smallest[smallest < np.iinfo(np.int64).max]
    return held, float(np.mean(1 / seen)) if len(seen) else 0.0


def uniqueness_of(persons: Ints, wanted: PopulationUniqueness) -> float:
    """Estimated share of the population that is alone in it, from class sizes."""
    population = max(wanted.population, int(persons.sum()))
    return estimate_uniqueness(persons, population=population, estimator=wanted.estimator).share


def _of_the_table(items: Items, limits: Limits, wishes: Wishes, watch: Watch, kind: Kind) -> Recoding:
    judge = Judge(items, replace(limits, k_anonymity=1))
    everyone = int(judge.persons(np.zeros(len(items), dtype=np.int64), 1)[0])

    def tried(k: int) -> Recoding | None:
        found = _SEARCHES[kind](items, replace(limits, k_anonymity=k), wishes, watch)
        persons, average = sizes_and_average(found, judge)
        return found if table_meets(persons, average, limits) else None

    low, size = limits.least_class - 1, limits.least_class
    best = tried(size)
    while best is None and size < everyone:
        low, size = size, min(everyone, max(size + 1, int(size * _GROWTH)))
        best = tried(size)
    if best is None:
        raise LimitsNotMet(
            "no recoding of this table meets its limits as a whole (average_risk, population_uniqueness)",
            limits=_numbers(limits),
            measured={"records": float(items.records)},
        )
    while size - low > 1 and not watch.must_stop():
        middle = (low + size) // 2
        found = tried(middle)
        if found is None:
            low = middle
        else:
            best, size = found, middle
    return best


def _numbers(limits: Limits) -> dict[str, float]:
    return {name: float(value) for name, value in limits.to_dict().items() if isinstance(value, int | float)}

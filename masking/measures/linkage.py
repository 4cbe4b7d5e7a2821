"""Record-linkage drill: an attacker who holds the raw quasi-identifiers looks for each person in the edition.

The attacker has the table of all raw quasi-identifiers with names on it, knows the hierarchies and how the edition was
made, and for each raw record finds the edition's records that it may have become. Sources: Winkler, 2004 and Domingo-
Ferrer and Torra, 2003 (linkage as the measure of what is disclosed); Gionis, Mazza and Tassa, 2008 (a class that just
so many persons fit holds these); Clopper and Pearson, 1934 (what a count of successes says).

Three attacks, each at least as strong as the one before:

* ``containment``: the record may be any whose values cover its own;
* ``matching``: also, everybody has one place. A class that only its number of persons fit holds just these, and they
  are nowhere else; where every raw record was released, a record that fits one class only fills a place there;
* ``algorithm``: the edition was made from quasi-identifiers alone by a deterministic algorithm, so that the attacker
  runs it again and knows the class of every record. Nothing but chance divides the records of a class.

A record is a person unless ``unit`` tells persons apart: then each record of a person is attacked, success is to name
the person, and a class counts its persons once. A person of several classes counts in each, so that containment and
matching see more candidates than there are; ``algorithm`` is exact. Nulls are values. Pure; draws come from ``seed``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masking.errors import DataError, InvalidParameter
from masking.measures.beliefs import Attack, Inference, beliefs
from masking.measures.binomial import upper_bound
from masking.measures.classes import as_frame
from masking.measures.coding import Codes, coded, columns_of
from masking.measures.compatibility import Column, compatibility, edition_classes, read_columns

Integers = npt.NDArray[np.int64]
MAX_SUBSETS: Final = 1000


@dataclass(frozen=True, slots=True)
class Attacker:
    """What the attacker knows and does.

    ``attributes``: how many quasi-identifiers at a time (None: all); every choice of so many is tried.
    ``error_rate`` in [0, 1): each raw value that the attacker holds is, so often, one drawn from its column.
    ``targets``: how many raw records are attacked, drawn (None: all).
    """

    attack: Attack = "containment"
    attributes: int | None = None
    error_rate: float = 0.0
    targets: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LinkageResult:
    """``attacked`` raw records against ``released`` ones; probabilities in [0, 1].

    ``expected`` is the mean probability of picking the true record, ``max_probability`` the greatest given to a true
    one. ``successes`` were counted: each record guessed once, in the class that fewest raw records fit, and there at
    random. ``upper_95`` bounds the rate behind them. ``baseline`` is blind guessing. ``fewest_candidates`` and
    ``without_candidate`` tell of attacked records; a record that left the edition has no true one.

    With a choice of attributes the figures are those of the worst one, named in ``attributes``; ``mean_expected`` is
    over all of them.
    """

    attack: Attack
    attributes: tuple[str, ...]
    attacked: int
    released: int
    expected: float
    max_probability: float
    successes: int
    success_rate: float
    upper_95: float
    baseline: float
    fewest_candidates: int
    without_candidate: int
    inference: Mapping[str, Inference] = field(default_factory=dict)
    choices: int = 1
    mean_expected: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return asdict(self)


def linkage_drill(
    raw: Any,
    edition: Any,
    quasi_identifiers: Sequence[str],
    hierarchies: Mapping[str, Any] | None = None,
    *,
    link: Any = None,
    sensitive: Sequence[str] = (),
    attacker: Attacker | None = None,
    unit: str | None = None,
) -> LinkageResult:
    """Try to find the raw records in an edition.

    ``link`` says what became of whom: None if both tables have the same records in the same order, the name of a
    column of both that holds an id, or for each edition record the position of its raw one. ``hierarchies`` by
    attribute as ``masking.hierarchies.as_hierarchy`` reads them. ``sensitive`` attributes are read in the edition;
    ``unit`` is a column of the raw table.

    Raises:
        UnknownAttribute: a table lacks a column.
        DataError: the link does not lead each edition record to one raw record of its own.
        InvalidValue: a raw value is no leaf, or an edition's value no node of its hierarchy.
        InvalidParameter: the attacker's settings contradict each other, or ask for too much.

    >>> import pyarrow as pa
    >>> raw, edition = pa.table({"age": ["31", "36", "42"]}), pa.table({"age": ["3x", "3x", "42"]})
    >>> linkage_drill(raw, edition, ["age"], {"age": [["31", "3x"], ["36", "3x"], ["42", "4x"]]}).expected
    0.6666666666666666
    """
    attacker = attacker or Attacker()
    names = tuple(dict.fromkeys(quasi_identifiers))
    _check(attacker, len(names))
    columns = read_columns(raw, edition, names, hierarchies or {})
    records, released = as_frame(raw, names, None).height, as_frame(edition, names, None).height
    places = linked(raw, edition, link, records, released)
    values, _ = coded(edition, list(sensitive))
    persons = None if unit is None else _ranked(coded(raw, [unit])[0][unit])
    drill = _Drill.of(columns, places, persons, records, released, values, attacker)
    if attacker.attributes is None:
        result = drill.run(names)
        return replace(result, mean_expected=result.expected)
    results = [drill.run(chosen) for chosen in itertools.combinations(names, attacker.attributes)]
    worst = max(results, key=lambda result: (result.expected, result.max_probability))
    mean = math.fsum(result.expected for result in results) / len(results)
    return replace(worst, choices=len(results), mean_expected=mean)


def linked(raw: Any, edition: Any, link: Any, records: int, released: int) -> Integers:
    """For each edition record the position of its raw one. Raises DataError, UnknownAttribute."""
    if link is None:
        if records != released:
            raise DataError(
                f"without a link the tables have equal records in equal order, not {records} and {released}"
            )
        return np.arange(released)
    if isinstance(link, str):
        ours, theirs = columns_of(raw, [link])[0][link], columns_of(edition, [link])[0][link]
        places = _positions(ours, theirs)
    else:
        places = np.asarray(link)
    wrong = (
        places.shape != (released,)
        or (released and not np.issubdtype(places.dtype, np.integer))
        or ((places < 0) | (places >= records)).any()
        or len(np.unique(places)) != released
    )
    if wrong:
        raise DataError("the link must lead each edition record to one raw record of its own")
    return places.astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Drill:
    """Both tables in an order that depends on their contents alone."""

    columns: Mapping[str, Column]
    true: Integers
    """For each raw record in that order the position of its edition record, -1 if it left."""
    persons: Integers
    """The person of each raw record."""
    targets: Integers
    """Which of the raw records are attacked."""
    released: int
    values: Mapping[str, Codes]
    attacker: Attacker

    @classmethod
    def of(
        cls,
        columns: Mapping[str, Column],
        places: Integers,
        persons: Integers | None,
        records: int,
        released: int,
        values: Mapping[str, Codes],
        attacker: Attacker,
    ) -> _Drill:
        true = np.full(records, -1, dtype=np.int64)
        true[places] = np.arange(released)
        # What a record became belongs to its contents; records that agree in all of it are exchangeable.
        became = [np.where(true < 0, -1, column.cells[true]) if released else true for column in columns.values()]
        told = [np.where(true < 0, -1, _ranked(codes)[true]) if released else true for codes in values.values()]
        keys = [
            *(column.leaves for column in columns.values()),
            *became,
            *told,
            *([] if persons is None else [persons]),
        ]
        order = np.lexsort(keys[::-1]) if keys else np.arange(records)
        draws = np.random.default_rng(attacker.seed)
        held = {
            name: replace(column, leaves=_mistaken(column.leaves[order], attacker.error_rate, draws))
            for name, column in columns.items()
        }
        targets = np.arange(records)
        if attacker.targets is not None and attacker.targets < records:
            targets = np.sort(draws.choice(records, attacker.targets, replace=False))
        named = np.arange(records) if persons is None else persons[order]
        return cls(held, true[order], named, targets, released, values, attacker)

    def run(self, names: Sequence[str]) -> LinkageResult:
        """One attack with these attributes."""
        containment = self.attacker.attack == "containment"
        group = edition_classes(self.columns, names, self.released)
        own = np.where(self.true < 0, -1, group[self.true]) if self.released else self.true
        # Containment looks at one record at a time; the other attacks weigh all raw records against each other.
        held = self.targets if containment else np.arange(len(self.true))
        attacked = np.arange(len(held)) if containment else self.targets
        columns = {name: replace(self.columns[name], leaves=self.columns[name].leaves[held]) for name in names}
        fits = compatibility(columns, names, len(held), self.released, compare=self.attacker.attack != "algorithm")
        place, people = self._places(own, len(fits.sizes))
        belief = beliefs(fits, own[held], self.attacker.attack, everyone=len(self.true) == self.released)
        belief = replace(belief, persons=people)
        found = belief.of_records(own[held], attacked)
        successes = self._successes(own, place, people, found.guess)
        here = found.candidates > 0
        return LinkageResult(
            attack=self.attacker.attack,
            attributes=tuple(names),
            attacked=len(attacked),
            released=self.released,
            expected=math.fsum(found.chance) / len(attacked) if len(attacked) else 0.0,
            max_probability=float(found.chance.max(initial=0.0)),
            successes=successes,
            success_rate=successes / len(attacked) if len(attacked) else 0.0,
            upper_95=upper_bound(successes, len(attacked)),
            baseline=1 / self.released if self.released else 0.0,
            fewest_candidates=int(found.candidates[here].min(initial=self.released)),
            without_candidate=int((~here).sum()),
            inference={
                name: belief.inference(codes, self.true[self.targets], fits.combination[attacked], own[self.targets])
                for name, codes in self.values.items()
            },
        )

    def _places(self, own: Integers, classes: int) -> tuple[Integers, Integers]:
        """The number of each raw record's person in the record's class, and how many persons the class has."""
        order = np.lexsort([self.persons, own])
        here, person = own[order], self.persons[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (here[1:] != here[:-1]) | (person[1:] != person[:-1])
        number = np.cumsum(first) - 1
        place = np.empty(len(own), dtype=np.int64)
        place[order] = number - number[np.searchsorted(here, here)]
        return place, np.bincount(here[first & (here >= 0)], minlength=classes)

    def _successes(self, own: Integers, place: Integers, people: Integers, guess: Integers) -> int:
        """Guesses that met the true person: the right class, and in it a place drawn at random."""
        draws = np.random.default_rng([self.attacker.seed, 1])
        right = (guess >= 0) & (guess == own[self.targets])
        size = people[np.maximum(guess, 0)] if len(people) else np.ones(len(guess))
        drawn = (draws.random(len(guess)) * size).astype(np.int64)
        return int((right & (drawn == place[self.targets])).sum())


def _mistaken(leaves: Integers, rate: float, draws: np.random.Generator) -> Integers:
    """The leaves that the attacker holds: some are another record's."""
    if not rate or not len(leaves):
        return leaves
    wrong = draws.random(len(leaves)) < rate
    return np.where(wrong, leaves[draws.integers(0, len(leaves), len(leaves))], leaves)


def _ranked(codes: Codes) -> Integers:
    """Codes in the order of their values, so that they do not depend on which record came first."""
    assert codes.values is not None  # those of a column are known
    texts = [("" if value is None else "=") + str(value) for value in codes.values.to_pylist()]
    rank = np.argsort(np.argsort(np.array(texts, dtype=object), kind="stable"), kind="stable")
    return rank[codes.codes]


def _positions(ours: Any, theirs: Any) -> Integers:
    import pyarrow as pa
    import pyarrow.compute as pc

    def one(column: Any) -> pa.Array:
        text = (column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])).cast(pa.string())
        return text.combine_chunks() if text.num_chunks != 1 else text.chunk(0)

    ours, theirs = one(ours), one(theirs)
    if len(pc.unique(ours)) != len(ours):
        raise DataError("the link must lead each edition record to one raw record of its own")
    return np.asarray(pc.index_in(theirs, value_set=ours).fill_null(-1).to_numpy(zero_copy_only=False))


def _check(attacker: Attacker, attributes: int) -> None:
    if attacker.attack not in {"containment", "matching", "algorithm"}:
        raise InvalidParameter("attack must be containment, matching or algorithm", parameter="attack")
    if not 0 <= attacker.error_rate < 1:
        raise InvalidParameter("error_rate must be in [0, 1)", parameter="error_rate")
    if attacker.targets is not None and attacker.targets < 1:
        raise InvalidParameter("targets must be at least 1", parameter="targets")
    partial = attacker.error_rate > 0 or attacker.attributes not in {None, attributes}
    if attacker.attack != "containment" and partial:
        raise InvalidParameter(
            f"{attacker.attack} needs the whole table without errors; use containment", parameter="attack"
        )
    if attacker.attributes is not None:
        if not 1 <= attacker.attributes <= attributes:
            raise InvalidParameter(f"attributes must be from 1 to {attributes}", parameter="attributes")
        choices = math.comb(attributes, attacker.attributes)
        if choices > MAX_SUBSETS:
            raise InvalidParameter(
                f"{choices} choices of attributes are more than {MAX_SUBSETS}", parameter="attributes"
            )

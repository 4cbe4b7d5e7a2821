"""What an attacker believes of a raw record: in which class of the edition it is, and with what probability.

The three attacks of ``masking.measures.linkage``. Source of the matching rules: Gionis, Mazza and Tassa, 2008: a class
that just so many persons fit holds these, and nobody else's record can be theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from masking.measures.coding import Codes
from masking.measures.compatibility import Compatibility

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Attack = Literal["containment", "matching", "algorithm"]
VALUES: Final = 256
"""Sensitive values that are looked at together."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What linking says of a sensitive attribute.

    ``max``: the greatest probability that the attacker gives to any value of any person; ``mean_true``: the mean that
    is given to the true value; ``baseline``: the share of the commonest value, which needs no linking.
    """

    max: float
    mean_true: float
    baseline: float


@dataclass(frozen=True, slots=True)
class Found:
    """For each attacked record: chance of the true record, records in question, class guessed (-1: none)."""

    chance: Floats
    candidates: Integers
    guess: Integers


@dataclass(frozen=True, slots=True)
class Beliefs:
    """How the attacker spreads a raw record over classes: in proportion to ``places`` of those that fit.

    ``settled[combination]`` is the one class of a combination that is known, else -1; its places are all the class.
    ``known[record]`` is the same by record, for an attacker who runs the algorithm (None otherwise).
    """

    fits: Compatibility
    """Who may be where, as far as the attack narrowed it."""
    places: Floats
    """Records of each class that are not settled."""
    settled: Integers
    rank: Integers
    """Classes from the most telling: that which fewest raw records fit."""
    known: Integers | None = None
    persons: Integers | None = None
    """Persons of each class, where they have several records; None: a record is a person."""

    def of_records(self, own: Integers, attacked: Integers) -> Found:
        """Chances of each attacked record; ``own`` is the class of each raw record, -1 if it left."""
        fits, people = self.fits, self._people()
        if self.known is not None:
            guess = self.known[attacked]
            size = np.where(guess >= 0, people[np.maximum(guess, 0)] if len(people) else 1, 0)
            return Found(np.where(guess >= 0, 1 / np.maximum(size, 1), 0.0), size, guess)
        combination, true = fits.combination[attacked], own[attacked]
        total, candidates, guess = self._by_combination(combination)
        fit = np.zeros(len(attacked), dtype=bool)
        there = true >= 0
        byte = fits.bits[combination[there], true[there] >> 3]
        fit[there] = (byte >> (7 - (true[there] & 7)).astype(np.uint8) & 1).astype(bool)
        chance = np.zeros(len(attacked))
        settled = self.settled[combination] >= 0
        at = fit & ~settled
        chance[at] = self.places[true[at]] / people[true[at]] / total[combination[at]]
        at = fit & settled
        chance[at] = 1 / people[true[at]]
        return Found(chance, candidates[combination], guess[combination])

    def _open(self, asked: Integers) -> Integers:
        """Those combinations among the asked that have more than one class to be in, each once."""
        each = np.unique(asked)
        return each[self.settled[each] < 0]

    def _people(self) -> Integers:
        return self.fits.sizes if self.persons is None else self.persons

    def _by_combination(self, asked: Integers) -> tuple[Floats, Integers, Integers]:
        """The sum of places, the records in question and the class to guess, for each combination that is asked."""
        fits = self.fits
        total, candidates = np.zeros(len(fits.counts)), np.zeros(len(fits.counts), dtype=np.int64)
        guess = np.full(len(fits.counts), -1, dtype=np.int64)
        people = self._people()
        for run, fit in fits.chunks(self._open(asked)):
            if fit.shape[1]:
                weights = fit.astype(np.float64)
                total[run] = weights @ self.places
                candidates[run] = weights @ np.where(self.places > 0, people, 0)
                ranked = (fit & (self.places > 0))[:, self.rank]
                guess[run] = np.where(ranked.any(axis=1), self.rank[ranked.argmax(axis=1)], -1)
        known = self.settled >= 0
        candidates[known], guess[known] = people[self.settled[known]], self.settled[known]
        return total, candidates, guess

    def inference(self, codes: Codes, true: Integers, combination: Integers, own: Integers) -> Inference:
        """What the attacked records' places say of a sensitive attribute.

        ``true``: for each of them the position of its edition record; ``own``: its class; -1 if it left.
        """
        fits = self.fits
        released = len(fits.group)
        if not released:
            return Inference(0.0, 0.0, 0.0)
        baseline = float(np.bincount(codes.codes, minlength=codes.size).max()) / released
        greatest, of_true = 0.0, np.zeros(len(true))
        value = np.where(true >= 0, codes.codes[true], -1)
        for start in range(0, codes.size, VALUES):
            width = min(VALUES, codes.size - start)
            inside = (codes.codes >= start) & (codes.codes < start + width)
            keys = fits.group[inside] * width + (codes.codes[inside] - start)
            shares = np.bincount(keys, minlength=len(fits.sizes) * width).reshape(-1, width) / fits.sizes[:, None]
            posterior, row = self._posterior(shares, combination, own)
            greatest = max(greatest, float(posterior[row[row >= 0]].max(initial=0.0)))
            at = (value >= start) & (value < start + width) & (row >= 0)
            of_true[at] = posterior[row[at], value[at] - start]
        return Inference(greatest, float(of_true.mean()) if len(true) else 0.0, baseline)

    def _posterior(self, shares: Floats, combination: Integers, own: Integers) -> tuple[Floats, Integers]:
        """Rows of probabilities of the values, and for each attacked record the row that is its own (-1: none)."""
        fits = self.fits
        if self.known is not None:
            return shares, own
        posterior = np.zeros((len(fits.counts), shares.shape[1]))
        none = np.zeros(len(fits.counts), dtype=bool)
        for run, fit in fits.chunks(self._open(combination)):
            weights = fit * self.places
            total = weights.sum(axis=1)
            none[run] = total <= 0
            posterior[run] = weights @ shares / np.where(total > 0, total, 1)[:, None]
        known = self.settled >= 0
        posterior[known] = shares[self.settled[known]]
        return posterior, np.where((none & ~known)[combination], -1, combination)


def beliefs(fits: Compatibility, own: Integers, attack: Attack, *, everyone: bool) -> Beliefs:
    """Beliefs of an attack. ``own``: the class of each raw record, -1 if it left; ``everyone``: none left."""
    unsettled = np.full(len(fits.counts), -1, dtype=np.int64)
    places = fits.sizes.astype(np.float64)
    if attack == "algorithm":
        return Beliefs(fits, places, unsettled, np.arange(len(places)), known=own)
    if attack == "containment":
        return Beliefs(fits, places, unsettled, _telling(fits, unsettled))
    matched, settled = replace(fits, bits=fits.bits.copy()), unsettled
    while _settle(matched, settled, everyone=everyone):
        pass
    return Beliefs(matched, places - _taken(matched, settled), settled, _telling(matched, settled))


def _settle(fits: Compatibility, settled: Integers, *, everyone: bool) -> bool:
    """One round of the two rules on ``settled`` and the bits; True if a combination found its class."""
    if not len(fits.sizes):
        return False
    left = np.flatnonzero(settled < 0)
    exact = _persons(fits, settled) == fits.sizes
    for run, fit in fits.chunks(left):
        alone = fit & exact
        if everyone:
            alone |= fit & (np.count_nonzero(fit, axis=1) == 1)[:, None]
        found = alone.any(axis=1)
        settled[run[found]] = alone[found].argmax(axis=1)
    new = left[settled[left] >= 0]
    fits.bits[new] = 0
    fits.bits[new, settled[new] >> 3] = (128 >> (settled[new] & 7)).astype(np.uint8)
    fits.bits[left[settled[left] < 0]] &= ~np.packbits(_taken(fits, settled) >= fits.sizes)
    return len(new) > 0


def _taken(fits: Compatibility, settled: Integers) -> Floats:
    """Raw records that are known to be in each class."""
    known = settled >= 0
    taken = np.bincount(settled[known], weights=fits.counts[known], minlength=len(fits.sizes))
    return taken.astype(np.float64)


def _telling(fits: Compatibility, settled: Integers) -> Integers:
    """Classes from that which fewest raw records fit."""
    return np.argsort(_persons(fits, settled), kind="stable")


def _persons(fits: Compatibility, settled: Integers) -> Floats:
    """Raw records that fit each class; whole numbers."""
    persons = _taken(fits, settled)
    for run, fit in fits.chunks(np.flatnonzero(settled < 0)):
        persons = persons + fits.counts[run].astype(np.float64) @ fit
    return persons

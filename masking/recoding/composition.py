"""A recoding that composes with earlier editions: persons with one history stay together, k of them at least.

A history is the tuple of a person's classes in all earlier editions (``masking.recoding.history``). Its persons are
divided into parts of at least k that meet the joint limits, or kept as one part where they are too few; newcomers are
parts among themselves. From then on a part is never divided: the search for the new edition generalizes whole parts
further. So a joint class (history, new class) holds whole parts, and a person keeps or coarsens what was shown, but for
histories that were so coarse that several parts of k lie in them.

Where nobody of a history is shown the new edition adds nothing to what was known of them. So a history that cannot be
shown leaves the table as a whole: one with fewer than k persons left in it, one of which fewer than k persons are no
longer in the table, one that breaks a joint limit on sensitive values. Newcomers that fill no class wait outside.
Source: PRIVACY.md 4; Xiao and Tao 2007 (m-invariance).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from masking.errors import LimitsNotMet
from masking.hierarchies import Hierarchy
from masking.limits import Limits
from masking.recoding.coarsened import coarsened
from masking.recoding.held import held
from masking.recoding.history import HISTORY, NEVER, History
from masking.recoding.items import Ints, Items, grouped
from masking.recoding.judge import Judge
from masking.recoding.local_paths import Paths
from masking.recoding.result import Levels, Recoding, whole
from masking.recoding.search import Watch, Wishes

Flags = npt.NDArray[np.bool_]
Search = Callable[[Items, Limits, Wishes, Watch], Recoding]
_OUT: Final = -1
_NEAR: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Parts:
    """Groups of items that stay together: ``part`` of each item, ``_OUT`` for one that leaves; their generalization."""

    part: Ints
    levels: Levels

    def __len__(self) -> int:
        return len(self.levels)


def split_history(items: Items) -> tuple[Items, Ints]:
    """Items that were coded with ``HISTORY`` among the sensitive attributes: without it, and the history of each."""
    (place,) = [at for at, each in enumerate(items.sensitive) if each.name == HISTORY]
    column = items.sensitive[place]
    codes = np.asarray(column.values.to_numpy(zero_copy_only=False), dtype=np.int64)[column.codes]
    rest = tuple(each for at, each in enumerate(items.sensitive) if at != place)
    return replace(items, sensitive=rest), codes


def compose(
    items: Items, atom: Ints, history: History, limits: Limits, wishes: Wishes, watch: Watch, search: Search
) -> Recoding:
    """The recoding that ``search`` finds for ``limits`` and whose joint classes meet ``history.limits``.

    ``atom``: the history of each item, which holds persons of one history only. ``search`` is a local one.

    Raises:
        LimitsNotMet: more records than ``wishes.suppression`` allows would have to leave so that nobody stands out.
    """
    here = Judge(items, Limits()).persons(atom, len(history.present))
    # Records that a policy leaves out are no items: their persons are not in the new edition.
    away = np.zeros_like(here) if history.by_records else history.present + history.away - here
    history = replace(history, present=here, away=away)
    task = _Task(items, atom, history, limits, wishes, watch, search)
    hidden = task.unshowable()
    while True:
        levels, gone = task.merged(task.parts(hidden))
        more = task.broken(levels, gone) & ~hidden
        if not more.any():
            return task.recoding(levels, gone)
        hidden |= more


@dataclass(frozen=True, eq=False)
class _Task:
    items: Items
    atom: Ints
    history: History
    limits: Limits
    wishes: Wishes
    watch: Watch
    search: Search

    @property
    def joint(self) -> Limits:
        return replace(self.history.limits, suppression=1.0)

    @property
    def atoms(self) -> int:
        return len(self.history.present)

    def unshowable(self) -> Flags:
        """Histories nobody of whom can be shown, whatever the search does.

        Raises:
            LimitsNotMet: a history holds fewer than k persons already: the earlier editions themselves do not compose.
        """
        k, present, away = self.history.k, self.history.present, self.history.away
        known = np.arange(self.atoms) != NEVER
        alone = known & (present + away > 0) & (present + away < k)
        if alone.any():
            persons = int((present + away)[alone].sum())
            raise LimitsNotMet(
                f"{persons} persons stand out by the {self.history.editions} earlier editions alone, in joint classes "
                f"of fewer than {k}: no new edition can compose with them",
                limits={"k_anonymity": float(k)},
                measured={"persons": float(persons)},
            )
        hidden = (present < k) | (known & (away > 0) & (away < k))
        if not self.joint.needs_sensitive:
            return hidden
        # Who is away has sensitive values that nobody sees here: then they are not divided from those who stay.
        hidden |= known & (away > 0)
        hidden |= known & ~self._judge(hidden).meets(self.atom, self.atoms)
        return hidden

    def parts(self, hidden: Flags) -> Parts:
        """The shown histories in parts that each meet the joint limits."""
        shown = ~hidden[self.atom]
        part = np.where(shown, self.atom, _OUT)
        large = (self.history.present >= 2 * self.history.k)[self.atom]
        known = np.flatnonzero(shown & large & (self.atom != NEVER))
        new = np.flatnonzero(shown & (self.atom == NEVER))
        count = self.atoms
        for among in (known, new):
            label = self._divided(among, np.flatnonzero(shown))
            inside = label >= 0
            part[among[inside]] = count + label[inside]
            count += int(label.max(initial=-1)) + 1
            if among is new:
                part[among[~inside]] = _OUT  # newcomers that fill no class wait
        part = self._good(part, count)
        stay = np.flatnonzero(part >= 0)
        part[stay], first = grouped([part[stay]], [count], len(stay))
        return Parts(part, self._paths.levels(stay, part[stay], len(first)))

    def merged(self, parts: Parts) -> tuple[Levels, Flags]:
        """The search over parts: the levels of each item, and which items leave."""
        levels = np.tile(np.array(self.items.heights, dtype=np.uint8), (len(self.items), 1))
        gone = parts.part < 0
        room = self.wishes.suppression * self.items.records - float(self.items.weights[gone].sum())
        if room < -_NEAR:
            raise self._refused(gone)
        if gone.all():
            return levels, gone
        small, of_item = coarsened(self.items, parts.part, len(parts), parts.levels)
        there = np.flatnonzero(of_item >= 0)
        owner = np.zeros(len(small), dtype=np.int64)
        owner[of_item[there]] = parts.part[there]
        wishes = replace(self.wishes, suppression=min(1.0, max(0.0, room / small.records)))
        try:
            found = self.search(small, self.limits, wishes, self.watch)
        except LimitsNotMet:
            # What it finds without that bound says how many would stand out; ``recoding`` refuses it.
            found = self.search(small, self.limits, replace(wishes, suppression=1.0), self.watch)
        of_part = np.maximum(parts.levels, _levels_of_parts(found, owner, len(parts)))
        levels[there] = self._as_read(of_part)[parts.part[there]]
        return levels, gone | self._leaving(levels, there)

    def broken(self, levels: Levels, gone: Flags) -> Flags:
        """Histories whose joint classes do not meet the joint limits in the table that would be released."""
        found = np.zeros(self.atoms, dtype=np.bool_)
        stay = np.flatnonzero(~gone)
        if not len(stay):
            return found
        if self.joint.needs_sensitive:
            # Some of a history shown and some not: nobody judged the sensitive values of those who are not.
            partly = np.bincount(self.atom[gone], minlength=self.atoms) > 0
            partly &= np.bincount(self.atom[stay], minlength=self.atoms) > 0
            partly[NEVER] = False
            found |= partly
        ids, count = self._classes(levels, stay)
        joint, first = grouped([self.atom[stay], ids], [self.atoms, count], len(stay))
        judge = Judge(self.items, self.joint, released=np.where(gone, 0, self.items.weights))
        bad = ~judge.meets(joint, len(first), stay)
        found[self.atom[stay[first[bad]]]] = True
        return found

    def recoding(self, levels: Levels, gone: Flags) -> Recoding:
        """What was found, if it suppresses no more than the wishes allow."""
        found = whole(
            self.items, levels, gone=gone, note=f"local, composed with {self.history.editions} earlier edition(s)"
        )
        if found.suppressed_records > self.wishes.suppression * self.items.records + _NEAR:
            raise self._refused(gone | (levels == np.array(self.items.heights)).all(axis=1))
        return found

    @cached_property
    def _paths(self) -> Paths:
        return Paths.of(self.items, self.wishes)

    def _divided(self, among: Ints, shown: Ints) -> Ints:
        """A class of one history for each item ``among``, -1 where there is none; none at all where one would be left.

        t-closeness is judged against all that is ``shown``.
        """
        label = np.full(len(among), -1, dtype=np.int64)
        if not len(among):
            return label
        base = shown if self.joint.t_closeness is not None else among
        names, history = np.unique(self.atom[base], return_inverse=True)
        kinds = Hierarchy.of([[str(name)] for name in names])
        some = taken(self.items, base)
        some = replace(
            some,
            names=(*some.names, HISTORY),
            hierarchies=(*some.hierarchies, kinds),
            leaves=(*some.leaves, history.astype(np.int64)),
        )
        wishes = Wishes(0.0, {**self.wishes.weights, HISTORY: 0.0}, {**self.wishes.levels, HISTORY: (0, 0)})
        try:
            found = self.search(some, self.joint, wishes, self.watch)
        except LimitsNotMet:
            try:
                found = self.search(some, self.joint, replace(wishes, suppression=1.0), self.watch)
            except LimitsNotMet:
                return label
        ids, _ = found.classes()
        inside = found.levels[:, -1] < kinds.height
        of_item = np.full(len(self.items), -1, dtype=np.int64)
        of_item[base[found.item[inside]]] = ids[inside]
        label = of_item[among]
        torn = np.zeros(self.atoms, dtype=np.bool_)
        torn[self.atom[among[label < 0]]] = True
        torn[NEVER] = False
        label[torn[self.atom[among]]] = -1
        return label

    def _good(self, part: Ints, count: int) -> Ints:
        """Divided histories whose parts do not all meet the joint limits in one part again; newcomers' parts out."""
        shown = np.flatnonzero(part >= 0)
        judge = Judge(self.items, self.joint, released=np.where(part >= 0, self.items.weights, 0))
        fails = ~judge.meets(part[shown], count, shown)
        lost = np.zeros(self.atoms, dtype=np.bool_)
        lost[self.atom[shown[fails[part[shown]]]]] = True
        lost[NEVER] = False
        part = np.where((part >= 0) & lost[self.atom], self.atom, part)
        part[shown[fails[part[shown]] & (self.atom[shown] == NEVER)]] = _OUT
        # Parts that no allowed level makes alike cannot be shown.
        shown = np.flatnonzero(part >= 0)
        cell = self._paths.cell[shown]
        low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
        np.minimum.at(low, part[shown], cell)
        np.maximum.at(high, part[shown], cell)
        apart = np.zeros(self.atoms, dtype=np.bool_)
        apart[self.atom[shown[(low < high)[part[shown]]]]] = True
        return np.where(apart[self.atom], _OUT, part)

    def _as_read(self, levels: Levels) -> Levels:
        """A node that covers all leaves is written as the highest level, as it is in every recoding."""
        levels = levels.copy()
        for place, hierarchy in enumerate(self.items.hierarchies):
            alone = np.array([len(names) == 1 for names in hierarchy.labels])
            levels[alone[levels[:, place]], place] = self._paths.ranges[place][1]
        return levels

    def _leaving(self, levels: Levels, among: Ints) -> Flags:
        """Items among those that have to leave, for their class and even the suppressed ones break a limit.

        Classes that break one hold ``*`` from now on; ``levels`` is changed.
        """
        gone = np.zeros(len(self.items), dtype=np.bool_)
        if len(among):
            ids, count = self._classes(levels, among)
            top = np.array(self.items.heights, dtype=np.uint8)
            kept = ~(levels[among] == top).all(axis=1)
            state = held(taken(self.items, among), self.limits, ids, count, kept)
            levels[among[~state.kept]] = top
            gone[among[state.gone]] = True
        return gone

    def _classes(self, levels: Levels, among: Ints) -> tuple[Ints, int]:
        """The class of each item among those, as a reader of the table sees it."""
        weights = self.items.weights
        return Recoding(self.items, among, weights[among], levels[among], np.zeros_like(weights)).classes()

    def _judge(self, hidden: Flags) -> Judge:
        return Judge(self.items, self.joint, released=np.where(hidden[self.atom], 0, self.items.weights))

    def _refused(self, out: Flags) -> LimitsNotMet:
        among = np.flatnonzero(out)
        persons = int(Judge(self.items, self.joint).persons(np.zeros(len(among), dtype=np.int64), 1, among)[0])
        records = int(self.items.weights[out].sum())
        return LimitsNotMet(
            f"{persons} persons would stand out beside {self.history.editions} earlier editions: {records} of "
            f"{self.items.records} records would have to be suppressed or leave, more than the share of "
            f"{self.wishes.suppression:g} that is allowed",
            limits={"k_anonymity": float(self.history.k), "suppression": self.wishes.suppression},
            measured={"persons": float(persons), "suppression": records / max(1, self.items.records)},
        )


def taken(items: Items, among: Ints) -> Items:
    """Some of the items, in the order of ``among``."""
    pairs = None
    if items.pairs is not None:
        place = np.full(len(items), -1, dtype=np.int64)
        place[among] = np.arange(len(among))
        item, person = items.pairs
        there = place[item] >= 0
        pairs = (place[item[there]], person[there])
    return replace(
        items,
        leaves=tuple(leaves[among] for leaves in items.leaves),
        sensitive=tuple(replace(each, codes=each.codes[among]) for each in items.sensitive),
        weights=items.weights[among],
        pairs=pairs,
        population=None if items.population is None else items.population[among],
    )


def _levels_of_parts(found: Recoding, owner: Ints, parts: int) -> Levels:
    """The levels that most records of a part got: all of them get these, for they share the nodes below.

    ``owner``: the part of each item. A part that leaves gets the top.
    """
    levels = np.tile(np.array(found.items.heights, dtype=np.uint8), (parts, 1))
    if not len(found.item):
        return levels
    vectors, code = np.unique(found.levels, axis=0, return_inverse=True)
    key, first = grouped([owner[found.item], code.ravel()], [parts, len(vectors)], len(found.item))
    records = np.bincount(key, weights=found.count, minlength=len(first))
    part, vector = owner[found.item[first]], code.ravel()[first]
    order = np.lexsort((vector, -records, part))
    chosen, at = np.unique(part[order], return_index=True)
    levels[chosen] = vectors[vector[order[at]]]
    return levels

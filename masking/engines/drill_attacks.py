"""
The attacks of the linkage drill on the released records of one run; ``masking.engines.drilling`` says which, and why.

Attacks on classes are those of ``masking.measures.linkage``, the others ``distance_linkage`` and ``minimality``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from masking.engines.drill_attributes import Attribute
from masking.engines.plan import Plan
from masking.hierarchies import Hierarchy
from masking.measures.binomial import upper_bound
from masking.measures.coding import Codes, class_numbers, combined, dense
from masking.measures.distance_linkage import distance_linkage
from masking.measures.linkage import Attacker, linkage_drill
from masking.measures.minimality import minimality_attack
from masking.policy.dump import digest
from masking.policy.model import MaskingPolicy
from masking.report import DrillReport
from masking.taxonomy import Role

TARGETS: Final = (100, 3000)
"""Records that are looked for by distance: so few at least that a count of none says below 3 %, and so many at most."""
DISTANCES: Final = 20_000_000
"""Pairs whose distance is measured, between these bounds: in a large table fewer records are looked for."""
MATCHED_PAIRS: Final = 50_000_000
"""Pairs of combination and class that are matched at most."""
OUTCOMES: Final = 64
"""Values that one raw value may become, for matching to follow them."""
INFERRED: Final = 32
"""Sensitive values that matching weighs; of an attribute with more, the greatest share in a class bounds it."""
MINIMAL_CLASSES: Final = 2000
"""Classes that the minimality attack looks into at most."""
_QUASI, _PERSON, _RECORD, _SENSITIVE = "quasi:", "person", "record", "sensitive:"
"""Names of the columns while they are attacked, so that no attribute of the table is called like another column."""


@dataclass(frozen=True)
class Edition:
    """The released records as the attacker sees them, beside the raw ones."""

    policy: MaskingPolicy
    plan: Plan
    records: int
    attributes: list[Attribute]
    sensitive: Mapping[str, Codes]
    persons: Codes | None

    @property
    def seed(self) -> int:
        return int(digest(self.policy)[:15], 16)

    def attacked(self) -> DrillReport:
        """The figures of the attack that this edition asks for."""
        known = {each.name: each.way for each in self.attributes}
        if "distance" in known.values():
            return replace(self._by_distance(), knowledge=known)
        alone = _rests_on_what_is_held(self.policy, self.plan)
        bound = not alone and self._too_many()
        found = self._by_algorithm() if alone or bound else self._by_matching()
        return replace(found, bound=bound, knowledge=known)

    def minimality(self) -> dict[str, float]:
        """How much knowing why classes were not divided adds to a sensitive value, as an indication.

        The limit is read as one on a value's share: 1/l for distinct and entropy l-diversity, c/(1+c) for recursive,
        the commonest value's share and t for t-closeness; the strictest one asked. Only where a search looked at
        sensitive values, in tables of few classes.
        """
        joint = self.plan.joint
        numbers = self._classes()
        if joint is None or not joint.sensitive or self.persons is not None or numbers.size > MINIMAL_CLASSES:
            return {}
        raw, edition, trees = self._tables(as_masked=True, most=1)
        found: dict[str, float] = {}
        for name in joint.sensitive:
            codes = self.sensitive[name]
            share = _share_limit(self.policy, codes)
            if share is not None:
                told = edition.append_column(_SENSITIVE, pa.array(codes.codes))
                k = self.policy.limits.least_class
                attack = minimality_attack(raw, told, self._names, trees, _SENSITIVE, k=k, share=share)
                found[name] = attack.gain
        return found

    def _by_algorithm(self) -> DrillReport:
        """The attacker comes to the class of each record by running what made it."""
        classes = pa.array(self._classes().codes)
        raw, edition = pa.table({_QUASI: classes}), pa.table({_QUASI: classes})
        return self._by_classes(raw, edition, [_QUASI], {}, {}, "algorithm")

    def _by_matching(self) -> DrillReport:
        raw, edition, trees = self._tables(most=OUTCOMES)
        weighed = {_SENSITIVE + name: codes for name, codes in self.sensitive.items() if codes.size <= INFERRED}
        for name, codes in weighed.items():
            edition = edition.append_column(name, pa.array(codes.codes))
        return self._by_classes(raw, edition, self._names, trees, weighed, "matching")

    def _by_classes(
        self,
        raw: pa.Table,
        edition: pa.Table,
        names: Sequence[str],
        trees: Mapping[str, Hierarchy],
        weighed: Mapping[str, Codes],
        attack: Literal["algorithm", "matching"],
    ) -> DrillReport:
        if self.persons is not None:
            raw = raw.append_column(_PERSON, pa.array(self.persons.codes))
        found = linkage_drill(
            raw,
            edition,
            names,
            trees,
            sensitive=list(weighed),
            attacker=Attacker(attack=attack, seed=self.seed),
            unit=None if self.persons is None else _PERSON,
        )
        return DrillReport(
            attack=attack,
            attacked=found.attacked,
            released=found.released,
            expected=found.expected,
            max_probability=found.max_probability,
            successes=found.successes,
            lower_95=_lower_bound(found.successes, found.attacked),
            upper_95=found.upper_95,
            baseline=found.baseline,
            posterior={
                name: found.inference[_SENSITIVE + name].max
                if _SENSITIVE + name in weighed
                else self._greatest_share(codes)
                for name, codes in self.sensitive.items()
            },
        )

    def _by_distance(self) -> DrillReport:
        moved = {name: each.numbers() for name, each in self._attacked.items() if each.way == "distance"}
        numbers = {name: both for name, both in moved.items() if both is not None}
        raw, edition, trees = self._tables(as_masked=True, most=1, without=numbers)
        for name, (before, after) in numbers.items():
            raw, edition = raw.append_column(name, before), edition.append_column(name, after)
        others = [name for name in self._names if name not in numbers]
        fewest, most = TARGETS
        targets = min(most, max(fewest, DISTANCES // self.records))
        found = distance_linkage(raw, edition, list(numbers), others, trees, targets=targets, seed=self.seed)
        return DrillReport(
            attack="distance",
            attacked=found.attacked,
            released=found.released,
            expected=found.expected,
            max_probability=None,
            successes=found.successes,
            lower_95=_lower_bound(found.successes, found.attacked),
            upper_95=found.upper_95,
            baseline=found.baseline,
        )

    def _tables(
        self, *, most: int, as_masked: bool = False, without: Collection[str] = ()
    ) -> tuple[pa.Table, pa.Table, dict[str, Hierarchy]]:
        """The raw table, the edition, and what leads from one to the other.

        ``as_masked``: the attacker has masked what is changed value by value, so that both sides read the same there.
        """
        raw: dict[str, pa.Array] = {_RECORD: pa.nulls(self.records)}
        edition: dict[str, pa.Array] = {_RECORD: pa.nulls(self.records)}
        trees: dict[str, Hierarchy] = {}
        for name, each in self._attacked.items():
            if as_masked and each.way == "pairs":
                raw[name] = edition[name] = each.released
            elif name not in without:
                raw[name], edition[name], trees[name] = each.columns(most)
        return pa.table(raw), pa.table(edition), trees

    def _classes(self) -> Codes:
        return class_numbers({name: each.masked for name, each in self._attacked.items()}, self._names, self.records)

    @property
    def _attacked(self) -> dict[str, Attribute]:
        return {_QUASI + each.name: each for each in self.attributes}

    @property
    def _names(self) -> list[str]:
        return list(self._attacked)

    def _too_many(self) -> bool:
        """True if matching would have too much to look at."""
        if any(each.outcomes > OUTCOMES for each in self.attributes if each.way == "pairs"):
            return True
        combinations = dense(*combined([each.raw for each in self.attributes], self.records))[1]
        return combinations * self._classes().size > MATCHED_PAIRS

    def _greatest_share(self, values: Codes) -> float:
        """The greatest share of a value in a class: what no attack on classes goes beyond."""
        classes = self._classes()
        key, count = np.unique(combined([classes, values], self.records)[0], return_counts=True)
        size = np.bincount(classes.codes, minlength=classes.size)
        return float((count / size[key // max(values.size, 1)]).max(initial=0.0))


def _rests_on_what_is_held(policy: MaskingPolicy, plan: Plan) -> bool:
    """True if what becomes of the quasi-identifiers depends on quasi-identifiers and names alone."""
    if plan.joint is not None and plan.joint.sensitive:
        return False
    held = {*policy.with_role(Role.QUASI_IDENTIFIER), *policy.with_role(Role.DIRECT_IDENTIFIER), *policy.record}
    released = set(policy.quasi_identifiers)
    return all(set(step.columns) <= held for step in plan.steps if step.name in released)


def _share_limit(policy: MaskingPolicy, values: Codes) -> float | None:
    """The greatest share of a sensitive value that the limits let a class have, in (0, 1); None: they say nothing."""
    limits, asked = policy.limits, []
    asked += [1 / each for each in (limits.distinct_l_diversity, limits.entropy_l_diversity) if each is not None]
    if limits.recursive_cl_diversity is not None:
        c = limits.recursive_cl_diversity[0]
        asked.append(c / (1 + c))
    if limits.t_closeness is not None:
        commonest = float(np.bincount(values.codes).max(initial=0)) / max(1, len(values.codes))
        asked.append(commonest + limits.t_closeness.t)
    within = [share for share in asked if 0 < share < 1]
    return min(within) if within else None


def _lower_bound(successes: int, trials: int) -> float:
    """The rate behind the successes is above it, with 95 % confidence."""
    return upper_bound(successes - 1, trials, confidence=0.05) if successes else 0.0

"""The level of a workspace's data together with its imports, derived anew by the rules of ``defaults.yaml``.

Source: PRIVACY.md 22 (the joined level is derived anew), 8 (pooling raises). Pure: levels in, a level with the rules
that made it out. A rule can only raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from masking.taxonomy import DataLevel
from sandbox.imports.errors import ImportInvalid
from sandbox.imports.limits import JoiningRule


@dataclass(frozen=True, slots=True)
class Joined:
    """The level, and each rule that led to it with the level it asked for."""

    level: DataLevel
    reasons: tuple[tuple[JoiningRule, DataLevel], ...]

    def to_json(self) -> list[dict[str, Any]]:
        """For the row and the page: the highest first."""
        ordered = sorted(self.reasons, key=lambda reason: -reason[1].rank)
        return [
            {
                "id": rule.id,
                "level": level.value,
                "zh": rule.words["zh"],
                "en": rule.words["en"],
                "clause": dict(rule.clause),
            }
            for rule, level in ordered
        ]


def joined_level(levels: Iterable[DataLevel], *, person_keys: bool, rules: Sequence[JoiningRule]) -> Joined:
    """The joined level of datasets and imports of these levels. Raises ImportInvalid when there is none."""
    known = list(levels)
    if not known:
        raise ImportInvalid("没有已定级的数据 · there is no data with a level")
    highest = max(known)
    reasons = []
    for rule in rules:
        if rule.when == "person_keys" and not person_keys:
            continue
        reasons.append((rule, max(highest, _asked(rule, highest))))
    return Joined(max([highest, *(level for _, level in reasons)]), tuple(reasons))


def _asked(rule: JoiningRule, highest: DataLevel) -> DataLevel:
    if rule.do == "raise":
        ordered = list(DataLevel)
        raised = ordered[min(highest.rank - 1 + rule.steps, len(ordered) - 1)]
        return min(raised, rule.up_to) if highest <= rule.up_to else highest
    if rule.do == "least" and rule.level is not None:
        return rule.level
    return highest

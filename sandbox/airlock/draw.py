"""Drawing checkers: at random, from other organisations, with repeated pairs capped.

Source: PRIVACY.md 21. Pure: people and history in, people out; randomness comes in as ``rng``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from sandbox.airlock.errors import AirlockConflict


@dataclass(frozen=True, slots=True)
class Checker:
    """A person who may be drawn."""

    id: str
    organization_id: str


def eligible(
    pool: Sequence[Checker],
    *,
    excluded_organizations: frozenset[str],
    excluded_persons: frozenset[str],
) -> list[Checker]:
    """Checkers of other organisations than the workspace's, the author and members apart."""
    return [c for c in pool if c.organization_id not in excluded_organizations and c.id not in excluded_persons]


def check_pool(candidates: Sequence[Checker], *, needed: int, minimum: int) -> None:
    """Raise unless enough checkers can be drawn from that the draw means something."""
    least = max(needed, minimum)
    if len(candidates) < least:
        raise AirlockConflict(
            f"可抽取的审查员不足：需要至少 {least} 名其他机构的审查员，现有 {len(candidates)} 名 · "
            f"not enough checkers of other organisations: {least} needed, {len(candidates)} there",
        )


def draw(
    candidates: Sequence[Checker],
    *,
    needed: int,
    author_id: str,
    pairs: Mapping[frozenset[str], int],
    cap: int,
    rng: Random,
    already: Sequence[str] = (),
) -> list[Checker]:
    """Draw ``needed`` checkers, avoiding pairs (with the author or each other) met ``cap`` times already.

    When every remaining pair is at the cap, the one met least often is drawn: a request is never stuck.
    """
    chosen: list[Checker] = []
    rest = [c for c in candidates if c.id not in already]
    rng.shuffle(rest)
    while len(chosen) < needed and rest:
        others = [author_id, *already, *(c.id for c in chosen)]

        def worst(candidate: Checker, others: Sequence[str] = tuple(others)) -> int:
            return max(pairs.get(frozenset((candidate.id, other)), 0) for other in others)

        fresh = [c for c in rest if worst(c) < cap]
        pick = fresh[0] if fresh else min(rest, key=worst)
        rest.remove(pick)
        chosen.append(pick)
    return chosen

"""The risk–utility curve: plans of which none is beaten by another, so that an officer picks a point.

A plan is a least class size, local or global recoding, and how much may be suppressed. Each is searched for and
measured as released: risk as its greatest and mean (a person's class is found: 1 / its size), what it costs as loss. A
plan is left out if another has no more of any of them and less of one. Sources: Duncan et al. 2001 (R-U confidentiality
map); El Emam 2013 (risk measures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from masking.errors import InvalidParameter, LimitsNotMet
from masking.limits import Limits
from masking.recoding.find import KINDS, Kind, find, sizes_and_average
from masking.recoding.global_recoding import levels_of
from masking.recoding.items import Items
from masking.recoding.judge import Judge
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes
from masking.recoding.weighing import Loss

KS: Final = (2, 3, 5, 10, 20, 50)
_NEAR: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Point:
    """A plan and what it gives. ``limits``, ``recoding`` and the wishes give exactly this table again.

    ``levels``: of a global recoding, {attribute: level}; wished for, they give the same without a search.
    Risks, ``suppressed`` (share of records with ``*`` in every quasi-identifier or gone), ``granularity`` and ``loss``
    are in [0, 1]; risks are those of the persons that are released, 0 if there are none.
    """

    recoding: Kind
    limits: Limits
    levels: Mapping[str, int] | None
    max_risk: float
    average_risk: float
    suppressed: float
    granularity: float
    loss: float
    classes: int
    optimal: bool

    @property
    def k(self) -> int:
        """Persons that every class was asked to have."""
        return self.limits.least_class

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``policy`` holds what a masking policy says of it."""
        return {
            "policy": {"limits": self.limits.to_dict(), "recoding": self.recoding},
            "k": self.k,
            "levels": None if self.levels is None else dict(self.levels),
            "max_risk": self.max_risk,
            "average_risk": self.average_risk,
            "suppressed": self.suppressed,
            "granularity": self.granularity,
            "loss": self.loss,
            "classes": self.classes,
            "optimal": self.optimal,
        }

    def beats(self, other: Point) -> bool:
        """True if this has no more risk and loss than ``other``, and less of one of them."""
        mine, others = (np.array([each.max_risk, each.average_risk, each.loss]) for each in (self, other))
        return bool((mine <= others + _NEAR).all() and (mine < others - _NEAR).any())


def risk_utility_curve(
    items: Items,
    wishes: Wishes,
    watch: Watch,
    *,
    ks: Sequence[int] = KS,
    recoding: Kind | Sequence[Kind] = KINDS,
    suppression: Sequence[float] | None = None,
    limits: Limits | None = None,
) -> tuple[Point, ...]:
    """The plans that no other beats, by falling greatest risk, then rising loss.

    ``limits``: what every plan must meet besides; class sizes of ``ks`` below theirs are raised to it.
    ``suppression``: greatest shares to try (None: the wished one). Plans that cannot be met are left out, so the answer
    may be empty. If ``watch`` says stop, the plans found so far are the answer.

    Raises:
        InvalidParameter: no class size or one below 1, an unknown kind of recoding, a share outside [0, 1].
        Cancelled: ``watch`` said so.
    """
    kinds: tuple[Kind, ...] = (recoding,) if isinstance(recoding, str) else tuple(recoding)
    shares = (wishes.suppression,) if suppression is None else tuple(suppression)
    _check(ks, kinds, shares)
    base = Limits() if limits is None else limits
    sizes = sorted({max(k, base.least_class) for k in ks})
    plans = [(kind, k, share) for kind in dict.fromkeys(kinds) for k in sizes for share in sorted(set(shares))]
    found: list[Point] = []
    for number, (kind, k, share) in enumerate(plans):
        if found and watch.must_stop():
            break
        asked = replace(base, k_anonymity=k, suppression=share)
        try:
            recoded = find(
                items, asked, replace(wishes, suppression=share), _part(watch, number, len(plans)), kind=kind
            )
        except LimitsNotMet:
            continue
        found.append(point(recoded, asked, kind, wishes))
    watch.tell("searching", 1.0)
    return tuple(sorted(_unbeaten(found), key=lambda each: (-each.max_risk, each.loss)))


def point(recoded: Recoding, limits: Limits, kind: Kind, wishes: Wishes) -> Point:
    """What a recoding gives: its risks, as an attacker finds classes in the released table, and its loss."""
    items = recoded.items
    persons, average = sizes_and_average(recoded, Judge(items, Limits()))
    least = np.array([1 / hierarchy.shares.shape[1] for hierarchy in items.hierarchies])
    losses = np.where(least < 1, (recoded.shares() - least) / np.where(least < 1, 1 - least, 1.0), 0.0)
    levels = dict(zip(items.names, levels_of(recoded), strict=True)) if kind == "global" else None
    return Point(
        recoding=kind,
        limits=limits,
        levels=levels,
        max_risk=1 / float(persons.min()) if len(persons) else 0.0,
        average_risk=average,
        suppressed=recoded.suppressed_records / max(1, items.records),
        granularity=recoded.granularity(),
        loss=Loss(items, wishes.weighed(items)).of(losses),
        classes=len(persons),
        optimal=recoded.optimal,
    )


def _check(ks: Sequence[int], kinds: Sequence[str], shares: Sequence[float]) -> None:
    if not ks or min(ks) < 1:
        raise InvalidParameter("the class sizes of a curve are whole numbers of at least 1", parameter="ks")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise InvalidParameter(f"recoding is one of {list(KINDS)}", parameter="recoding")
    if not shares or min(shares) < 0 or max(shares) > 1:
        raise InvalidParameter("suppression is a share in [0, 1]", parameter="suppression")


def _part(watch: Watch, number: int, many: int) -> Watch:
    """The watch of one search among many: its progress is a part of the whole."""
    progress = watch.progress
    if progress is None:
        return watch
    return replace(watch, progress=lambda stage, share: progress(stage, (number + share) / many))


def _unbeaten(found: Sequence[Point]) -> Iterator[Point]:
    """Of points that are equal the first is kept: the smallest class size that gives it."""
    kept: list[Point] = []
    for each in found:
        same = any(
            abs(each.max_risk - other.max_risk) <= _NEAR
            and abs(each.average_risk - other.average_risk) <= _NEAR
            and abs(each.loss - other.loss) <= _NEAR
            for other in kept
        )
        if not same and not any(other.beats(each) for other in found):
            kept.append(each)
            yield each

"""Effect of de-identification, grades 1 to 4 (去标识化效果), from reviewed roles and the measured risk.

Source: GB/T 42460-2023, 4: 1 direct identifiers left; 2 quasi-identifiers left, risk above the threshold;
3 quasi-identifiers left, risk acceptable; 4 no identifiers (aggregates). The thresholds are settings: 0.05 for full
publication (k = 20), 0.2 for controlled sharing (k = 5). Effect is necessary for opening, never sufficient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from masking.taxonomy import Effect

THRESHOLDS: Final[Mapping[str, float]] = {"full_public": 0.05, "controlled": 0.2}
"""Highest acceptable risk of one person, by sharing mode (GB/T 37964: 完全公开, 受控公开)."""

Sharing = Literal["full_public", "controlled"]


class Reviewed(Protocol):
    """What the grade needs to know of a masking policy: its reviewed roles, told by these names."""

    @property
    def is_aggregate(self) -> bool: ...
    @property
    def about_persons(self) -> bool: ...
    @property
    def free_text(self) -> tuple[str, ...]: ...
    @property
    def bare_identifiers(self) -> tuple[str, ...]: ...


def effect(
    policy: Reviewed,
    k: int | None,
    *,
    is_aggregate: bool | None = None,
    thresholds: Mapping[str, float] | None = None,
    sharing: Sharing = "controlled",
) -> Effect:
    """The grade of a masked table whose smallest class holds ``k`` persons (None: not about persons, or empty).

    Free text caps the grade at 2 until an independent sample is signed (PRIVACY 2); an aggregate has grade 4.
    """
    if policy.is_aggregate if is_aggregate is None else is_aggregate:
        return Effect(4)
    if policy.bare_identifiers:
        return Effect(1)
    if policy.free_text:
        return Effect(2)
    if not policy.about_persons:
        return Effect(4)
    return Effect(3) if acceptable(k, thresholds, sharing) else Effect(2)


def acceptable(k: int | None, thresholds: Mapping[str, float] | None = None, sharing: Sharing = "controlled") -> bool:
    """True if the risk of one person, 1/k, is at most the threshold of this sharing mode; False if k is unknown."""
    limit = {**THRESHOLDS, **(thresholds or {})}[sharing]
    return bool(k) and limit * k + 1e-9 >= 1  # type: ignore[operator]

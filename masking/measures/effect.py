"""Effect of de-identification, grades 1 to 4 (去标识化效果), from reviewed roles and the measured risk.

Source: GB/T 42460-2023, 4: 1 direct identifiers left; 2 quasi-identifiers left, risk above the threshold;
3 quasi-identifiers left, risk acceptable; 4 no identifiers (aggregates). The thresholds are settings: 0.05 for full
publication (k = 20), 0.2 for controlled sharing (k = 5). So is the attacker: the prosecutor, who knows that the person
is in the table, unless a reviewed reason says that nobody can know that. Effect is necessary for opening, never
sufficient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from masking.errors import InvalidParameter
from masking.measures.risk import Risk
from masking.taxonomy import Effect

THRESHOLDS: Final[Mapping[str, float]] = {"full_public": 0.05, "controlled": 0.2}
"""Highest acceptable risk of one person, by sharing mode (GB/T 37964: 完全公开, 受控公开)."""

SOURCES: Final[Mapping[str, str]] = {
    "full_public": "GB/T 42460-2023 annex D, worked example: k = 20",
    "controlled": "El Emam 2013, precedents of release under an agreement: k = 5",
}
"""Where the defaults come from; a city that sets its own names its own."""

Sharing = Literal["full_public", "controlled"]
Attacker = Literal["prosecutor", "journalist", "marketer"]


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
    attacker: Attacker = "prosecutor",
    risk: Risk | None = None,
) -> Effect:
    """The grade of a masked table whose smallest class holds ``k`` persons (None: not about persons, or empty).

    For another ``attacker`` than the prosecutor the table's measured ``risk`` decides in place of ``k``. Free text caps
    the grade at 2 until an independent sample is signed (PRIVACY 2); an aggregate has grade 4.

    Raises:
        InvalidParameter: a threshold is outside (0, 1], or the attacker has no measured risk.
    """
    limit = _limit(thresholds, sharing)
    highest = _highest(k, attacker, risk)
    if policy.is_aggregate if is_aggregate is None else is_aggregate:
        return Effect(4)
    if policy.bare_identifiers:
        return Effect(1)
    if policy.free_text:
        return Effect(2)
    if not policy.about_persons:
        return Effect(4)
    return Effect(3) if highest is not None and _within(highest, limit) else Effect(2)


def acceptable(k: int | None, thresholds: Mapping[str, float] | None = None, sharing: Sharing = "controlled") -> bool:
    """True if the risk of one person, 1/k, is at most the threshold of this sharing mode; False if k is unknown."""
    limit = _limit(thresholds, sharing)
    return k is not None and k > 0 and _within(1 / k, limit)


def attacked_risk(measured: Risk, attacker: Attacker = "prosecutor") -> float | None:
    """The figure in [0, 1] that a threshold is compared with; None if it was not measured, or nobody is in the table.

    Prosecutor and journalist: the highest risk of a person; the journalist's needs a population. Marketer: the share
    re-identified, in the population if one was given.
    """
    if not measured.persons:
        return None
    if attacker == "prosecutor":
        return measured.prosecutor_max
    if attacker == "journalist":
        return measured.journalist.max if measured.journalist else None
    return measured.journalist.marketer if measured.journalist else measured.marketer


def _highest(k: int | None, attacker: Attacker, risk: Risk | None) -> float | None:
    if risk is not None:
        return attacked_risk(risk, attacker)
    if attacker != "prosecutor":
        raise InvalidParameter(f"the risk from the {attacker} needs to be measured", parameter="risk")
    return 1 / k if k else None


def _limit(thresholds: Mapping[str, float] | None, sharing: Sharing) -> float:
    limit = {**THRESHOLDS, **(thresholds or {})}[sharing]
    if not 0 < limit <= 1:
        raise InvalidParameter("a risk threshold must be in (0, 1]", parameter=sharing)
    return limit


def _within(risk: float, limit: float) -> bool:
    """One person in k is within 1/k, however it was rounded."""
    return risk <= limit * (1 + 1e-9)

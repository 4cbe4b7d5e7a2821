"""The limits that a released table must meet: privacy models by the names that policies, searches and proofs share.

Sources: k-anonymity, Sweeney 2002; l-diversity, Machanavajjhala et al. 2007; t-closeness, Li et al. 2007; risk limits,
El Emam 2013 and GB/T 42460-2023; population uniqueness, Dankar et al. 2012; k-map, Sweeney 2001; delta-presence,
Nergiz et al. 2007. Persons are counted, not records. Every class is held to them, the suppressed records' too
(PRIVACY 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

from masking.errors import InvalidParameter, suggestion

Distance = Literal["equal", "ordered", "hierarchical"]
Estimator = Literal["dankar", "pitman", "zayatz", "snb"]
DISTANCES: Final[tuple[Distance, ...]] = get_args(Distance)
ESTIMATORS: Final[tuple[Estimator, ...]] = get_args(Estimator)


@dataclass(frozen=True, slots=True)
class Closeness:
    """t-closeness: how far a class's distribution of a sensitive attribute may lie from the whole table's."""

    t: float
    distance: Distance = "equal"
    hierarchies: Mapping[str, Any] = field(default_factory=dict)
    """For the hierarchical distance: {sensitive attribute: its hierarchy, or a file of it}."""


@dataclass(frozen=True, slots=True)
class PopulationUniqueness:
    """At most ``share`` of the persons are alone in a population of ``population`` persons, as ``estimator`` says."""

    share: float
    population: int
    estimator: Estimator = "dankar"


@dataclass(frozen=True, slots=True)
class Limits:
    """What every equivalence class, or the table, must meet. None: not asked for.

    ``k_anonymity``: persons in a class. ``distinct_l_diversity``: different sensitive values in a class;
    ``entropy_l_diversity``: exp of their entropy; ``recursive_cl_diversity`` (c, l): the most frequent value is rarer
    than c times all from the l-th on. ``max_risk``: highest 1/size of a class, in (0, 1]; ``average_risk``: classes by
    persons. ``k_map``: persons of the population table in a class. ``delta_presence``: least and greatest share of a
    population class that is in the table.

    ``suppression``: greatest share of records, in [0, 1], that may be suppressed or left out to meet all this.
    """

    k_anonymity: int | None = None
    distinct_l_diversity: int | None = None
    entropy_l_diversity: float | None = None
    recursive_cl_diversity: tuple[float, int] | None = None
    t_closeness: Closeness | None = None
    max_risk: float | None = None
    average_risk: float | None = None
    population_uniqueness: PopulationUniqueness | None = None
    k_map: int | None = None
    delta_presence: tuple[float, float] | None = None
    suppression: float = 0.0

    @classmethod
    def of(cls, given: Mapping[str, Any] | Limits) -> Limits:
        """From the mapping that policies and ``masking.anonymize`` hold.

        Raises:
            InvalidParameter: an unknown limit or a value outside its interval; names both.
        """
        if isinstance(given, Limits):
            return given
        known = [each.name for each in fields(cls)]
        for name in given:
            if name not in known:
                raise InvalidParameter(
                    f"there is no limit {str(name)!r}{suggestion(str(name), known)}; known: {known}", parameter="limits"
                )
        read: dict[str, Any] = {name: _READ[name](name, value) for name, value in given.items() if value is not None}
        return cls(**read)

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of the limits that are asked for; ``suppression`` is none."""
        return tuple(name for name in self.to_dict() if name != "suppression")

    @property
    def least_class(self) -> int:
        """Persons that every class needs by ``k_anonymity`` and ``max_risk`` together."""
        by_risk = 1 if self.max_risk is None else math.ceil(1 / self.max_risk - 1e-9)
        return max(1, self.k_anonymity or 1, by_risk)

    @property
    def k(self) -> int | None:
        """The least class as k, None where neither ``k_anonymity`` nor ``max_risk`` asks for one."""
        return None if self.k_anonymity is None and self.max_risk is None else self.least_class

    @property
    def needs_sensitive(self) -> tuple[str, ...]:
        """The limits that mean nothing without a sensitive attribute."""
        names = ("distinct_l_diversity", "entropy_l_diversity", "recursive_cl_diversity", "t_closeness")
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def needs_population(self) -> tuple[str, ...]:
        """The limits that need a table of the population."""
        return tuple(name for name in ("k_map", "delta_presence") if getattr(self, name) is not None)

    @property
    def of_the_table(self) -> bool:
        """True if a limit is met or not by the whole table: no class alone can break it."""
        return self.average_risk is not None or self.population_uniqueness is not None

    def to_dict(self) -> dict[str, Any]:
        """The limits that are asked, as ``of`` reads them."""
        found: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Closeness | PopulationUniqueness):
                value = {each.name: getattr(value, each.name) for each in fields(value)}
                value = {name: part for name, part in value.items() if part != {}}
            if value is not None and (entry.name != "suppression" or value):
                found[entry.name] = list(value) if isinstance(value, tuple) else value
        return found


def _number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    whole: bool = False,
    part: str = "",
    above: bool = False,
) -> Any:
    right = isinstance(value, int) if whole else isinstance(value, int | float)
    if isinstance(value, bool) or not right or not low <= value <= high or (above and value == low):
        kind = "a whole number" if whole else "a number"
        ends = f"{'above' if above else 'of at least'} {low:g}" + ("" if high == math.inf else f" and at most {high:g}")
        raise InvalidParameter(f"limit {name!r}{part} must be {kind} {ends}", parameter="limits")
    return value if whole else float(value)


def _size(name: str, value: Any) -> int:
    return int(_number(name, value, 1, whole=True))


def _share(name: str, value: Any) -> float:
    return float(_number(name, value, 0, 1, above=True))


def _suppression(name: str, value: Any) -> float:
    return float(_number(name, value, 0, 1))


def _entropy(name: str, value: Any) -> float:
    return float(_number(name, value, 1))


def _pair(name: str, value: Any, what: str) -> tuple[Any, Any]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise InvalidParameter(f"limit {name!r} must be {what}", parameter="limits")
    return value[0], value[1]


def _recursive(name: str, value: Any) -> tuple[float, int]:
    c, least = _pair(name, value, "[c, l]")
    return float(_number(name, c, 0, part=", c,", above=True)), int(_number(name, least, 1, whole=True, part=", l,"))


def _presence(name: str, value: Any) -> tuple[float, float]:
    low, high = _pair(name, value, "[least, greatest]")
    return (
        float(_number(name, low, 0, 1, part=", the least,")),
        float(_number(name, high, float(low), 1, part=", the greatest,")),
    )


def _mapping(name: str, value: Any, known: Sequence[str], needed: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or set(value) - set(known) or set(needed) - set(value):
        raise InvalidParameter(f"limit {name!r} is a mapping of {list(known)}", parameter="limits")
    return value


def _closeness(name: str, value: Any) -> Closeness:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = {"t": value}
    given = _mapping(name, value, ("t", "distance", "hierarchies"), ("t",))
    distance = given.get("distance", "equal")
    if distance not in DISTANCES:
        raise InvalidParameter(f"limit {name!r}: distance is one of {list(DISTANCES)}", parameter="limits")
    trees = given.get("hierarchies", {})
    if not isinstance(trees, Mapping):
        raise InvalidParameter(f"limit {name!r}: hierarchies is a mapping of sensitive attributes", parameter="limits")
    return Closeness(float(_number(name, given["t"], 0, 1, part=", t,")), distance, dict(trees))


def _population(name: str, value: Any) -> PopulationUniqueness:
    given = _mapping(name, value, ("share", "population", "estimator"), ("share", "population"))
    estimator = given.get("estimator", "dankar")
    if estimator not in ESTIMATORS:
        raise InvalidParameter(f"limit {name!r}: estimator is one of {list(ESTIMATORS)}", parameter="limits")
    share = float(_number(name, given["share"], 0, 1, part=", share,"))
    return PopulationUniqueness(share, int(_number(name, given["population"], 1, whole=True)), estimator)


_READ: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "k_anonymity": _size,
    "distinct_l_diversity": _size,
    "entropy_l_diversity": _entropy,
    "recursive_cl_diversity": _recursive,
    "t_closeness": _closeness,
    "max_risk": _share,
    "average_risk": _share,
    "population_uniqueness": _population,
    "k_map": _size,
    "delta_presence": _presence,
    "suppression": _suppression,
}

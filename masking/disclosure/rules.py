"""What a data owner decides about an aggregate table, as plain words and numbers that are checked before any data.

Rule: every parameter has a name, a kind and an interval; what is unknown or does not fit the method is refused by name,
never ignored. Counts may be protected by any method, sums and means only by suppression: rounding or noise of a few
persons hides no large contributor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from masking.disclosure.sensitivity import Sensitivity
from masking.errors import InvalidParameter, suggestion

METHODS: Final = ("suppression", "rounding", "random_rounding", "cell_key")
COSTS: Final = ("persons", "cells")
OF_METHOD: Final = {
    "suppression": {"dominance", "p_percent", "prior_posterior", "safety_range", "cost"},
    "rounding": {"base", "key"},
    "random_rounding": {"base", "key"},
    "cell_key": {"key", "deviation", "variance", "smallest", "zeros"},
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Parameters of ``protect``.

    ``threshold`` persons in [2, inf); ``dominance`` [n, share in (0, 1]]; ``p_percent`` in (0, 100];
    ``prior_posterior`` [p, q] with 0 < p < q; ``safety_range`` in (0, 1]; ``cost``: what to lose least of, persons or
    cells; ``base`` in [2, inf); ``deviation`` in [1, 100] and ``variance`` of the noise; counts 1 … ``smallest`` never
    appear; ``zeros``: empty cells get noise too; ``key``: a key's name; ``record``: columns that tell records apart
    where there is no person column; ``decimals`` of sums in [-12, 12]; ``total``: label of totals; ``tables``: sets of
    dimensions published together.
    """

    method: Literal["suppression", "rounding", "random_rounding", "cell_key"] = "suppression"
    threshold: int = 10
    dominance: tuple[int, float] | None = (1, 0.5)
    p_percent: float | None = None
    prior_posterior: tuple[float, float] | None = None
    safety_range: float = 0.2
    cost: Literal["persons", "cells"] = "persons"
    base: int = 5
    deviation: int = 5
    variance: float = 3.0
    smallest: int = 0
    zeros: bool = False
    key: str | None = None
    record: tuple[str, ...] = ()
    decimals: int = 2
    total: str = "Total"
    tables: tuple[tuple[str, ...], ...] = ()

    @property
    def sensitivity(self) -> Sensitivity:
        """The part that says which cells are primary."""
        return Sensitivity(self.threshold, self.dominance, self.p_percent, self.prior_posterior, self.safety_range)


def read_rules(given: Mapping[str, Any] | None) -> Rules:
    """Read parameters from a plain mapping, as a policy or a command has them.

    Raises:
        InvalidParameter: a parameter is unknown, of the wrong kind, outside its interval or of another method.
    """
    given = dict(given or {})
    known = [field.name for field in fields(Rules)]
    for name in given:
        if name not in known:
            raise InvalidParameter(
                f"rules have no parameter {name!r}{suggestion(str(name), known)}", parameter=str(name)
            )
    method = given.get("method", "suppression")
    if method not in METHODS:
        raise InvalidParameter(f"method must be one of {list(METHODS)}", parameter="method")
    foreign = sorted((set().union(*OF_METHOD.values()) - OF_METHOD[method]) & set(given))
    if foreign:
        raise InvalidParameter(f"{foreign[0]!r} is no parameter of the method {method!r}", parameter=foreign[0])
    _check_numbers(given)
    _check_pairs(given)
    for name in ("key", "total"):
        if name in given and (not isinstance(given[name], str) or not given[name]):
            raise InvalidParameter(f"{name} must be text", parameter=name)
    if not isinstance(given.get("zeros", False), bool):
        raise InvalidParameter("zeros must be true or false", parameter="zeros")
    if given.get("cost", "persons") not in COSTS:
        raise InvalidParameter(f"cost must be one of {list(COSTS)}", parameter="cost")
    if method in {"random_rounding", "cell_key"} and "key" not in given:
        raise InvalidParameter(f"the method {method!r} needs `key: <name of a key>`", parameter="key")
    for name in ("dominance", "prior_posterior", "record"):
        if given.get(name) is not None:
            given[name] = _names(given, name) if name == "record" else tuple(given[name])
    if "tables" in given:
        if isinstance(given["tables"], str) or not all(_is_list(each) and each for each in given["tables"]):
            raise InvalidParameter("tables must be a list of lists of dimensions", parameter="tables")
        given["tables"] = tuple(tuple(each) for each in given["tables"])
    return Rules(**given)


def _check_numbers(given: Mapping[str, Any]) -> None:
    for name, lowest, highest in (
        ("threshold", 2, 10**9),
        ("base", 2, 10**9),
        ("deviation", 1, 100),
        ("smallest", 0, 99),
        ("decimals", -12, 12),
    ):
        value = given.get(name, lowest)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise InvalidParameter(f"{name} must be a whole number in [{lowest}, {highest}]", parameter=name)
    for name, highest_share in (("p_percent", 100.0), ("safety_range", 1.0), ("variance", 10_000.0)):
        value = given.get(name)
        if name in given and not (name == "p_percent" and value is None) and not _positive(value, highest_share):
            raise InvalidParameter(f"{name} must be in (0, {highest_share:g}]", parameter=name)


def _check_pairs(given: Mapping[str, Any]) -> None:
    pair = given.get("dominance")
    if pair is not None and not (
        _is_list(pair) and len(pair) == 2 and type(pair[0]) is int and pair[0] >= 1 and _positive(pair[1], 1.0)
    ):
        raise InvalidParameter("dominance must be [n >= 1, share in (0, 1]]", parameter="dominance")
    pair = given.get("prior_posterior")
    if pair is not None and not (
        _is_list(pair) and len(pair) == 2 and all(_positive(each, 1e6) for each in pair) and pair[0] < pair[1]
    ):
        raise InvalidParameter("prior_posterior must be [p, q] with 0 < p < q", parameter="prior_posterior")


def _names(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if not _is_list(given[name]) or not all(isinstance(each, str) for each in given[name]):
        raise InvalidParameter(f"{name} must be a list of attributes", parameter=name)
    return tuple(given[name])


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _positive(value: Any, highest: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= highest

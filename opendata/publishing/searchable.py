"""A draft masking policy whose quasi-identifiers a search may generalize: hierarchies for those that have none.

What the draft already generalizes is not made finer: its technique becomes the lowest level of a hierarchy that goes
on from there (open ends of bands are given up: the limits guard the ends). Only where the draft keeps the value the
data are looked at, and of them only the type, the length and the spread (``masking.hierarchies.proposal``). A technique
that no hierarchy can stand for is refused by its attribute's name.
Source: PRIVACY.md 2 (all quasi-identifiers together), 5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from masking.hierarchies import proposal
from masking.policy import AttributeRule, MaskingPolicy
from masking.policy.model import KEEP, RECODING
from opendata.catalog.texts import text
from opendata.publishing.errors import PublicationRefused

LEAST_K: Final = 2
DOUBLED: Final = 6
"""Levels of intervals above a technique's own width, each twice as wide."""
DATE_LEVELS: Final = {"month": 1, "quarter": 2, "year": 3, "year_band:10": 4}
CODE_LENGTHS: Final = {"REGION": (9, 6, 4, 2), "POSTCODE": (4, 3, 2)}
"""Characters of a code that name a larger area, by the type that detection found (GB/T 2260, GB/T 10114, GB/T 6831)."""
DIVISION_LENGTHS: Final = (6, 4, 2)
DIVISION_LEVELS: Final = {"county": 1, "city": 2, "province": 3}

Parameters = dict[str, Any]


def check_searchable(policy: MaskingPolicy) -> None:
    """Raise PublicationRefused unless a search can decide on all quasi-identifiers that the policy releases."""
    if policy.is_aggregate:
        raise PublicationRefused(
            text(
                "这份策略发布汇总表，没有逐条记录可以泛化，不能计算曲线。",
                "This policy releases an aggregate table: there are no records to generalize and no curve.",
            )
        )
    if not policy.quasi_identifiers:
        raise PublicationRefused(
            text(
                "这份策略没有保留准标识符，没有可以泛化的列。请先在脱敏策略中核对属性角色。",
                "This policy keeps no quasi-identifier, so there is nothing to generalize. Check the roles first.",
            )
        )
    fixed = [name for name in policy.quasi_identifiers if _fixed(policy.attributes[name])]
    if fixed:
        raise PublicationRefused(
            text(
                f"以下准标识符的处理方式不能逐级泛化：{'、'.join(fixed)}。请为其选择“逐级泛化”或整列删除。",
                f"No hierarchy can stand for the technique of {', '.join(fixed)}. Give each a hierarchy of its own "
                "(“by levels”), or drop it.",
            )
        )


def replaced(policy: MaskingPolicy) -> dict[str, str]:
    """The quasi-identifiers that need a proposed hierarchy, and the technique it stands for."""
    rules = [policy.attributes[name] for name in policy.quasi_identifiers]
    return {rule.name: rule.technique for rule in rules if rule.technique != RECODING}


def reads_data(policy: MaskingPolicy) -> tuple[str, ...]:
    """Those of them whose hierarchy is proposed from the data."""
    return tuple(name for name, technique in replaced(policy).items() if technique == KEEP)


def propose(
    policy: MaskingPolicy, columns: Mapping[str, pa.ChunkedArray], types: Mapping[str, str] | None = None
) -> dict[str, Parameters]:
    """Parameters of ``generalization.recoding`` for each quasi-identifier that lacks them.

    ``columns``: the values of ``reads_data``. ``types``: what detection took columns for; numbers that are codes of
    divisions or postcodes are no quantities.
    """
    known = types or {}
    found: dict[str, Parameters] = {}
    for name, technique in replaced(policy).items():
        rule = policy.attributes[name]
        kept = technique == KEEP
        found[name] = _of_data(columns[name], known.get(name, "")) if kept else _STANDS_FOR[technique](rule.parameters)
    return found


def searchable(policy: MaskingPolicy, parameters: Mapping[str, Parameters]) -> MaskingPolicy:
    """The policy with these hierarchies, and at least the limit that a search works for."""
    attributes = {
        name: dataclasses.replace(rule, technique=RECODING, parameters=parameters[name], line=0)
        if name in parameters
        else rule
        for name, rule in policy.attributes.items()
    }
    limits = policy.limits if policy.limits.k else dataclasses.replace(policy.limits, k_anonymity=LEAST_K)
    return dataclasses.replace(policy, attributes=attributes, limits=limits, source_text="")


def _fixed(rule: AttributeRule) -> bool:
    """True for a rule that the search cannot take over without showing more than the officer decided."""
    if rule.otherwise is not None:
        return True
    if rule.technique in (RECODING, KEEP):
        return False
    return rule.technique not in _STANDS_FOR or _STANDS_FOR[rule.technique](rule.parameters) is None


def _of_data(column: pa.ChunkedArray, type_: str) -> Parameters:
    if column.null_count == len(column):
        return {}
    if type_ in CODE_LENGTHS:
        codes = column.cast(pa.string()).drop_null()
        lengths = pc.min_max(pc.utf8_length(codes)).as_py()
        shorter = [length for length in CODE_LENGTHS[type_] if length < lengths["max"]]
        digits = pc.all(pc.match_substring_regex(codes, "^[0-9]+$")).as_py()
        if digits and lengths["min"] == lengths["max"] and shorter:
            return {"prefixes": shorter, "fill": "0"} if type_ == "REGION" else {"prefixes": shorter}
    given = proposal(column)
    steps = given.get("intervals")
    return given if steps is None else {"intervals": [int(step) if step == int(step) else step for step in steps]}


def _date(given: Mapping[str, Any]) -> Parameters | None:
    level = DATE_LEVELS.get(str(given.get("to")))
    return None if level is None else {"calendar": True, "lowest": level}


def _bands(given: Mapping[str, Any]) -> Parameters | None:
    return _intervals(given.get("width"), given.get("lower"))


def _rounding(given: Mapping[str, Any]) -> Parameters | None:
    return _intervals(given.get("base"), None)


def _intervals(width: Any, origin: Any) -> Parameters | None:
    if not isinstance(width, int | float) or isinstance(width, bool) or width <= 0:
        return None  # bands of the officer's own edges have no multiples
    found: Parameters = {"intervals": [width * 2**power for power in range(DOUBLED)], "lowest": 1}
    # Where the first band begins counts only if the wider ones do not begin there anyway.
    return found | ({"origin": origin} if origin and origin % found["intervals"][-1] else {})


def _code(given: Mapping[str, Any]) -> Parameters | None:
    return _prefixes(given.get("keep_first"))


def _postcode(given: Mapping[str, Any]) -> Parameters | None:
    return _prefixes(given.get("digits"))


def _prefixes(longest: Any) -> Parameters | None:
    if not isinstance(longest, int) or isinstance(longest, bool) or longest < 1:
        return None
    return {"prefixes": list(range(longest, 0, -1)), "lowest": 1}


def _division(given: Mapping[str, Any]) -> Parameters | None:
    level = DIVISION_LEVELS.get(str(given.get("to")))
    if level is None or given.get("names"):
        return None
    return {"prefixes": list(DIVISION_LENGTHS), "fill": "0", "lowest": level}


def _listed(given: Mapping[str, Any]) -> Parameters | None:
    source: Sequence[str] = [name for name in ("mapping", "file") if given.get(name) is not None]
    if len(source) != 1 or given.get("on_missing", "reject") != "reject":
        return None
    return {source[0]: given[source[0]], "lowest": given.get("level", 1)}


_STANDS_FOR: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "generalization.date": _date,
    "generalization.bands": _bands,
    "generalization.rounding": _rounding,
    "generalization.code_prefix": _code,
    "generalization.postcode": _postcode,
    "generalization.division": _division,
    "generalization.hierarchy": _listed,
}

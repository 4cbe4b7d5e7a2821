"""Groupings that a data officer registered: the dimensions of fixed tables and the hierarchies of a masking policy.

An output whose labels are their codes or titles is looked at in the raw table by them (`checks.derived`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import Any

from masking import techniques
from masking.errors import MaskingError
from masking.policy.fixed_bins import HIERARCHY, Bins, bins
from masking.policy.fixed_tables import FixedDimension
from masking.policy.model import AttributeRule, MaskingPolicy
from sandbox.airlock.checks.derived import Band, Bands, Categories, Registered


def registered_of(policy: MaskingPolicy) -> tuple[Registered, ...]:
    """All of a saved policy's, which holds its hierarchies itself. What cannot be read is left out."""
    return tuple(found for found in _all(policy) if found is not None)


def _all(policy: MaskingPolicy) -> Iterator[Registered | None]:
    tables = policy.sandbox.tables
    for dimension in tables.dimensions if tables else ():
        yield _of_dimension(dimension, policy.attributes[dimension.column])
    for rule in policy.attributes.values():
        if rule.technique == HIERARCHY:
            yield _of_hierarchy(rule)


def _of_dimension(dimension: FixedDimension, rule: AttributeRule) -> Registered | None:
    try:
        found = bins(dimension, rule)
    except MaskingError:
        return None
    if not found.edges:
        return Categories(dimension.column, _names(found), found.groups, dimension.characters)
    if dimension.characters is not None or any(isinstance(edge, str) for edge in found.edges):
        return None
    named = {
        code: Band(*_bounds(low, high)) for code, (low, high) in zip(found.codes, pairwise(found.edges), strict=True)
    }
    return Bands(dimension.column, {label: named[code] for label, code in _names(found).items()})


def _of_hierarchy(rule: AttributeRule) -> Categories | None:
    try:
        made: Any = techniques.get(HIERARCHY).check(rule.parameters, attribute=rule.name, key=None)
    except MaskingError:
        return None
    groups = {str(leaf): str(level) for leaf, level in made.table.items()}
    return Categories(rule.name, {level: level for level in groups.values()}, groups)


def _names(found: Bins) -> dict[str, str]:
    """Codes, and their titles in each language where no two share one."""
    titles = [(title, code) for code, of in zip(found.codes, found.titles, strict=True) for title in set(of.values())]
    once = {title: code for title, code in titles if [each for each, _ in titles].count(title) == 1}
    return once | {code: code for code in found.codes}


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    return (-inf if low is None else float(low), inf if high is None else float(high))

"""Generalization by levels (``generalization.recoding``) in the policy form: steps, lowest and highest level, weight.

Hierarchies that are written out (a mapping) are changed in the YAML or by a file; their levels and weight here too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from masking import techniques
from masking.errors import InvalidParameter, PolicyError
from masking.messages import in_chinese
from masking.policy import AttributeRule
from masking.policy.model import RECODING
from opendata.web.form_fields import Typed, numbers, shown

MOST_LEVELS = 100
LABELS: dict[str, Mapping[str, str]] = {
    "steps": {"zh": "各级", "en": "levels"},
    "lowest": {"zh": "最低层级", "en": "lowest level"},
    "highest": {"zh": "最高层级", "en": "highest level"},
    "weight": {"zh": "损失权重", "en": "weight"},
    "parameters": {"zh": "参数", "en": "parameters"},
}
STEPS = ("intervals", "prefixes")
KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "recode_intervals": {"intervals": [5, 10, 20]},
        "recode_prefixes": {"prefixes": [4, 2]},
        "recode_calendar": {"calendar": True},
        "recode_flat": {},
    }
)
"""Choices of the form and the hierarchy each begins with."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The fields of one attribute; ``steps`` is None for a hierarchy that has none."""

    steps: str | None
    lowest: str
    highest: str
    weight: str


def kind_of(rule: AttributeRule) -> str | None:
    """The choice of the form that a rule stands for; None: it is none of them."""
    if rule.technique != RECODING or rule.otherwise is not None:
        return None
    given = [name for name in ("mapping", "file", "intervals", "prefixes", "calendar") if rule.parameters.get(name)]
    if not given:
        return "recode_flat"
    return f"recode_{given[0]}" if f"recode_{given[0]}" in KINDS else None


def levels_of(rule: AttributeRule) -> Levels | None:
    """What the form shows of a rule; None for another technique."""
    if rule.technique != RECODING:
        return None
    given = rule.parameters
    steps = next((given[name] for name in STEPS if given.get(name)), None)
    return Levels(
        steps=None if steps is None else ", ".join(shown(step) for step in steps),
        lowest=shown(given.get("lowest")),
        highest=shown(given.get("highest")),
        weight=shown(given.get("weight")),
    )


def changed(rule: AttributeRule, index: int, typed: Typed, begin: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters of the attribute as the form wants them; what is wrong is noted in ``typed``.

    ``begin``: the hierarchy of a choice that was just made; None where the rule's own stays.
    """
    same = begin is None
    parameters = dict(rule.parameters if begin is None else begin)
    shown_now = levels_of(rule)
    for name in STEPS:
        field = f"steps-{index}"
        text = typed.text(field)
        # Steps of the kind before mean nothing to another kind, which begins with its own.
        if name in parameters and text and (same or shown_now is None or text != shown_now.steps):
            parameters[name] = _steps(name, field, text, typed) or parameters[name]
    for name, least, most in (("lowest", 0, MOST_LEVELS), ("highest", 0, MOST_LEVELS)):
        _set(parameters, name, typed.whole(f"{name}-{index}", parameters.get(name), least=least, most=most))
    weight = typed.number(f"weight-{index}", parameters.get("weight"), least=0, most=1_000_000, above=True)
    _set(parameters, "weight", int(weight) if weight is not None and float(weight).is_integer() else weight)
    _check(parameters, rule.name, index, typed)
    return parameters


def _steps(name: str, field: str, text: str, typed: Typed) -> list[float] | None:
    found = numbers(text)
    if name == "intervals":
        if found is None or min(found) <= 0 or not _multiples(found):
            typed.fault(
                field,
                "区间宽度由小到大，各为前一个的整数倍，例如 5, 10, 20",
                "Widths rise, each a multiple of the one before: 5, 10, 20",
            )
            return None
    elif found is None or not all(isinstance(each, int) and each >= 1 for each in found) or not _falls(found):
        typed.fault(field, "保留位数由多到少，例如 4, 2", "Lengths are whole numbers that fall: 4, 2")
        return None
    return found


def _multiples(steps: list[float]) -> bool:
    return all(
        big > small and math.isclose(big / small, round(big / small), rel_tol=1e-9)
        for small, big in itertools.pairwise(steps)
    )


def _falls(lengths: list[float]) -> bool:
    return lengths == sorted(set(lengths), reverse=True)


def _set(parameters: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        parameters.pop(name, None)
    else:
        parameters[name] = value


def _check(parameters: Mapping[str, Any], attribute: str, index: int, typed: Typed) -> None:
    """Levels that the hierarchy does not have are wrong beside their field. Files are not read here."""
    try:
        techniques.get(RECODING).check(parameters, attribute=attribute)
    except InvalidParameter as error:
        if error.parameter == "file":
            return
        place = error.parameter if error.parameter in ("lowest", "highest", "weight") else "steps"
        if place == "highest" and parameters.get("highest") is None:
            place = "lowest"
        said = PolicyError.__str__(error)  # the field's label names the attribute
        typed.fault(f"{place}-{index}", in_chinese(said), said)
    except PolicyError as error:
        typed.fault(f"steps-{index}", in_chinese(str(error)), str(error))

"""One sentence per attribute that says in words what the policy does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from masking.policy.model import MaskingPolicy


@dataclass(frozen=True, slots=True)
class Explained:
    """One attribute in words. ``title`` is its item name in the language asked for."""

    attribute: str
    title: str
    sentence: str


def explain(policy: MaskingPolicy, lang: Literal["zh", "en"] = "zh") -> list[Explained]:
    """A sentence per attribute, in the policy's order."""
    raise NotImplementedError

"""The airlock's thresholds: ``defaults.yaml`` beside this file, tightened by the datasets' own sandbox rules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Self

import yaml

from masking.policy.model import SandboxRules
from sandbox.airlock.errors import AirlockInvalid
from sandbox.workspaces.visibility import Ticks

DEFAULTS = Path(__file__).with_name("defaults.yaml")
RUN_WALL_S = 600.0
"""Seconds a dry or sealed run may take."""
REGISTERED_KINDS = ("frequency", "magnitude", "model")


@dataclass(frozen=True, slots=True)
class AirlockLimits:
    """Thresholds of one check run. Units stand in ``defaults.yaml``."""

    threshold: int
    rounding: int
    significant_digits: int
    max_files: int
    max_bytes: int
    max_rows: int
    max_columns: int
    max_cells: int
    registered_max_cells: int
    max_text: int
    max_labels: int
    max_compressed: int
    max_strange_text: int
    registered_max_compressed: int
    quantile_tail: int
    max_figure_marks: int
    max_model_terms: int
    degrees_of_freedom: int
    dominance_percent: int
    high_cardinality: int
    checker_pool_minimum: int
    pair_cap: int
    tick_base_s: int
    seed_one_in: int
    seed_pool_minimum: int
    registered_only: bool = False
    kinds: tuple[str, ...] = REGISTERED_KINDS

    @classmethod
    def load(cls, path: Path = DEFAULTS) -> Self:
        """Read the YAML; an unknown, missing or non-positive number is an error."""
        given = yaml.safe_load(path.read_text("utf-8"))
        names = {field.name for field in fields(cls)} - {"registered_only", "kinds"}
        if not isinstance(given, dict) or given.pop("version", None) != 1 or set(given) != names:
            raise AirlockInvalid(f"{path.name} 的条目不完整 · {path.name} must hold version 1 and {sorted(names)}")
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
                raise AirlockInvalid(f"{path.name}: {name} 须为正整数 · {name} must be a positive whole number")
        return cls(**given)

    def tightened(self, rules: Iterable[SandboxRules], *, registered_only: bool) -> Self:
        """These limits under the strictest of several datasets' rules; nothing ever gets looser."""
        rules = list(rules)
        kinds = tuple(k for k in REGISTERED_KINDS if all(k in rule.kinds for rule in rules))
        cells = min([self.registered_max_cells, *(rule.max_cells for rule in rules)])
        return replace(
            self,
            threshold=max([self.threshold, *(rule.threshold for rule in rules)]),
            rounding=math.lcm(self.rounding, *(max(1, rule.rounding) for rule in rules)),
            registered_max_cells=cells,
            max_cells=cells if registered_only else self.max_cells,
            max_compressed=self.registered_max_compressed if registered_only else self.max_compressed,
            registered_only=registered_only,
            kinds=kinds,
        )


@cache
def default_limits() -> AirlockLimits:
    """The limits of ``defaults.yaml``."""
    return AirlockLimits.load()


def airlock_ticks() -> Ticks:
    """The moments at which a sealed job's visible state may change."""
    return Ticks(base_s=float(default_limits().tick_base_s), wall_s=RUN_WALL_S)

"""Reads and writes masking policies as YAML; every error names line and column and, for a near miss, the right word."""

from __future__ import annotations

from pathlib import Path

from masking.policy.model import MaskingPolicy


def load(source: str | Path) -> MaskingPolicy:
    """The policy in ``source``: a path, or YAML text (a string with a line break is text)."""
    raise NotImplementedError


def dump(policy: MaskingPolicy) -> str:
    """YAML text that ``load`` reads back to an equal policy."""
    raise NotImplementedError

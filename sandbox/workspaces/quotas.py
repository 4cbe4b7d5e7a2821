"""How much one workspace may use, by its level: jobs at once and a day, status bits, members, size of homes.

Source: ``quotas.yaml`` beside this file. Which jobs still run is judged by what their author may see at the last tick,
so that a refused submission tells nothing more than the page does (PRIVACY.md 14).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Self

import yaml

from sandbox.contracts import HOME_BYTES, MIB
from sandbox.workspaces.errors import WorkspaceDenied, WorkspaceInvalid

FILE = Path(__file__).with_name("quotas.yaml")
LEVELS = ("L1", "L2", "L3", "L4")


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of one level; every number is in [1, inf), the size of a home within ``HOME_BYTES``."""

    jobs_at_once: int
    jobs_a_day: int
    bits: int
    members: int
    home_mib: int


@dataclass(frozen=True, slots=True)
class Quotas:
    """All levels, and how long homes outlive their workspace, in days."""

    levels: dict[str, Quota]
    home_days_after_end: int

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read the YAML; an unknown, missing or non-positive number, or a quota wider at a higher level, fails."""
        given = yaml.safe_load(path.read_text("utf-8"))
        try:
            if given["version"] != 1 or set(given) != {"version", "levels", "home_days_after_end"}:
                raise WorkspaceInvalid(f"{path.name} 的条目不完整 · {path.name} must hold version 1 and its entries")
            levels = {name: _quota(given["levels"][name]) for name in LEVELS}
            days = _positive(given["home_days_after_end"])
        except (KeyError, TypeError, ValueError):
            raise WorkspaceInvalid(f"{path.name} 的条目有误 · {path.name} is incomplete or wrong") from None
        for lower, higher in pairwise(LEVELS):
            if any(getattr(levels[higher], f.name) > getattr(levels[lower], f.name) for f in fields(Quota)):
                raise WorkspaceInvalid(f"{higher} 的配额比 {lower} 宽 · {higher} has a wider quota than {lower}")
        return cls(levels, days)

    def of(self, level: str) -> Quota:
        """The quota at ``level``; levels that admit no sandbox have none."""
        if level not in self.levels:
            raise WorkspaceDenied(f"{level} 级没有沙箱配额 · there is no quota at level {level}")
        return self.levels[level]


@cache
def default_quotas() -> Quotas:
    """The quotas of ``quotas.yaml``."""
    return Quotas.load()


def check_jobs(quota: Quota, *, running: int, today: int) -> None:
    """Raise if one more job would be too many at once or too many within 24 hours."""
    if running >= quota.jobs_at_once:
        raise WorkspaceDenied(
            f"沙箱已有 {running} 个未结束的作业，最多 {quota.jobs_at_once} 个；请等其中一个结束或取消 · "
            f"{running} jobs have not ended, {quota.jobs_at_once} may run at once; wait for one or cancel it",
        )
    if today >= quota.jobs_a_day:
        raise WorkspaceDenied(
            f"24 小时内已提交 {today} 个作业，最多 {quota.jobs_a_day} 个；请明天再试 · "
            f"{today} jobs were handed in within 24 hours, the limit is {quota.jobs_a_day}; try again tomorrow",
        )


def check_members(quota: Quota, members: int) -> None:
    """Raise if one more member would be too many."""
    if members >= quota.members:
        raise WorkspaceDenied(
            f"这一级别的沙箱最多 {quota.members} 名成员 · at this level: {quota.members} members at most",
        )


def _quota(given: object) -> Quota:
    names = {field.name for field in fields(Quota)}
    if not isinstance(given, dict) or set(given) != names:
        raise ValueError("quota")
    quota = Quota(**{name: _positive(given[name]) for name in names})
    if not HOME_BYTES[0] <= quota.home_mib * MIB <= HOME_BYTES[1]:
        raise ValueError("home_mib")
    return quota


def _positive(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("positive")
    return value

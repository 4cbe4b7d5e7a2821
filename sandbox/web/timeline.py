"""A job's way as its author may see it: steps, where it stands, and the next moment at which that may change.

Everything comes from the author's view of the job (PRIVACY.md 14) and from moments the author caused or the ticks
fixed, so two jobs that look the same have the same timeline. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sandbox.workspaces.visibility import Ticks

Mark = Literal["done", "now", "failed", "todo"]
STEPS: Final[tuple[tuple[str, str], ...]] = (
    ("submit", "提交"),
    ("dry", "试运行与检查"),
    ("code", "代码审查"),
    ("sealed", "密封运行"),
    ("check", "出域审查"),
    ("release", "放行"),
)
_AT: Final[dict[str, tuple[str, Mark]]] = {
    "submitted": ("dry", "now"),
    "dry_running": ("dry", "now"),
    "dry_failed": ("dry", "failed"),
    "code_review": ("code", "now"),
    "code_rejected": ("code", "failed"),
    "queued": ("sealed", "now"),
    "running": ("sealed", "now"),
    "finished": ("check", "now"),
    "released": ("release", "done"),
    "returned": ("check", "failed"),
    "rejected": ("check", "failed"),
    "revoked": ("release", "failed"),
    "cancelled": ("submit", "failed"),
    "unavailable": ("dry", "failed"),
}
MOVING: Final = frozenset({"submitted", "dry_running", "code_review", "queued", "running", "finished"})
CANCELLABLE: Final = frozenset({"submitted", "dry_running", "code_review", "queued"})


@dataclass(frozen=True, slots=True)
class Next:
    """When to look again. ``kind``: soon (seconds), tick (a fixed moment), people (a day), none."""

    kind: Literal["soon", "tick", "people", "none"]
    at: datetime | None
    refresh_s: int | None


def steps_of(state: str, *, reviewed: bool) -> list[dict[str, str]]:
    """The steps with their marks; without code review where the level asks for none."""
    here, mark = _AT[state]
    shown = [step for step in STEPS if step[0] != "code" or reviewed or here == "code"]
    place = [key for key, _ in shown].index(here)
    return [
        {"key": key, "label": label, "mark": "done" if n < place else (mark if n == place else "todo")}
        for n, (key, label) in enumerate(shown)
    ]


def next_moment(
    state: str, *, queued_at: datetime | None, review_due_at: datetime | None, now: datetime, ticks: Ticks
) -> Next:
    """When the state may change next, as far as it is known to the author."""
    if state in {"submitted", "dry_running"}:
        return Next("soon", None, 2)
    if state in {"queued", "running"} and queued_at is not None:
        at = ticks.next_at(queued_at, now + timedelta(milliseconds=1))
        return Next("tick", at, max(2, min(int((at - now).total_seconds()) + 1, 60)))
    if state in {"code_review", "finished"}:
        return Next("people", review_due_at, 60)
    return Next("none", None, None)


def stands_still(jobs: list[dict[str, Any]]) -> bool:
    """Whether sessions of the workspace may stand still, as far as its members may know.

    A run that ends before its first tick never shows as running: while it shows as queued, sessions stood still too.
    """
    return any(job["state"] in {"queued", "running"} for job in jobs)

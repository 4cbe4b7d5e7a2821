"""How fast a run goes and how long it will still take. Time comes in as seconds: nothing here reads a clock."""

from dataclasses import dataclass

from masking.engines.measuring import has_limits
from masking.policy.model import MaskingPolicy
from masking.techniques import get
from masking.techniques.base import WholeColumn


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a run is. ``rate``: records a second of this stage; ``remaining_s``: of all stages, None while unknown."""

    stage: str
    rows: int
    rate: float
    remaining_s: float | None


class Meter:
    """
    Makes a pace of what ``progress`` is told.

    ``total`` records go through each of ``stages`` (``stages_of``); None: unknown, then only rates are given. ``now``
    is the time at which the run begins.
    """

    def __init__(self, stages: tuple[str, ...], total: int | None, now: float) -> None:
        self._left = list(stages)
        self._total = total
        self._stage = ""
        self._began = self._told = now

    def at(self, stage: str, rows: int, now: float) -> Pace:
        """Where the run is when ``progress(stage, rows)`` is called at time ``now``."""
        if stage != self._stage:
            self._stage, self._began = stage, self._told
            while stage in self._left:
                self._left.pop(0)
        self._told = now
        passed = now - self._began
        rate = rows / passed if passed > 0 else 0.0
        if self._total is None or not rate:
            return Pace(stage, rows, rate, None)
        left = max(0, self._total - rows) + len(self._left) * self._total
        return Pace(stage, rows, rate, left / rate)


def stages_of(policy: MaskingPolicy) -> tuple[str, ...]:
    """The stages of a run in order: each reads the table once."""
    branches = [branch for rule in policy.attributes.values() for branch in rule.branches]
    fit = ("fit",) if any(issubclass(get(branch.technique), WholeColumn) for branch in branches) else ()
    if policy.recoded:
        fit = (*fit, "fit", "search")
    if policy.is_aggregate:
        return (*fit, "measure")
    return (*fit, "measure", "write") if has_limits(policy) else (*fit, "write")

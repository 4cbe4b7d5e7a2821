"""Plans of a risk–utility curve: from a policy and its table to points, from a point to the policy that gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from masking.cli import files, quick

if TYPE_CHECKING:
    from masking.policy.model import MaskingPolicy
    from masking.recoding.curve import Point
    from masking.recoding.find import Kind

LEAST_K: Final = 2
"""What makes a search of a policy that asks for nothing."""


def searchable(policy: MaskingPolicy, table: Path) -> MaskingPolicy:
    """The policy with a proposed hierarchy for each quasi-identifier that it keeps as it is, and a limit at least.

    Other techniques stay: a search that may not decide on them says so when the policy is checked.
    """
    from masking.hierarchies import proposal
    from masking.policy.model import KEEP, RECODING

    kept = [name for name in policy.quasi_identifiers if policy.attributes[name].technique == KEEP]
    known = set(files.open_table(table).schema.names)
    values = quick.values_of(table, [name for name in kept if name in known])
    attributes = dict(policy.attributes)
    for name, column in values.items():
        parameters = proposal(column) if len(column) else {}
        attributes[name] = replace(attributes[name], technique=RECODING, parameters=parameters, line=0)
    limits = policy.limits if policy.limits.asked else replace(policy.limits, k_anonymity=LEAST_K, suppression=1.0)
    return replace(policy, attributes=attributes, limits=limits, source_text="")


def curve(
    policy: MaskingPolicy,
    table: Path,
    folder: Path,
    *,
    ks: Sequence[int],
    recoding: Sequence[Kind],
    suppression: Sequence[float],
    progress: Callable[[str, int], None],
    stop: Callable[[], bool] | None,
    cancelled: Callable[[], bool],
) -> tuple[Point, ...]:
    """The plans for a table under a policy whose quasi-identifiers a search decides on.

    Class sizes are what the curve tries; every other limit of the policy holds for every plan.

    Raises:
        PolicyError: the policy does not fit the table, or has no quasi-identifier to generalize.
        DataError: a hierarchy does not name every value.
        Cancelled: ``cancelled`` said so.
    """
    from masking.engines.local import compile as compile_policy
    from masking.engines.local import fit
    from masking.errors import Cancelled, PolicyError
    from masking.keys import ThrowawayKeys
    from masking.recoding.curve import risk_utility_curve
    from masking.recoding.search import Watch

    plan = compile_policy(policy, files.open_table(table).schema, ThrowawayKeys(), files=folder)
    joint = plan.joint
    if joint is None:
        raise PolicyError("a curve needs records with quasi-identifiers that may be generalized")
    if plan.unfitted:
        plan = fit(plan, files.open_table(table), progress=progress, cancelled=cancelled)
    coder, rows = joint.coder(), 0
    for batch in files.open_table(table):
        if cancelled():
            raise Cancelled("the run was cancelled; nothing was written")
        plan.code(batch, coder)
        rows += batch.num_rows
        progress("fit", rows)
    if not coder.records:
        return ()
    items = joint.items(coder)
    watch = Watch(lambda _stage, share: progress("search", int(share * rows)), stop, cancelled)
    return risk_utility_curve(
        items,
        joint.wishes(items),
        watch,
        ks=ks,
        recoding=recoding,
        suppression=suppression or (policy.limits.suppression,),
        limits=replace(policy.limits, k_anonymity=None),
    )


def chosen(policy: MaskingPolicy, point: Point) -> MaskingPolicy:
    """The policy held to one point; levels of whole columns are written down, so that no search is left."""
    attributes = dict(policy.attributes)
    for name, level in (point.levels or {}).items():
        rule = attributes[name]
        attributes[name] = replace(rule, parameters={**rule.parameters, "lowest": level, "highest": level}, line=0)
    return replace(policy, attributes=attributes, limits=point.limits, recoding=point.recoding, source_text="")

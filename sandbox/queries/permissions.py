"""Who gets answers from fixed tables, and who may have them computed. Deciders over plain values.

Rule: level L1 answers everybody; level L2 answers people with a living grant, members of a living workspace that holds
the dataset, and the providing department. The officers of that department have them computed. Source: DESIGN 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from masking.taxonomy import DataLevel
from opendata.access.errors import AccessDenied, Code
from opendata.catalog.grades import Door
from opendata.catalog.texts import Text, text
from opendata.identity import Actor, Role
from sandbox.queries.errors import TablesDenied

FOR_EVERYBODY = frozenset({DataLevel.L1})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision needs to know: the raw level, whether the matrix opens the door, and what the viewer has here."""

    level: DataLevel | None
    door_open: bool
    published: bool
    department: bool
    grant: bool
    member: bool
    clause: Text
    nearest: Door


def check_can_ask(actor: Actor | None, standing: Standing) -> None:
    """Raise AccessDenied with the nearest door unless the viewer gets answers."""
    if not standing.door_open or standing.level is None:
        raise AccessDenied(
            text("这一级别的数据不提供固定口径统计。", "Data of this level is not answered from fixed tables."),
            clause=standing.clause,
            door=standing.nearest,
            code="not_open",
        )
    if not standing.published:
        raise AccessDenied(
            text("目前没有可查询的固定口径统计。", "There are no fixed tables to ask now."),
            clause=standing.clause,
            door=standing.nearest,
            code="not_open",
        )
    if standing.level in FOR_EVERYBODY or standing.department or standing.grant or standing.member:
        return
    reason = text(
        "固定口径统计只向持有有效使用许可的人、沙箱成员和提供部门开放。",
        "These fixed tables answer people with a living grant, members of a sandbox workspace, and the department.",
    )
    code: Code = "sign_in" if actor is None else "denied"
    raise AccessDenied(reason, clause=standing.clause, door=standing.nearest, code=code)


def check_may_compute(actor: Actor, organization_id: str) -> None:
    """Raise TablesDenied unless the actor is a data officer of the providing department."""
    if Role.DATA_OFFICER not in actor.roles or actor.organization_id != organization_id:
        raise TablesDenied(
            "只有提供部门的数据专员可以计算固定口径统计 · "
            "only the providing department's data officers have fixed tables computed"
        )


def may_compute(actor: Actor | None, organization_id: str) -> bool:
    """The same as yes or no."""
    try:
        if actor is not None:
            check_may_compute(actor, organization_id)
            return True
    except TablesDenied:
        pass
    return False

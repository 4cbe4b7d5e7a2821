"""What routes of the sandbox ask for: the matrix of grades, the raw body, a workspace for someone who may be in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.web.problems import Problem
from sandbox.workspaces import permissions, rules
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace


def get_grades(request: Request) -> Grades:
    """The matrix of grades."""
    grades: Grades = request.app.state.grades
    return grades


async def get_body(request: Request) -> bytes:
    """The raw body; its size is bounded by the application."""
    return await request.body()


GradesDep = Annotated[Grades, Depends(get_grades)]
BodyDep = Annotated[bytes, Depends(get_body)]


def working(session: Session, name: str, actor: Actor) -> Workspace:
    """The workspace, for a member at work in a live one."""
    found = workspaces.get_workspace(session, name, actor=actor)
    permissions.check_can_work(actor, workspaces.facts(session, found))
    rules.check_live(found.state, found.expires_at, utc_now())
    return found


def not_held(names: Iterable[str]) -> Problem:
    """For a member who asks for a dataset that the workspace does not hold, whether or not there is one so named."""
    held = list(names)
    return Problem(
        404,
        "not-found",
        {"zh": "这个沙箱不含该数据集", "en": "This workspace does not hold that dataset"},
        detail={"zh": f"所含数据集：{'、'.join(held) or '无'}。", "en": f"It holds {', '.join(held) or 'none'}."},
    )


def member(session: Session, name: str, actor: Actor) -> Workspace:
    """The workspace, for a member who signed the pledge; released outputs outlive its term."""
    found = workspaces.get_workspace(session, name, actor=actor)
    permissions.check_can_read(actor, workspaces.facts(session, found))
    return found

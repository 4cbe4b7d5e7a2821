"""``/api/v1/workspaces/{name}/…``: its life: deciding, the pledge, members, suspending, extending, ending."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from opendata.catalog import workdays
from opendata.db import utc_now
from opendata.web.deps import CurrentActor, SettingsDep, WriteDep
from sandbox.web import views
from sandbox.web.deps import GradesDep
from sandbox.web.workspace_api import Signature
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.states import MemberRole

router = APIRouter(prefix="/api/v1/workspaces", tags=["workspaces"])


class Extension(BaseModel):
    """A request for more days."""

    days: int
    reason: str = Field(default="", max_length=4000)


class Reason(BaseModel):
    """A reason for a decision."""

    reason: str = Field(default="", max_length=4000)


class Member(BaseModel):
    """A person to add."""

    username: str = Field(max_length=64)
    role: MemberRole = MemberRole.MEMBER


class MemberChange(BaseModel):
    """What a member is from now on."""

    role: MemberRole


@router.post("/{name}/approve")
def approve(name: str, body: Reason, session: WriteDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """An officer or reviewer agrees to what waits for a decision; the last one needed opens it."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.decide(session, found, actor=actor, approve=True, reason=body.reason, grades=grades)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/reject")
def reject(name: str, body: Reason, session: WriteDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """An officer or reviewer refuses, with a reason, and thereby the whole."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.decide(session, found, actor=actor, approve=False, reason=body.reason, grades=grades)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/withdraw")
def withdraw(name: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """The owner takes an undecided application back."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.withdraw(session, found, actor=actor)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/close")
def close(name: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """The owner, a reviewer or a providing department ends the workspace."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.close(session, found, actor=actor)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/suspend")
def suspend(name: str, body: Reason, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """A security administrator stops the workspace."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.suspend(session, found, actor=actor, reason=body.reason)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/lift")
def lift(name: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """A security administrator lets the workspace go on."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.lift(session, found, actor=actor)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/extensions", status_code=201)
def ask_extension(
    name: str, body: Extension, session: WriteDep, actor: CurrentActor, settings: SettingsDep
) -> dict[str, Any]:
    """The owner asks for more days."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.ask_extension(
        session, found, actor=actor, days=body.days, reason=body.reason, calendar=workdays.load(settings)
    )
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/extensions/withdraw")
def withdraw_extension(name: str, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """The owner takes an undecided request for more days back."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.withdraw_extension(session, found, actor=actor)
    return views.workspace(session, found, now=utc_now())


@router.post("/{name}/pledge")
def sign_pledge(name: str, body: Signature, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """A member signs the pledge before first entry."""
    found = workspaces.get_workspace(session, name, actor=actor)
    signed = workspaces.sign_pledge(session, found, actor=actor, version=body.version, name=body.name)
    return {"version": signed.pledge_version, "sha256": signed.pledge_digest, "signed_at": signed.pledged_at}


@router.post("/{name}/members", status_code=201)
def add_member(name: str, body: Member, session: WriteDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """The owner adds a researcher as member or reader."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.add_member(session, found, actor=actor, username=body.username, role=body.role, grades=grades)
    return views.workspace(session, found, now=utc_now())


@router.patch("/{name}/members/{username}")
def change_role(name: str, username: str, body: MemberChange, session: WriteDep, actor: CurrentActor) -> dict[str, Any]:
    """The owner makes a member a reader or a reader a member."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.change_role(session, found, actor=actor, username=username, role=body.role)
    return views.workspace(session, found, now=utc_now())


@router.delete("/{name}/members/{username}", status_code=204)
def remove_member(name: str, username: str, session: WriteDep, actor: CurrentActor) -> Response:
    """The owner removes a member; every right ends at once."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspaces.remove_member(session, found, actor=actor, username=username)
    return Response(status_code=204)

"""One workspace as its page shows it: to members, to those who decide, to security administrators.

A refused act shows the same page with the reasons beside the fields they concern and what was typed in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from opendata.catalog.grades import Grades
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.settings import Settings
from opendata.web.rendering import render, say
from sandbox.airlock import service as airlock
from sandbox.web import views
from sandbox.web.query_panels import answers_tables
from sandbox.web.timeline import stands_still
from sandbox.web.workspace_acts import DONE
from sandbox.workspaces import permissions
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.door import door_state
from sandbox.workspaces.ends import clears_at, home_bytes
from sandbox.workspaces.errors import WorkspaceDenied
from sandbox.workspaces.models import Workspace
from sandbox.workspaces.pledge import current_pledge

Text = Mapping[str, str]


def workspace_page(
    request: Request,
    session: Session,
    found: Workspace,
    *,
    actor: Actor,
    settings: Settings,
    grades: Grades,
    faults: Mapping[str, Text] | None = None,
    typed: Mapping[str, str] | None = None,
    done: str = "",
) -> Response:
    """The page. ``faults``: what was wrong, by field; ``typed``: what stood in the form; ``done``: the act before."""
    facts, now = workspaces.facts(session, found), utc_now()
    reads = permissions.can_read(actor, facts)
    jobs = [views.job(session, each, now=now) for each in workspaces.jobs_of(session, found)] if reads else []
    waiting = workspaces.waiting_decision(session, found, grades)
    state = views.workspace_state(found, now)
    suspension = workspaces.suspension_of(session, found)
    return render(
        request,
        "sandbox/workspace.html",
        status_code=422 if faults else 200,
        error=spoken(request, faults or {}),
        typed=typed or {},
        done=DONE.get(done, ""),
        workspace=views.workspace(session, found, now=now),
        datasets=[
            views.practice(session, each) | {"tables": answers_tables(session, each.name, actor, grades)}
            for each in workspaces.datasets_of(session, found)
        ],
        people=views.members(session, found, digest=current_pledge().digest),
        jobs=jobs,
        outputs=[views.output(each) for each in airlock.outputs_of(session, found)] if reads else [],
        revoked=[views.revoked(each) for each in airlock.revoked_of(session, found)] if reads else [],
        quota=_quota(session, found, grades, now=now) if state == "approved" else None,
        decision=views.decision(session, waiting, now=now) if waiting else None,
        history=views.history(session, found, without=waiting.round if waiting else None),
        member=actor.id in facts.member_ids,
        reads=reads,
        works=permissions.can_work(actor, facts),
        signed=actor.id in facts.pledged_ids,
        pledge=current_pledge(),
        owner=actor.id == facts.owner_id,
        may_decide=waiting is not None and workspaces.can_decide(actor, waiting),
        may_close=permissions.can_close(actor, facts) and state in {"approved", "suspended", "expired"},
        may_suspend=permissions.can_suspend(actor),
        suspended_for=suspension.reason if suspension else None,
        clears_at=clears_at(found),
        homes=home_bytes(settings, found.id) if reads else None,
        door=door_state(settings),
        hub_url=settings.hub_url,
        live=state == "approved",
        still=stands_still(jobs),
    )


def spoken(request: Request, faults: Mapping[str, Text]) -> dict[str, str]:
    """What was wrong, by field, as sentences in the reader's language."""
    said = {field: say(request, fault) for field, fault in faults.items()}
    return {field: sentence[:1].upper() + sentence[1:] for field, sentence in said.items()}


def _quota(session: Session, found: Workspace, grades: Grades, *, now: datetime) -> dict[str, Any] | None:
    """None when a level was raised and the workspace's door is shut: the page says so elsewhere."""
    try:
        return views.quota(session, found, grades, now=now)
    except WorkspaceDenied:
        return None

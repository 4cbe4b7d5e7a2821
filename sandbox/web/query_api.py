"""Fixed tables (固定口径统计) for programs: ``/api/v1/datasets/{name}/tables``, ``/api/v1/workspaces/{name}/queries``.

Answers are the same for everybody who gets any; those of level L2 are private and not stored on the way.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.identity import Actor
from opendata.web.deps import CurrentActor, DatabaseDep, OptionalActor, SessionDep, SettingsDep, WriteDep
from opendata.web.doors import app_key
from opendata.web.rendering import language
from sandbox.queries import service
from sandbox.queries.errors import QuestionRefused
from sandbox.web import query_links
from sandbox.web.deps import GradesDep, not_held
from sandbox.workspaces import permissions as workspace_permissions
from sandbox.workspaces import rules as workspace_rules
from sandbox.workspaces import service as workspaces

router = APIRouter(tags=["tables"])
PRIVATE = {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie, X-App-Key"}
UTF8_BOM = "\ufeff"


def _names(by: Any) -> Any:
    """One name is a list of one."""
    return [by] if isinstance(by, str) else by


class Question(BaseModel):
    """What ``Workspace.query`` of the client sends."""

    dataset: str = Field(max_length=100)
    by: Annotated[list[Annotated[str, Field(max_length=200)]], BeforeValidator(_names)] = Field(
        default_factory=list, max_length=20
    )
    measures: dict[str, str | dict[str, str]] = Field(default_factory=dict, max_length=20)


@router.get("/api/v1/datasets/{name}/tables")
def get_tables(
    request: Request, name: str, session: SessionDep, actor: OptionalActor, grades: GradesDep
) -> JSONResponse:
    """What is registered: dimensions with their categories, measures with their bounds, and whether you may ask."""
    found = service.registered(session, name, actor=actor, grades=grades, app_key=app_key(request))
    return JSONResponse(found.to_json(), headers=PRIVATE)


@router.post("/api/v1/datasets/{name}/tables", status_code=202)
def compute_tables(name: str, session: WriteDep, actor: CurrentActor, grades: GradesDep) -> dict[str, Any]:
    """Have the fixed tables of the published edition's intake computed, once; an officer of the department."""
    cube = service.compute(session, name, actor=actor, grades=grades)
    return {"cube": cube.id, "state": cube.state, "job_id": cube.job_id, "number": cube.number}


@router.get("/api/v1/datasets/{name}/tables/query", response_class=Response)
def query_tables(
    *,
    request: Request,
    name: str,
    by: Annotated[list[str] | None, Query(max_length=20)] = None,
    measures: Annotated[list[str] | None, Query(max_length=20)] = None,
    format: Annotated[Literal["json", "csv"], Query()] = "json",
    bom: bool = False,
    database: DatabaseDep,
    actor: OptionalActor,
    grades: GradesDep,
) -> Response:
    """One table. ``by``: up to three registered dimensions; ``measures``: ``n=count``, ``cost=cost:mean``, …"""
    answer = service.ask(
        database,
        name,
        by=by or (),
        measures=_named(measures or ["n=count"]),
        actor=actor,
        grades=grades,
        app_key=app_key(request),
        linked=True,
    )
    if format == "json":
        return JSONResponse(answer.to_json(), headers=PRIVATE)
    content = answer.to_csv(language(request))
    headers = PRIVATE | {"Content-Disposition": f'attachment; filename="{answer.dataset}-tables.csv"'}
    return Response(
        (UTF8_BOM if bom else "") + content, media_type="text/csv; charset=utf-8; header=present", headers=headers
    )


@router.post("/api/v1/workspaces/{name}/queries")
def query_in_workspace(
    name: str, body: Question, database: DatabaseDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> JSONResponse:
    """The same from a session: a dataset of the workspace. ``page``: where people see this table."""
    with database.session() as session:
        _check_holds(session, name, body.dataset, actor)
    answer = service.ask(database, body.dataset, by=body.by, measures=body.measures or None, actor=actor, grades=grades)
    asked = {name: query_links.said(words) for name, words in (body.measures or {"n": "count"}).items()}
    page = settings.public_url + query_links.page_path(answer.dataset, body.by, asked)
    return JSONResponse(answer.to_json() | {"page": page}, headers=PRIVATE)


@router.get("/api/v1/workspaces/{name}/queries/{dataset}")
def get_tables_in_workspace(
    name: str, dataset: str, session: SessionDep, actor: CurrentActor, grades: GradesDep
) -> JSONResponse:
    """What is registered for a dataset of the workspace, from a session."""
    _check_holds(session, name, dataset, actor)
    found = service.registered(session, dataset, actor=actor, grades=grades)
    return JSONResponse(found.to_json(), headers=PRIVATE)


def _check_holds(session: Session, name: str, dataset: str, actor: Actor) -> None:
    """Raise unless the person is at work in this live workspace and it holds the dataset."""
    found = workspaces.get_workspace(session, name, actor=actor)
    workspace_permissions.check_can_work(actor, workspaces.facts(session, found))
    workspace_rules.check_live(found.state, found.expires_at, utc_now())
    names = [each.name for each in workspaces.datasets_of(session, found)]
    if dataset not in names:
        raise not_held(names)


def _named(measures: list[str]) -> dict[str, str]:
    """``name=words`` of a link; a bare ``cost:mean`` is called ``cost_mean``, a bare ``count`` ``n``."""
    named: dict[str, str] = {}
    for each in (part for given in measures for part in given.split(",") if part):
        name, equals, words = each.partition("=")
        if not equals:
            name, words = ("n" if each == "count" else each.replace(":", "_")), each
        if name in named:
            raise QuestionRefused("两个指标同名 · two measures have one name")
        named[name] = words
    return named

"""The page of fixed tables (固定口径统计): ask by up to three dimensions, read table, errors and plot, take them along.

The address is the question, so it can be passed on and the back button works; nothing here needs a script. Whoever may
not ask reads why and which door is nearest; a hidden dataset looks absent. The officer's part has the set computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from opendata.access.errors import AccessDenied
from opendata.catalog import service as catalog
from opendata.db import Database
from opendata.identity import Actor
from opendata.settings import Settings
from opendata.web import problems
from opendata.web.deps import CurrentActor, DatabaseDep, OptionalActor, SettingsDep
from opendata.web.rendering import language, render
from sandbox.client.charts import draw, left_out
from sandbox.client.grid import HIDDEN, Grid, figure_text, measures_of, pivot
from sandbox.client.marks import WIDTH
from sandbox.queries import permissions, service
from sandbox.queries.answers import MOST_DIMENSIONS, Answer, Registered
from sandbox.queries.design import ADVANTAGE, DOMINANCE
from sandbox.queries.errors import QuestionRefused
from sandbox.queries.quality import MEANING, TITLES, Quality
from sandbox.web import query_links
from sandbox.web.deps import GradesDep
from sandbox.web.query_officer import job_of, standing
from sandbox.workspaces.errors import WorkspaceError

router = APIRouter(include_in_schema=False)
PRIVATE: Final = {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie, X-App-Key"}
MOST_SHOWN: Final = 3000
"""Figures of one table on the page; files have all of them."""
POOR: Final = frozenset({Quality.ROUGH, Quality.UNRELIABLE})
Figure = tuple[str, str, str]
"""Figure and error as text, and the mark of a poor one."""
Words = Annotated[list[str] | None, Query(max_length=20)]


@dataclass(frozen=True, slots=True)
class Shown:
    """One measure: its drawings, and its table as groups of rows with a label and cells."""

    title: str
    anchor: str
    grid: Grid
    drawings: list[tuple[str, Markup]]
    wide: bool
    left_out: int
    groups: list[tuple[str, list[tuple[str, list[Figure]]]]]
    cut: bool


@router.get("/fixed-tables")
def how_page(request: Request) -> Response:
    """How fixed tables are made, what their errors mean, and what they do not protect."""
    return render(request, "sandbox/tables_how.html", most=MOST_DIMENSIONS, advantage=ADVANTAGE, dominance=DOMINANCE)


@router.get("/dataset/{name}/tables")
def tables_page(
    request: Request,
    name: str,
    database: DatabaseDep,
    actor: OptionalActor,
    settings: SettingsDep,
    grades: GradesDep,
    by: Words = None,
    measures: Words = None,
) -> Response:
    """The form, and the answer to the question in the address; with htmx only how far the computation is."""
    wanted, asked = [each for each in by or () if each], [query_links.said(each) for each in measures or () if each]
    with database.session() as session:
        found = service.registered(session, name, actor=actor, grades=grades)
        if "hx-request" in request.headers:
            return _progress(request, session, found)
    named = query_links.named(asked or ["count"], wanted)
    if by and len(wanted) != len(by):  # selects that were left empty
        return RedirectResponse(query_links.page_path(name, wanted, named), 303)
    answer, refused, problem = None, "", None
    if asked or wanted or not found.may_ask:
        try:
            answer = service.ask(database, name, by=wanted, measures=named, actor=actor, grades=grades)
        except QuestionRefused as error:
            refused = error.reason[language(request)]
        except AccessDenied as error:
            problem = problems.describe(error)
    return _page(
        request, database, found, actor, settings, wanted=wanted, named=named, answer=answer, refused=refused,
        problem=problem,
    )  # fmt: skip


@router.get("/dataset/{name}/tables/compute")
@router.get("/dataset/{name}/tables/cancel")
def back_to_tables(name: str) -> Response:
    """Where an act was refused: loading its address anew shows the tables, and does nothing."""
    return RedirectResponse(f"/dataset/{quote(name)}/tables", 303)


@router.post("/dataset/{name}/tables/compute")
def compute(
    request: Request, name: str, database: DatabaseDep, actor: CurrentActor, settings: SettingsDep, grades: GradesDep
) -> Response:
    """Have the set computed; a refusal is told on the page."""
    try:
        with database.begin() as session:
            service.compute(session, name, actor=actor, grades=grades)
    except WorkspaceError as error:
        with database.session() as session:
            found = service.registered(session, name, actor=actor, grades=grades)
        if not found.may_compute:
            raise
        told = error.reason[language(request)]
        return _page(request, database, found, actor, settings, not_computed=told)
    return RedirectResponse(f"/dataset/{name}/tables", 303)


@router.post("/dataset/{name}/tables/cancel")
def cancel(name: str, database: DatabaseDep, actor: CurrentActor) -> Response:
    """Ask the computation to stop."""
    with database.begin() as session:
        service.cancel(session, name, actor=actor)
    return RedirectResponse(f"/dataset/{name}/tables", 303)


def _progress(request: Request, session: Session, found: Registered) -> Response:
    job = job_of(session, found)
    headers = {"HX-Refresh": "true"} if job is None else {}
    return render(request, "sandbox/_tables_status.html", headers=headers, job=job, dataset_name=found.dataset)


def _page(
    request: Request,
    database: Database,
    found: Registered,
    actor: Actor | None,
    settings: Settings,
    *,
    wanted: list[str] | None = None,
    named: dict[str, str] | None = None,
    answer: Answer | None = None,
    refused: str = "",
    problem: problems.Problem | None = None,
    not_computed: str = "",
) -> Response:
    lang, by = language(request), wanted or []
    measures = named or query_links.named(["count"], by)
    with database.session() as session:
        dataset = catalog.get(session, found.dataset, actor)
        officer = standing(session, dataset, found) if found.may_compute else None
        public = dataset.level in {each.value for each in permissions.FOR_EVERYBODY}
    shown = _shown(answer, by, lang) if answer is not None else []
    status = 422 if refused else 409 if not_computed else 200
    if problem is not None and officer is None:
        status = problem.status
    return render(
        request,
        "sandbox/tables.html",
        status_code=status,
        headers=PRIVATE,
        dataset=dataset,
        found=found,
        public=public,
        by=[*by, *[""] * MOST_DIMENSIONS][:MOST_DIMENSIONS],
        measures=list(measures.values()),
        answer=answer,
        shown=shown,
        meaning=MEANING if any(figure[2] for each in shown for figure in _figures(each)) else None,
        sign=HIDDEN,
        refused=refused,
        problem=problem,
        officer=officer,
        not_computed=not_computed,
        links=_links(found.dataset, by, measures, settings),
        most=MOST_DIMENSIONS,
        most_shown=MOST_SHOWN,
    )


def _shown(answer: Answer, by: list[str], lang: str) -> list[Shown]:
    item = answer.to_json()
    grids = [pivot(item, measure=measure, by=by) for measure in measures_of(item)]
    return [_one(place, grid, lang) for place, grid in enumerate(grids, 1)]


def _one(place: int, grid: Grid, lang: str) -> Shown:
    drawings = draw(grid, lang)
    return Shown(
        title=grid.said(lang),
        anchor=f"table-{place}",
        grid=grid,
        drawings=[(each.title, Markup(each.svg())) for each in drawings],  # noqa: S704 (its words are escaped)
        wide=any(each.width > WIDTH for each in drawings),
        left_out=left_out(grid),
        groups=_groups(grid, lang),
        cut=len(grid.cells) > MOST_SHOWN,
    )


def _figures(shown: Shown) -> Iterator[Figure]:
    return (figure for _, rows in shown.groups for _, figures in rows for figure in figures)


def _groups(grid: Grid, lang: str) -> list[tuple[str, list[tuple[str, list[Figure]]]]]:
    """Panel by panel, row by row: figure and error as text, both empty for a hidden one, and the mark of a poor one."""
    groups, left = [], MOST_SHOWN
    for panel in range(len(grid.panels)):
        rows = []
        for row in range(len(grid.rows)):
            left -= len(grid.columns)
            if left < 0:
                break
            places = [(panel, row, column) for column in range(len(grid.columns))]
            figures = [(*_texts(*grid.cells[place]), _mark(grid.quality.get(place), lang)) for place in places]
            rows.append((grid.rows.said(row, lang), figures))
        if rows:
            groups.append((grid.panels.said(panel, lang), rows))
    return groups


def _texts(value: float | None, error: float | None) -> tuple[str, str]:
    if value is None:
        return "", ""
    return figure_text(value), figure_text(error) if error is not None else ""


def _mark(quality: str | None, lang: str) -> str:
    """What is said beside a figure that is not good."""
    return TITLES[Quality(quality)]["en" if lang == "en" else "zh"] if quality in POOR else ""


def _links(dataset: str, by: list[str], measures: dict[str, str], settings: Settings) -> dict[str, str]:
    api = query_links.api_path(dataset, by, measures)
    dimensions, asked = (json.dumps(each, ensure_ascii=False) for each in (by, measures))
    return {
        "page": settings.public_url + query_links.page_path(dataset, by, measures),
        "json": api,
        "csv": f"{api}&format=csv",
        "excel": f"{api}&format=csv&bom=true",
        "full": settings.public_url + api,
        "client": "from sandbox.client import Workspace\n\n"
        f'answer = Workspace.current().query("{dataset}", by={dimensions}, measures={asked})\n'
        + ("answer.plot()" if by else "answer"),
    }

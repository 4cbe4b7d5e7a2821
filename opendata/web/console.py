"""The data officer's console: datasets and their entries, uploads, what was found in a raw table."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from masking.taxonomy import DataLevel
from opendata.catalog import service as catalog
from opendata.catalog.errors import InvalidEntry
from opendata.identity import Actor, Role
from opendata.publishing import curves
from opendata.publishing import service as publishing
from opendata.web import publishing_work as work
from opendata.web.deps import SessionDep, VisitorDep, WriteDep, require
from opendata.web.form_reading import in_thread, text_fields
from opendata.web.rendering import language, render, say
from opendata.web.security import streams_body

router = APIRouter(include_in_schema=False)

Officer = Annotated[Actor, Depends(require(Role.DATA_OFFICER))]
FIELDS = (
    "name",
    "title_zh",
    "title_en",
    "summary_zh",
    "summary_en",
    "origin_zh",
    "origin_en",
    "theme",
    "licence",
    "update_frequency",
    "visibility",
)


@router.get("/console/datasets")
def datasets(request: Request, session: SessionDep, actor: Officer) -> Response:
    """My department's entries and where each stands."""
    own = catalog.department_datasets(session, actor)
    latest = {dataset.id: publishing.latest_intake(session, dataset) for dataset in own}
    editions = {dataset.id: publishing.editions_of(session, dataset) for dataset in own}
    return render(request, "console/datasets.html", datasets=own, intakes=latest, editions=editions)


@router.get("/console/datasets/new")
def new_dataset(request: Request, actor: Officer) -> Response:
    """An empty entry."""
    del actor
    return render(request, "console/entry.html", dataset=None, values={}, errors={})


@router.post("/console/datasets/new")
async def create_dataset(request: Request, actor: Officer) -> Response:
    """Create the entry, or show the form again."""
    values = await text_fields(request)
    return await in_thread(_save_entry, request, actor, values, None)


@router.get("/console/datasets/{name}/edit")
def edit_dataset(request: Request, name: str, session: SessionDep, actor: Officer) -> Response:
    """The entry's fields."""
    dataset = work.own_dataset(session, name, actor)
    values = {field: getattr(dataset, field) for field in FIELDS} | {"keywords": "，".join(dataset.keywords)}
    return render(request, "console/entry.html", dataset=dataset, values=values, errors={})


@router.post("/console/datasets/{name}/edit")
async def change_dataset(request: Request, name: str, actor: Officer) -> Response:
    """Change the entry."""
    values = await text_fields(request)
    return await in_thread(_save_entry, request, actor, values, name)


@router.get("/console/datasets/{name}")
def dataset_page(request: Request, name: str, session: SessionDep, actor: Officer) -> Response:
    """One dataset's work: upload, findings, policy, editions."""
    dataset = work.own_dataset(session, name, actor)
    editions = publishing.editions_of(session, dataset)
    return render(
        request,
        "console/dataset.html",
        dataset=dataset,
        intake=publishing.latest_intake(session, dataset),
        policy=publishing.latest_policy(session, dataset),
        editions=editions,
        door=request.app.state.grades.row_text(DataLevel(dataset.level)) if dataset.level else None,
        items=catalog.items_of(session, dataset),
    )


@router.post("/console/datasets/{name}/intakes")
@streams_body
async def upload(request: Request, name: str, actor: Officer, visitor: VisitorDep) -> Response:
    """Seal an uploaded file on the fly and show its progress page."""
    _, job = await work.receive_intake(request, name, actor, "", visitor)
    return RedirectResponse(f"/console/jobs/{job}", 303)


@router.get("/console/intakes/{intake_id}")
def intake_page(request: Request, intake_id: str, session: SessionDep, actor: Officer) -> Response:
    """What was found in a raw table: types, roles, reasons, proposed level and its clause."""
    intake, dataset = work.own_intake(session, intake_id, actor)
    return render(
        request,
        "console/intake.html",
        intake=intake,
        dataset=dataset,
        profile={column["name"]: column for column in intake.profile},
        levels=[(level.value, level.title(language(request))) for level in DataLevel],
        policy=publishing.latest_policy(session, dataset),
        invented=work.invented_columns(publishing.latest_policy(session, dataset)),
        curve=curves.of_intake(session, intake),
    )


@router.post("/console/intakes/{intake_id}/acknowledge")
def acknowledge(intake_id: str, session: WriteDep, actor: Officer) -> Response:
    """Accept that the listed rows are not in the table."""
    intake, _ = work.own_intake(session, intake_id, actor)
    publishing.acknowledge_bad_rows(session, intake, actor=actor)
    return RedirectResponse(f"/console/intakes/{intake_id}", 303)


@router.post("/console/intakes/{intake_id}/level")
def confirm_level(
    intake_id: str,
    session: WriteDep,
    actor: Officer,
    level: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Confirm the level of the raw table and go on to the policy."""
    intake, dataset = work.own_intake(session, intake_id, actor)
    publishing.confirm_level(session, dataset, level=level, reason=reason.strip(), actor=actor)
    return RedirectResponse(f"/console/datasets/{dataset.name}/policy?intake={intake.id}", 303)


def _save_entry(request: Request, actor: Actor, values: dict[str, str], name: str | None) -> Response:
    given: dict[str, Any] = {field: values.get(field, "").strip() for field in FIELDS}
    keywords = [word.strip() for word in values.get("keywords", "").replace("，", ",").replace("、", ",").split(",")]
    try:
        with request.app.state.database.begin() as session:
            if name is None:
                dataset = catalog.create_dataset(session, actor=actor, keywords=[w for w in keywords if w], **given)
            else:
                dataset = work.own_dataset(session, name, actor)
                del given["name"]
                dataset = catalog.update_dataset(
                    session, dataset, actor=actor, keywords=[w for w in keywords if w], **given
                )
            target = dataset.name
    except InvalidEntry as error:
        messages = {error.field: say(request, error.reason)}
        with request.app.state.database.session() as session:
            existing = work.own_dataset(session, name, actor) if name else None
            return render(
                request, "console/entry.html", status_code=422, dataset=existing, values=values, errors=messages
            )
    return RedirectResponse(f"/console/datasets/{target}", 303)

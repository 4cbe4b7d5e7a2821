"""The page that starts an edition: opening class, legal basis, secrecy checklist, impact assessment."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.taxonomy import DataLevel, OpeningClass
from opendata.catalog.models import Dataset
from opendata.errors import OpenDataError
from opendata.identity import Actor
from opendata.publishing import service as publishing
from opendata.publishing.checklist import ITEMS
from opendata.web import problems
from opendata.web import publishing_work as work
from opendata.web.console import Officer
from opendata.web.deps import SessionDep
from opendata.web.form_reading import in_thread, text_fields
from opendata.web.rendering import language, render, say, sentence

router = APIRouter(include_in_schema=False)

ASSESSMENT = ("purpose", "necessity", "risk", "safeguards")


@router.get("/console/datasets/{name}/build")
def build_page(request: Request, name: str, session: SessionDep, actor: Officer) -> Response:
    """Opening class, legal basis, secrecy checklist, impact assessment."""
    dataset = work.own_dataset(session, name, actor)
    return _build(request, session, dataset, {}, {})


@router.post("/console/datasets/{name}/build")
async def build(request: Request, name: str, actor: Officer) -> Response:
    """Start building an edition."""
    values = await text_fields(request)
    return await in_thread(_start_build, request, name, actor, values)


def _build(
    request: Request,
    session: Session,
    dataset: Dataset,
    values: dict[str, str],
    errors: dict[str, str],
    *,
    status_code: int = 200,
) -> Response:
    lang = language(request)
    grades = request.app.state.grades
    level = DataLevel(dataset.level) if dataset.level else None
    choices = grades.choices(level) if level else [(kind, None) for kind in OpeningClass]
    classes = list(dict.fromkeys(opening for opening, _ in choices))
    return render(
        request,
        "console/build.html",
        status_code=status_code,
        dataset=dataset,
        intake=publishing.latest_intake(session, dataset),
        policy=publishing.latest_policy(session, dataset),
        classes=[(item.value, item.title(lang)) for item in classes],
        row=grades.row_text(level) if level else None,
        clause=grades.clause(level) if level else None,
        items=ITEMS,
        values=values,
        errors=errors,
        assessment=ASSESSMENT,
    )


def _start_build(request: Request, name: str, actor: Actor, values: dict[str, str]) -> Response:
    checklist = {
        item.id: {"answer": values.get(f"check-{item.id}", ""), "note": values.get(f"note-{item.id}", "").strip()}
        for item in ITEMS
    }
    assessment = {field: values.get(field, "").strip() for field in ASSESSMENT}
    try:
        with request.app.state.database.begin() as session:
            dataset = work.own_dataset(session, name, actor)
            intake, version = publishing.latest_intake(session, dataset), publishing.latest_policy(session, dataset)
            if intake is None or version is None:
                raise problems.Problem.invalid(
                    {"zh": "先上传数据并保存脱敏策略。", "en": "Upload a table and save a masking policy first."}
                )
            edition, job = publishing.build_edition(
                session,
                intake,
                version,
                opening_class=OpeningClass(values.get("opening_class") or "closed"),
                legal_basis=values.get("legal_basis", "").strip(),
                checklist=checklist,
                assessment=assessment,
                actor=actor,
                grades=request.app.state.grades,
            )
            edition.job_id = edition.job_id or job.id
            target = job.id
    except (ValueError, OpenDataError, MaskingError) as error:
        problem = problems.describe(error)
        message = sentence(say(request, problem.detail or problem.title), language(request))
        field = _field_at_fault(problem, checklist, values)
        with request.app.state.database.session() as session:
            dataset = work.own_dataset(session, name, actor)
            return _build(request, session, dataset, values, {field: message}, status_code=422)
    return RedirectResponse(f"/console/jobs/{target}", 303)


def _field_at_fault(problem: problems.Problem, checklist: dict[str, dict[str, str]], values: dict[str, str]) -> str:
    """The field of the form that the refusal is about, so that the summary leads there."""
    words = str((problem.detail or problem.title).get("zh", ""))
    for item in ITEMS:
        if item.question["zh"].rstrip("？?") in words:
            return f"check-{item.id}"
    if "依据" in words and not values.get("legal_basis", "").strip():
        return "legal_basis"
    unanswered = next((name for name, given in checklist.items() if not given["answer"]), None)
    return f"check-{unanswered}" if unanswered else "opening_class"

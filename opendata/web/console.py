"""The data officer's console: datasets, uploads, what was found, policy, before and after, editions, jobs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.policy import MaskingPolicy, explain_aggregate
from masking.taxonomy import DataLevel, OpeningClass
from opendata.catalog import service as catalog
from opendata.catalog.errors import InvalidEntry
from opendata.catalog.models import Dataset, Edition
from opendata.errors import OpenDataError
from opendata.identity import Actor, Role
from opendata.jobs import FINISHED, Job, request_cancel
from opendata.publishing import curves
from opendata.publishing import service as publishing
from opendata.publishing.checklist import ITEMS
from opendata.publishing.models import Intake, PolicyVersion
from opendata.web import limit_form, policy_form, problems
from opendata.web import publishing_work as work
from opendata.web.deps import CurrentActor, SessionDep, VisitorDep, WriteDep, get_visitor, require
from opendata.web.form_fields import WrongForm
from opendata.web.panels import panels_of
from opendata.web.rendering import gettext, language, render, say, say_error, sentence
from opendata.web.security import streams_body

router = APIRouter(include_in_schema=False)

Officer = Annotated[Actor, Depends(require(Role.DATA_OFFICER))]
ASSESSMENT = ("purpose", "necessity", "risk", "safeguards")
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
    values = await _form(request)
    return await _in_thread(_save_entry, request, actor, values, None)


@router.get("/console/datasets/{name}/edit")
def edit_dataset(request: Request, name: str, session: SessionDep, actor: Officer) -> Response:
    """The entry's fields."""
    dataset = work.own_dataset(session, name, actor)
    values = {field: getattr(dataset, field) for field in FIELDS} | {"keywords": "，".join(dataset.keywords)}
    return render(request, "console/entry.html", dataset=dataset, values=values, errors={})


@router.post("/console/datasets/{name}/edit")
async def change_dataset(request: Request, name: str, actor: Officer) -> Response:
    """Change the entry."""
    values = await _form(request)
    return await _in_thread(_save_entry, request, actor, values, name)


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


@router.get("/console/datasets/{name}/policy")
def policy_page(request: Request, name: str, session: SessionDep, actor: Officer) -> Response:
    """The masking policy: a form in words, the YAML beside it. The first one is the proposal."""
    dataset = work.own_dataset(session, name, actor)
    saved = publishing.latest_policy(session, dataset)
    intake = publishing.latest_intake(session, dataset)
    yaml = saved.yaml if saved else (intake.proposal_yaml if intake else "")
    return _policy(request, dataset, intake, saved, yaml)


@router.post("/console/datasets/{name}/policy")
async def change_policy(request: Request, name: str, actor: Officer) -> Response:
    """Save the form or the YAML, or look at five rows before and after with what is typed now."""
    values = await _form(request)
    return await _in_thread(_change_policy, request, name, actor, values)


@router.get("/console/datasets/{name}/build")
def build_page(request: Request, name: str, session: SessionDep, actor: Officer) -> Response:
    """Opening class, legal basis, secrecy checklist, impact assessment."""
    dataset = work.own_dataset(session, name, actor)
    return _build(request, session, dataset, {}, {})


@router.post("/console/datasets/{name}/build")
async def build(request: Request, name: str, actor: Officer) -> Response:
    """Start building an edition."""
    values = await _form(request)
    return await _in_thread(_start_build, request, name, actor, values)


@router.get("/console/jobs/{job_id}")
def job_page(request: Request, job_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """Progress of one job; the page renews its middle while the job runs."""
    job = work.own_job(session, job_id, actor)
    fragment = "hx-request" in request.headers
    headers = {"HX-Refresh": "true"} if fragment and job.state in FINISHED else {}
    template = "console/job_status.html" if fragment else "console/job.html"
    return render(
        request, template, headers=headers, job=job, target=_target(session, job), finished=job.state in FINISHED
    )


@router.post("/console/jobs/{job_id}/cancel")
def cancel_job(job_id: str, session: WriteDep, actor: CurrentActor) -> Response:
    """Ask a job to stop."""
    work.own_job(session, job_id, actor)
    request_cancel(session, job_id)
    return RedirectResponse(f"/console/jobs/{job_id}", 303)


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


async def _in_thread(function: Any, *arguments: Any) -> Response:
    from fastapi.concurrency import run_in_threadpool

    answer: Response = await run_in_threadpool(function, *arguments)
    return answer


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


def _policy(
    request: Request,
    dataset: Dataset,
    intake: Intake | None,
    saved: PolicyVersion | None,
    yaml: str,
    *,
    errors: dict[str, str] | None = None,
    preview: dict[str, Any] | None = None,
    purpose: str = "",
    saved_now: bool = False,
    typed: dict[str, str] | None = None,
) -> Response:
    """``typed``: what the form held, shown again beside its errors."""
    lang = language(request)
    rows: list[policy_form.Row] = []
    policy, panels = None, []
    messages = dict(errors or {})
    if yaml.strip():
        try:
            policy = policy_form.read(yaml)
            rows = policy_form.rows(policy, lang)
        except MaskingError as error:
            messages.setdefault("yaml", say_error(request, error))
    if policy is not None:
        actor = get_visitor(request).actor
        with request.app.state.database.session() as session:
            panels = panels_of(request, "policy", session, dataset, actor, policy=policy, intake=intake)
    return render(
        request,
        "console/policy.html",
        status_code=422 if errors else 200,
        headers={"Cache-Control": "no-store"} if preview else {},
        dataset=dataset,
        intake=intake,
        saved=saved,
        yaml=yaml,
        policy=policy,
        rows=rows,
        table_words=_table_words(policy, lang) if policy else "",
        panels=panels,
        groups=policy_form.GROUPS,
        limits=limit_form.fields(policy.limits) if policy else {},
        options=limit_form.options(lang),
        more_limits=policy is not None and limit_form.uses_more(policy.limits, messages),
        typed=typed or {},
        errors=messages,
        preview=preview,
        plot=_plot(preview),
        purpose=purpose,
        saved_now=saved_now,
    )


def _table_words(policy: MaskingPolicy, lang: str) -> str:
    """What a table of cells shows and how it is protected."""
    return "; ".join(explain_aggregate(policy, "en")) if lang == "en" else "；".join(explain_aggregate(policy))


def _change_policy(request: Request, name: str, actor: Actor, values: dict[str, str]) -> Response:
    database = request.app.state.database
    with database.session() as session:
        dataset = work.own_dataset(session, name, actor)
        saved = publishing.latest_policy(session, dataset)
        intake = publishing.latest_intake(session, dataset)
    base = saved.yaml if saved else (intake.proposal_yaml if intake else "")
    yaml = policy_form.as_text(values.get("yaml") or base)
    action = values.get("action", "")
    purpose = values.get("purpose", "").strip()
    form = action in {"save-form", "preview-form"}
    try:
        if form:
            yaml = policy_form.as_text(values.get("basis") or base)
            yaml = policy_form.changed(policy_form.read(yaml), values)
        if action.startswith("preview"):
            return _previewed(request, dataset, intake, saved, yaml, values, purpose)
        with database.begin() as session:
            own = work.own_dataset(session, name, actor)  # not to be read once this session has rolled back
            saved = publishing.save_policy(
                session, own, yaml=yaml, actor=actor, files=request.app.state.settings.policies_dir
            )
    except (MaskingError, OpenDataError) as error:
        elsewhere = "purpose" if action.startswith("preview") else "yaml"
        errors = _beside(request, error, yaml, elsewhere, form=form)
        typed = values if isinstance(error, WrongForm) else None
        return _policy(request, dataset, intake, saved, yaml, errors=errors, purpose=purpose, typed=typed)
    return _policy(request, dataset, intake, saved, saved.yaml, saved_now=True)


def _beside(request: Request, error: Exception, yaml: str, elsewhere: str, *, form: bool) -> dict[str, str]:
    """The sentences of a refusal, each at the field it is about."""
    if isinstance(error, WrongForm) and error.fields:
        return {name: say(request, reason) for name, reason in error.fields.items()}
    message = say_error(request, error)
    if isinstance(error, MaskingError):
        message = f"{say(request, problems.describe(error).title)}：{message}"
    field = policy_form.field_of(error, yaml) if form else ""
    return {field or elsewhere: message}


def _previewed(
    request: Request,
    dataset: Dataset,
    intake: Intake | None,
    saved: PolicyVersion | None,
    yaml: str,
    values: dict[str, str],
    purpose: str,
) -> Response:
    if intake is None or intake.state != "ready":
        message = gettext(request, "还没有就绪的接入批次，先上传数据。")
        return _policy(request, dataset, intake, saved, yaml, errors={"purpose": message})
    if not purpose:
        message = gettext(request, "请写明查看原始数据的目的，查看会被存证。")
        return _policy(request, dataset, intake, saved, yaml, errors={"purpose": message})
    policy_form.read(yaml)
    reveal = [column for column in values.get("reveal", "").split("\n") if column]
    shown = work.preview(request, intake, yaml, purpose, reveal)
    return _policy(request, dataset, intake, saved, yaml, preview=shown, purpose=purpose)


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


def _target(session: Session, job: Job) -> str | None:
    """Where to go when the job is done."""
    intake_id, edition_id = job.arguments.get("intake_id"), job.arguments.get("edition_id")
    if intake_id and job.kind == curves.JOB:
        return f"/console/intakes/{intake_id}/curve"
    if edition_id and session.get(Edition, edition_id) is not None:
        return f"/console/editions/{edition_id}"
    if intake_id and session.get(Intake, intake_id) is not None:
        return f"/console/intakes/{intake_id}"
    found = session.scalar(select(Edition.id).where(Edition.job_id == job.id))
    return f"/console/editions/{found}" if found else None


def _plot(preview: dict[str, Any] | None) -> dict[str, Any] | None:
    """The preview's figures as bars; None for data not about persons."""
    risk = (preview or {}).get("risk")
    if not risk or not risk["persons"]:
        return None
    alone = {"before": risk["unique_before"] or 0, "after": risk["unique_after"] or 0}
    widths = {f"{name}_width": round(300 * count / risk["persons"], 1) for name, count in alone.items()}
    return {"persons": risk["persons"], "k_before": risk["k_before"], "k_after": risk["k_after"]} | alone | widths

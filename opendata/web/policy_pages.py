"""The page of the masking policy: the form in words and the YAML beside it, five rows before and after."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from masking.errors import MaskingError
from masking.policy import MaskingPolicy, explain_aggregate
from opendata.catalog.models import Dataset
from opendata.errors import OpenDataError
from opendata.identity import Actor
from opendata.publishing import hierarchies
from opendata.publishing import service as publishing
from opendata.publishing.models import Intake, PolicyVersion
from opendata.web import limit_form, policy_choices, policy_form, problems, records_form
from opendata.web import publishing_work as work
from opendata.web.console import Officer
from opendata.web.deps import SessionDep, get_visitor
from opendata.web.form_fields import WrongForm
from opendata.web.form_reading import in_thread, text_fields
from opendata.web.panels import panels_of
from opendata.web.rendering import gettext, language, render, say, say_error

router = APIRouter(include_in_schema=False)


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
    values = await text_fields(request)
    return await in_thread(_change_policy, request, name, actor, values)


def refused(request: Request, name: str, actor: Actor, errors: dict[str, str]) -> Response:
    """The page as it stands, with what was wrong beside its fields."""
    with request.app.state.database.session() as session:
        dataset = work.own_dataset(session, name, actor)
        saved = publishing.latest_policy(session, dataset)
        intake = publishing.latest_intake(session, dataset)
    yaml = saved.yaml if saved else (intake.proposal_yaml if intake else "")
    return _policy(request, dataset, intake, saved, yaml, errors=errors)


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
    with request.app.state.database.session() as session:
        files = hierarchies.files_of(session, dataset)
    if yaml.strip():
        try:
            policy = policy_form.read(yaml)
            rows = policy_form.rows(policy, lang, files)
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
        groups=policy_choices.groups(files),
        files=files,
        records=records_form.fields(policy) if policy else {},
        domains=records_form.domains(policy) if policy else [],
        condition_example=records_form.EXAMPLE,
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
        files = hierarchies.files_of(session, dataset)
    base = saved.yaml if saved else (intake.proposal_yaml if intake else "")
    yaml = policy_form.as_text(values.get("yaml") or base)
    action = values.get("action", "")
    purpose = values.get("purpose", "").strip()
    form = action in {"save-form", "preview-form"}
    try:
        if form:
            yaml = policy_form.as_text(values.get("basis") or base)
            yaml = policy_form.changed(policy_form.read(yaml), values, files)
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


def _plot(preview: dict[str, Any] | None) -> dict[str, Any] | None:
    """The preview's figures as bars; None for data not about persons."""
    risk = (preview or {}).get("risk")
    if not risk or not risk["persons"]:
        return None
    alone = {"before": risk["unique_before"] or 0, "after": risk["unique_after"] or 0}
    widths = {f"{name}_width": round(300 * count / risk["persons"], 1) for name, count in alone.items()}
    return {"persons": risk["persons"], "k_before": risk["k_before"], "k_after": risk["k_after"]} | alone | widths

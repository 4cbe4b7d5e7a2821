"""Editions on one screen: the officer submits or withdraws, another person approves, returns or rejects."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, Edition
from opendata.db import utc_now
from opendata.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from opendata.identity import Actor, Role, User
from opendata.ledger import service as ledger
from opendata.publishing import service as publishing
from opendata.publishing.checklist import ITEMS
from opendata.publishing.models import Intake
from opendata.publishing.states import TRANSITIONS, Act
from opendata.web import policy_form, problems, views
from opendata.web import publishing_work as work
from opendata.web.deps import CurrentActor, SessionDep, WriteDep, require
from opendata.web.rendering import language, render, say
from opendata.web.report_pages import report_page

router = APIRouter(include_in_schema=False)

Reviewer = Annotated[Actor, Depends(require(Role.REVIEWER))]
REASONS = (
    {"zh": "准标识符未全部列出，请补充角色。", "en": "Not every quasi-identifier is declared; complete the roles."},
    {"zh": "k 值低于要求，请进一步概化。", "en": "k is below what is required; generalize further."},
    {"zh": "法律依据不充分，请补充。", "en": "The legal basis is not sufficient; complete it."},
    {"zh": "影响评估未说明保护措施。", "en": "The impact assessment names no safeguards."},
)


@router.get("/console/reviews")
def queue(request: Request, session: SessionDep, actor: Reviewer) -> Response:
    """Editions that wait for me, most urgent first."""
    waiting = publishing.review_queue(session, actor)
    datasets = {edition.dataset_id: session.get(Dataset, edition.dataset_id) for edition in waiting}
    people = {
        edition.submitted_by: session.get(User, edition.submitted_by) for edition in waiting if edition.submitted_by
    }
    publishers = views.organizations(session, [dataset for dataset in datasets.values() if dataset is not None])
    return render(
        request,
        "console/reviews.html",
        queue=waiting,
        datasets=datasets,
        people=people,
        publishers=publishers,
        now=utc_now(),
    )


@router.get("/console/editions/{edition_id}")
def edition_page(request: Request, edition_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """All evidence of one edition."""
    edition, dataset = work.known_edition(session, edition_id, actor)
    return _page(request, session, edition, dataset, actor, {})


@router.get("/console/editions/{edition_id}/report")
def edition_report(request: Request, edition_id: str, session: SessionDep, actor: CurrentActor) -> Response:
    """What the run did to each attribute and what risk is left, with plots: for whoever sees the edition's evidence."""
    edition, _ = work.known_edition(session, edition_id, actor)
    if edition.internal_report is None or edition.public_report is None:
        raise NotFoundError("此版本还没有脱敏报告（no report yet）")
    report = work.report_of(edition)
    return report_page(request, report, "internal", private=True)


@router.post("/console/editions/{edition_id}/{act}")
def decide(
    request: Request,
    edition_id: str,
    act: str,
    session: WriteDep,
    actor: CurrentActor,
    opinion: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Submit, approve, return, reject or withdraw."""
    edition, dataset = work.known_edition(session, edition_id, actor)
    try:
        with session.begin_nested():
            job = work.decide(request, session, edition, actor, act, opinion=opinion, note=note, reason=reason)
    except (InvalidInputError, ConflictError, DeniedError) as error:
        problem = problems.describe(error)
        session.expire_all()
        edition, dataset = work.known_edition(session, edition_id, actor)
        errors = {_field(act): say(request, problem.detail or problem.title)}
        return _page(request, session, edition, dataset, actor, errors, status_code=problem.status)
    if job is not None:
        return RedirectResponse(f"/console/jobs/{job.id}", 303)
    return RedirectResponse(f"/console/editions/{edition_id}", 303)


def risk_plot(report: dict[str, Any] | None) -> dict[str, Any] | None:
    """Persons who can be singled out before and after, as widths of two bars; None for data not about persons."""
    before, after = (report or {}).get("before"), (report or {}).get("after")
    if not before:
        return None
    persons = max(1, int(before["persons"]))
    alone_before = int(before["unique_persons"])
    alone_after = int(after["unique_persons"]) if after else 0
    return {
        "persons": persons,
        "before": alone_before,
        "after": alone_after,
        "before_width": round(300 * alone_before / persons, 1),
        "after_width": round(300 * alone_after / persons, 1),
        "k_before": before["k"],
        "k_after": after["k"] if after else None,
    }


def _page(
    request: Request,
    session: SessionDep,
    edition: Edition,
    dataset: Dataset,
    actor: Actor,
    errors: dict[str, str],
    *,
    status_code: int = 200,
) -> Response:
    version = work.policy_of(session, edition)
    rows = policy_form.rows(policy_form.read(version.yaml), language(request)) if version else []
    return render(
        request,
        "console/edition.html",
        status_code=status_code,
        edition=edition,
        dataset=dataset,
        intake=session.get(Intake, edition.intake_id),
        version=version,
        rows=rows,
        report=edition.internal_report or {},
        plot=risk_plot(edition.internal_report),
        items=ITEMS,
        catalog_items={item.name: item for item in catalog.items_of(session, dataset)},
        acts=_acts(edition, dataset, actor),
        reasons=REASONS,
        people={
            key: session.get(User, key)
            for key in (edition.created_by, edition.submitted_by, edition.reviewed_by)
            if key
        },
        publisher=views.organizations(session, [dataset]).get(dataset.organization_id),
        entries=ledger.openings_of(session, f"edition:{edition.id}"),
        errors=errors,
        now=utc_now(),
    )


def _acts(edition: Edition, dataset: Dataset, actor: Actor) -> set[str]:
    """What this person could do now by role and state; the services decide again when it is done."""
    possible = {Act.SUBMIT, Act.APPROVE, Act.RETURN, Act.REJECT, Act.WITHDRAW}
    own = actor.organization_id == dataset.organization_id
    found = set()
    for act in possible:
        move = TRANSITIONS[act]
        allowed = actor.roles & move.roles
        if edition.state in move.start and allowed and (own or Role.REVIEWER in allowed):
            found.add(act.value)
    if actor.id in {edition.created_by, edition.submitted_by}:
        found -= {Act.APPROVE.value, Act.RETURN.value, Act.REJECT.value}
    return found


def _field(act: str) -> str:
    return {"approve": "opinion", "withdraw": "reason"}.get(act, "note")

"""The risk–utility curve of an intake: asked for, waited for, read as a drawing and as a table, and one plan picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.measures.effect import THRESHOLDS
from masking.policy import explain
from opendata.catalog.models import Dataset
from opendata.errors import ConflictError, InvalidInputError
from opendata.jobs import FINISHED, Job, request_cancel
from opendata.publishing import curves
from opendata.publishing.jobs import CANCELLED
from opendata.publishing.models import CurveState, Intake, RiskCurve
from opendata.web import publishing_work as work
from opendata.web.console import Officer
from opendata.web.deps import SessionDep, WriteDep
from opendata.web.limit_form import RECODING_TITLES
from opendata.web.rendering import format_percent, language, render, say, say_error, sentence

router = APIRouter(include_in_schema=False)

LINES: Mapping[str, Mapping[str, str]] = {
    "full_public": {"zh": "完全公开", "en": "full public"},
    "controlled": {"zh": "受控公开", "en": "controlled"},
}
SHAPES: Mapping[str, Mapping[str, str]] = {
    "local": {"zh": "● 局部", "en": "● local"},
    "global": {"zh": "■ 全局", "en": "■ global"},
}
assert LINES.keys() == THRESHOLDS.keys()


@router.get("/console/intakes/{intake_id}/curve")
def curve_page(request: Request, intake_id: str, session: SessionDep, actor: Officer) -> Response:
    """The curve, or how far it is, or how to get one; its middle renews itself while a job computes."""
    intake, dataset = work.own_intake(session, intake_id, actor)
    curve = curves.of_intake(session, intake)
    job = session.get(Job, curve.job_id) if curve is not None and curve.job_id else None
    if "hx-request" in request.headers:
        over = job is None or job.state in FINISHED
        headers = {"HX-Refresh": "true"} if over else {}
        return render(request, "console/curve_status.html", headers=headers, intake=intake, job=job)
    return _page(request, session, intake, dataset, curve, job)


@router.post("/console/intakes/{intake_id}/curve")
def compute(request: Request, intake_id: str, session: WriteDep, actor: Officer) -> Response:
    """Start computing; a draft that has no curve is answered with the reason."""
    intake, dataset = work.own_intake(session, intake_id, actor)
    try:
        curves.start(session, intake, actor=actor)
    except (ConflictError, InvalidInputError, MaskingError) as error:
        return _page(request, session, intake, dataset, None, None, refused=say_error(request, error))
    return RedirectResponse(f"/console/intakes/{intake_id}/curve", 303)


@router.post("/console/intakes/{intake_id}/curve/cancel")
def cancel(intake_id: str, session: WriteDep, actor: Officer) -> Response:
    """Ask the job to stop."""
    intake, _ = work.own_intake(session, intake_id, actor)
    curve = curves.of_intake(session, intake)
    if curve is not None and curve.job_id:
        request_cancel(session, curve.job_id)
    return RedirectResponse(f"/console/intakes/{intake_id}/curve", 303)


@router.post("/console/intakes/{intake_id}/curve/plan")
def pick(
    request: Request, intake_id: str, session: WriteDep, actor: Officer, number: Annotated[int, Form()]
) -> Response:
    """Save one plan as the next version of the draft, and show it in the policy's form."""
    intake, dataset = work.own_intake(session, intake_id, actor)
    try:
        curves.pick(session, intake, number, actor=actor)
    except (ConflictError, InvalidInputError, MaskingError) as error:
        curve = curves.of_intake(session, intake)
        return _page(request, session, intake, dataset, curve, None, refused=say_error(request, error))
    return RedirectResponse(f"/console/datasets/{dataset.name}/policy?plan={number}", 303)


def _page(
    request: Request,
    session: Session,
    intake: Intake,
    dataset: Dataset,
    curve: RiskCurve | None,
    job: Job | None,
    *,
    refused: str = "",
) -> Response:
    lang: Literal["zh", "en"] = "en" if language(request) == "en" else "zh"
    draft = curves.draft_of(session, dataset, intake)
    ready = curve is not None and curve.state == CurveState.READY
    chosen = curves.picked(curve, draft) if curve is not None and ready else None
    return render(
        request,
        "console/curve.html",
        status_code=422 if refused else 200,
        intake=intake,
        dataset=dataset,
        curve=curve,
        job=job if job is not None and job.state not in FINISHED else None,
        refused=refused,
        failed=reason(request, curve.error) if curve is not None and curve.error else "",
        current=curve is not None and (curve.policy_yaml == draft or chosen is not None),
        chosen=chosen,
        drawing=drawing(curve.points, lang) if curve is not None and ready else None,
        shapes=SHAPES,
        kinds=RECODING_TITLES,
        hierarchies=hierarchies(curve, lang) if curve is not None else [],
        thresholds=sorted(THRESHOLDS.values(), reverse=True),
    )


def reason(request: Request, error: str) -> str:
    """Why there is no curve, in the reader's language; jobs store their sentences in Chinese."""
    known = next((each for each in (CANCELLED, curves.NOTHING_REACHED, curves.NO_RECORDS) if each["zh"] == error), None)
    return say(request, known) if known is not None else sentence(error, language(request))


def drawing(points: Sequence[Mapping[str, Any]], lang: Literal["zh", "en"]) -> Markup:
    """Risk against granularity, each point marked with its k; made of our own words and figures only."""
    from masking.reporting.curve import Mark, scatter

    marks = [
        Mark(
            number=point["k"],
            risk=point["max_risk"],
            granularity=point["granularity"],
            recoding=point["recoding"],
            label=" · ".join(
                (SHAPES[point["recoding"]][lang], format_percent(point["max_risk"]), f"{point['granularity']:.3f}")
            ),
        )
        for point in points
    ]
    lines = {LINES[name][lang]: limit for name, limit in THRESHOLDS.items()}
    return Markup(scatter(marks, lines, lang))  # noqa: S704 (the drawing escapes its words)


def hierarchies(curve: RiskCurve, lang: str) -> list[dict[str, str]]:
    """What the search generalizes, and what a proposed hierarchy stands for; nothing before it is known."""
    given = curve.attributes
    if not given:
        return []
    explained = explain(curves.searched(curve), "en" if lang == "en" else "zh")
    sentences = {item.attribute: item.sentence for item in explained}
    return [{"name": each["name"], "replaced": each["replaced"], "said": sentences[each["name"]]} for each in given]

"""The risk–utility curve (风险—效用曲线) of an intake: what each plan costs and guards, and the plan an officer picks.

A curve is asked for by an officer of the intake's department and computed by a job, for it reads the whole raw table.
It starts from the draft of the masking policy at that moment, holds figures only, and goes with its intake. Picking a
plan saves the next version of the draft; the versions before it stay. Source: PRIVACY.md 2, 3, 23; DESIGN.md 6.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from masking.policy import MaskingPolicy, check, dump
from masking.policy.model import RECODING
from opendata.catalog.models import Dataset
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.jobs import FINISHED, Job, enqueue
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.errors import InvalidSubmission, WrongState
from opendata.publishing.models import CurveState, Intake, IntakeState, PolicyVersion, RiskCurve
from opendata.publishing.permissions import check_is_officer
from opendata.publishing.policies import latest_policy, parse_policy, save_policy
from opendata.publishing.profile import schema_of, stored_statistics
from opendata.publishing.searchable import check_searchable, searchable

JOB: Final = "curve"
EVENT: Final = "publishing:curve:compute"
NOTHING_REACHED: Final = text(
    "没有方案能达到策略要求的限值，请放宽限值、提高可删去的比例或删除部分准标识符。",
    "No plan meets the limits of the policy: relax a limit, allow more suppression, or drop a quasi-identifier.",
)
NO_RECORDS: Final = text("表中没有记录，没有可比较的方案。", "The table has no records to compare plans on.")


def start(session: Session, intake: Intake, *, actor: Actor, now: datetime | None = None) -> tuple[RiskCurve, Job]:
    """Compute the curve of an intake from the newest draft; one that is being computed is answered as it is.

    Refused before a row is read: a draft that a search cannot decide on, or that does not fit the table.
    """
    now = now or utc_now()
    check_is_officer(actor, intake.organization_id)
    session.refresh(intake, with_for_update=True)  # two officers ask once
    if intake.state != IntakeState.READY:
        raise WrongState(text("接入批次尚未就绪。", "The intake is not ready."))
    dataset = session.get_one(Dataset, intake.dataset_id)
    running = of_intake(session, intake)
    if running is not None and running.state == CurveState.COMPUTING:
        job = session.get(Job, running.job_id)
        if job is not None and job.state not in FINISHED:
            return running, job
    yaml = draft_of(session, dataset, intake)
    policy = parse_policy(yaml)
    check(policy, schema_of(intake.schema), stored_statistics(intake.profile))
    check_searchable(policy)
    forget(session, intake)
    curve = RiskCurve(intake_id=intake.id, policy_yaml=yaml, created_by=actor.id, created_at=now)
    session.add(curve)
    session.flush()
    payload = {"dataset": dataset.id, "policy": digest_of(yaml)}
    append(session, AuditEvent(EVENT, actor.id, f"intake:{intake.id}", now, payload))
    job = enqueue(session, JOB, {"curve_id": curve.id, "intake_id": intake.id}, actor_id=actor.id)
    curve.job_id = job.id
    return curve, job


def of_intake(session: Session, intake: Intake) -> RiskCurve | None:
    """The intake's curve."""
    return session.scalar(select(RiskCurve).where(RiskCurve.intake_id == intake.id))


def forget(session: Session, intake: Intake) -> None:
    """Delete the intake's curve; a job that computes it ends without a trace."""
    session.execute(delete(RiskCurve).where(RiskCurve.intake_id == intake.id))
    session.flush()


def draft_of(session: Session, dataset: Dataset, intake: Intake) -> str:
    """The newest version of the masking policy, or what was proposed for the intake."""
    saved = latest_policy(session, dataset)
    return saved.yaml if saved is not None else intake.proposal_yaml


def is_current(curve: RiskCurve, draft: str) -> bool:
    """True if the draft is the one that the curve starts from, or one of the curve's own plans."""
    return draft == curve.policy_yaml or picked(curve, draft) is not None


def picked(curve: RiskCurve, draft: str) -> int | None:
    """The number of the plan that the draft says; None: it is none of the curve's."""
    policy = parse_policy(draft)
    said = (policy.limits.k_anonymity, policy.recoding)
    alike = [point["number"] for point in curve.points if (point["k"], point["recoding"]) == said]
    return next((number for number in alike if plan(curve, number) == draft), None)


def plan(curve: RiskCurve, number: int) -> str:
    """YAML of a plan: the curve's draft with the point's limits, hierarchies and, for whole columns, levels.

    Raises:
        InvalidSubmission: the curve has no such plan.
    """
    point = next((point for point in curve.points if point["number"] == number), None)
    if point is None:
        raise InvalidSubmission(text("没有这个方案。", "There is no such plan."))
    return dump(_planned(searched(curve), point))


def searched(curve: RiskCurve) -> MaskingPolicy:
    """The policy whose levels the curve's search decides."""
    parameters = {each["name"]: each["parameters"] for each in curve.attributes if each["replaced"]}
    return searchable(parse_policy(curve.policy_yaml), parameters)


def pick(session: Session, intake: Intake, number: int, *, actor: Actor) -> PolicyVersion:
    """Save a plan of the curve as the next version of the draft.

    Refused where the draft was changed by hand after the curve was computed: the figures would not be those of the
    table.
    """
    check_is_officer(actor, intake.organization_id)
    curve = of_intake(session, intake)
    if curve is None or curve.state != CurveState.READY:
        raise WrongState(text("还没有算好的曲线。", "There is no finished curve."))
    dataset = session.get_one(Dataset, intake.dataset_id)
    yaml = plan(curve, number)
    if not is_current(curve, draft_of(session, dataset, intake)):
        raise WrongState(
            text(
                "脱敏策略在计算曲线之后改动过，请重新计算。",
                "The masking policy was changed after the curve was computed; compute it again.",
            )
        )
    return save_policy(session, dataset, yaml=yaml, actor=actor)


def digest_of(yaml: str) -> str:
    """SHA-256 of a policy's text, as policy versions hold it."""
    return hashlib.sha256(yaml.encode()).hexdigest()


def _planned(policy: MaskingPolicy, point: Mapping[str, Any]) -> MaskingPolicy:
    """The searchable policy held to one point; levels of whole columns are written down, so nothing is left open."""
    levels: Mapping[str, int] = point["levels"] or {}
    attributes = dict(policy.attributes)
    for name, level in levels.items():
        rule = attributes[name]
        assert rule.technique == RECODING
        given = {**rule.parameters, "lowest": level, "highest": level}
        attributes[name] = dataclasses.replace(rule, parameters=given, line=0)
    limits = dataclasses.replace(policy.limits, k_anonymity=point["k"], suppression=point["suppression"])
    recoding = cast("Literal['local', 'global']", point["recoding"])
    return dataclasses.replace(policy, attributes=attributes, limits=limits, recoding=recoding, source_text="")

"""Where fixed tables stand for officers who may have them computed: what is registered, its error, what can be done."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.policy.load import load
from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.jobs import FINISHED, Job
from opendata.publishing.models import Intake, PolicyVersion
from sandbox.queries import service
from sandbox.queries.answers import Registered
from sandbox.queries.expected import expected
from sandbox.queries.registration import Registration
from sandbox.queries.tally import tally
from sandbox.web.query_panels import next_number
from sandbox.web.query_words import error_in_words, in_words, tally_in_words


def job_of(session: Session, found: Registered) -> Job | None:
    """The computation that is under way, for those who may have one."""
    job = session.get(Job, found.job_id) if found.may_compute and found.job_id else None
    return None if job is None or job.state in FINISHED else job


def standing(session: Session, dataset: Dataset, found: Registered) -> dict[str, Any]:
    """``can``: publish, register, wait, compute or nothing. `sentences` say what is registered and what to expect."""
    edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
    job = job_of(session, found)
    told: dict[str, Any] = {"job": job, "state": found.state, "error": found.error if job is None else ""}
    told |= {"sentences": (), "newer": False, "done": False}
    if edition is None or edition.state != EditionState.PUBLISHED:
        return told | {"can": "publish"}
    try:
        registration = Registration.of(load(session.get_one(PolicyVersion, edition.policy_version_id).yaml))
    except MaskingError:
        registration = None
    if registration is None:
        return told | {"can": "register"}
    cube = service.cube_of(session, dataset)
    intake = session.get_one(Intake, edition.intake_id)
    ahead = expected(registration, number=next_number(session, dataset), rows=intake.rows)
    done = cube is not None and cube.intake_id == intake.id
    shown = tally_in_words(registration, tally(session, cube)) if cube is not None and done else error_in_words(ahead)
    can = "wait" if job is not None else "nothing" if done or ahead.sparse else "compute"
    return told | {
        "can": can,
        "sentences": (*in_words(registration), *shown),
        "newer": cube is not None and not done,
        "done": done,
    }

"""Fixed tables on other pages: an open door on a dataset's page; what a policy registers, and its error, on a policy's.

The expected error follows from the registration alone, so an officer sees it before anything is published or computed.
"""

from __future__ import annotations

from typing import Final

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.policy import MaskingPolicy
from opendata.catalog.errors import DatasetNotFound
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.catalog.texts import text
from opendata.identity import Actor
from opendata.parts import Panel
from opendata.publishing.models import Intake
from opendata.settings import Settings
from sandbox.queries import service
from sandbox.queries.answers import MOST_DIMENSIONS
from sandbox.queries.expected import expected
from sandbox.queries.models import FixedCube
from sandbox.queries.registration import Registration
from sandbox.queries.states import CubeState
from sandbox.web.query_words import error_in_words, in_words, listed

TITLE: Final = text("固定口径统计", "Fixed tables")
ASK: Final = text("查询固定口径统计", "Ask the fixed tables")
LOOK: Final = text("查看登记的口径", "See what is registered")
COMPUTE: Final = text("查看与计算", "See and compute")
STATES: Final = {
    "none": text("尚未计算。", "Nothing is computed yet."),
    "computing": text("正在计算。", "Being computed."),
    "published": text("已公布，可以查询。", "Published and answering."),
    "failed": text("上次计算没有成功。", "The last computation failed."),
    "cancelled": text("上次计算已取消。", "The last computation was cancelled."),
}
TO_COMPUTE: Final = text(
    "还没有可以查询的数字；由提供部门的数据专员计算。", "There are no figures yet; a data officer has them computed."
)


def next_number(session: Session, dataset: Dataset) -> int:
    """Which published set of its population the next one would be."""
    published = select(func.count()).where(FixedCube.dataset_id == dataset.id, FixedCube.state == CubeState.PUBLISHED)
    return 1 + (session.scalar(published) or 0)


def dataset_panel(request: Request, session: Session, dataset: Dataset, actor: Actor | None) -> Panel | None:
    """An open door where there are tables; how to get in where they are for others; nothing where there are none."""
    found = service.registered(session, dataset.name, actor=actor, grades=request.app.state.grades)
    path = f"/dataset/{dataset.name}/tables"
    if not found.dimensions:
        return None
    by = listed([each.title for each in found.dimensions])
    told = text(
        f"按{by['zh']}，一次至多 {MOST_DIMENSIONS} 项，立即得到带误差的汇总数字。",
        f"Figures with their errors, at once, by {by['en']}; up to {MOST_DIMENSIONS} at a time.",
    )
    if found.may_ask:
        return Panel(TITLE, (told,), path, ASK)
    if found.state == CubeState.PUBLISHED:
        return Panel(TITLE, (told, *([found.door] if found.door else [])), path, LOOK)
    return Panel(TITLE, (STATES.get(found.state, TO_COMPUTE),), path, COMPUTE)


def answers_tables(session: Session, name: str, actor: Actor | None, grades: Grades) -> bool:
    """Whether this person gets answers from the dataset's fixed tables."""
    try:
        return service.registered(session, name, actor=actor, grades=grades).may_ask
    except DatasetNotFound:
        return False


def policy_panel(
    request: Request,
    session: Session,
    dataset: Dataset,
    actor: Actor | None,
    *,
    policy: MaskingPolicy,
    intake: Intake | None,
) -> Panel | None:
    """What is registered in words, the error to expect, and where the set stands."""
    settings: Settings = request.app.state.settings
    try:
        registration = Registration.of(policy, settings.policies_dir)  # a text not saved yet may name a file
    except MaskingError:
        return None  # the page says what is wrong with the policy
    if registration is None:
        return None
    said = expected(registration, number=next_number(session, dataset), rows=intake.rows if intake else None)
    found = service.registered(session, dataset.name, actor=actor, grades=request.app.state.grades)
    sentences = (*in_words(registration), *error_in_words(said), STATES.get(found.state, STATES["none"]))
    return Panel(TITLE, sentences, f"/dataset/{dataset.name}/tables", COMPUTE)

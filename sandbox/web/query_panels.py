"""Fixed tables on other pages: an open door on a dataset's page; what a policy registers, and its error, on a policy's.

The expected error follows from the registration alone, so an officer sees it before anything is published or computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.errors import MaskingError
from masking.policy import MaskingPolicy
from opendata.catalog.errors import DatasetNotFound
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset
from opendata.catalog.texts import Text, text
from opendata.identity import Actor
from opendata.parts import Panel
from opendata.publishing.models import Intake
from opendata.settings import Settings
from sandbox.queries import service
from sandbox.queries.answers import MOST_DIMENSIONS
from sandbox.queries.design import Design, base_cells_of, cells_of, shown_error, sparse, to_drop
from sandbox.queries.models import FixedCube
from sandbox.queries.registration import Registration
from sandbox.queries.states import CubeState

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


@dataclass(frozen=True, slots=True)
class Expected:
    """What a registration will give: ``errors`` of counts by number of dimensions, least and greatest.

    ``figure``: the average count of the largest table, None while the number of records is unknown. ``sparse``: its
    error is larger; ``drop`` is the dimension to leave out.
    """

    errors: tuple[tuple[int, float, float], ...]
    figure: float | None
    error: float
    sparse: bool
    drop: str | None


def expected(registration: Registration, *, number: int = 1, rows: int | None = None) -> Expected:
    """The error of each kind of table, known before anything is counted."""
    design = Design.of(registration, number)
    tables = list(registration.askable())
    errors = []
    for size in range(max(len(each) for each in tables) + 1):
        found = [design.count_error(base_cells_of(registration, each)) for each in tables if len(each) == size]
        errors.append((size, shown_error(min(found)), shown_error(max(found))))
    largest = max(tables, key=lambda each: cells_of(registration, each))
    persons = (rows or 0) * registration.contribution
    too_sparse = rows is not None and sparse(registration, design, persons) is not None
    return Expected(
        errors=tuple(errors),
        figure=shown_error(persons / cells_of(registration, largest)) if rows is not None else None,
        error=shown_error(design.count_error(base_cells_of(registration, largest))),
        sparse=too_sparse,
        drop=to_drop(registration, design, persons) if too_sparse else None,
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
    by = _listed([each.title for each in found.dimensions])
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


def in_words(registration: Registration) -> tuple[Text, ...]:
    """Dimensions, measures, what is counted and when another set may be made."""
    dimensions = [text(f"{each.title['zh']}（{each.count} 类）", f"{each.title['en']} ({each.count})")
                  for each in registration.dimensions]  # fmt: skip
    measures = [text(f"{each.title['zh']}（{each.lower:g} 至 {each.upper:g}）",
                     f"{each.title['en']} ({each.lower:g} to {each.upper:g})")
                for each in registration.measures]  # fmt: skip
    by, sums = _listed(dimensions), _listed(measures)
    unit = text("不同的人", "distinct persons") if registration.unit else text("记录", "records")
    cells = f"{registration.contribution} cell{'s' if registration.contribution > 1 else ''}"
    said = [
        text(f"维度：{by['zh']}。", f"Dimensions: {by['en']}."),
        text(
            f"计数：{unit['zh']}，每{'人' if registration.unit else '条'}至多计入 {registration.contribution} 格；"
            f"小于 {registration.threshold} 的不显示；{registration.renew_days} 天内同一人群不再公布新的一套。",
            f"Counted: {unit['en']}, each in at most {cells}; below "
            f"{registration.threshold} nothing is shown; no other set of this population for "
            f"{registration.renew_days} days.",
        ),
    ]
    if measures:
        said.insert(1, text(f"合计与均值：{sums['zh']}，超出的按界限计。",
                            f"Sums and means of {sums['en']}; values beyond are clamped."))  # fmt: skip
    return tuple(said)


def error_in_words(said: Expected) -> tuple[Text, ...]:
    """The error to expect, and whether the largest table can be read."""
    parts = [text(f"{size} 项 ±{_span(low, high)}", f"{size}: ±{_span(low, high)}") for size, low, high in said.errors]
    told = _listed(parts)
    sentences = [
        text(
            f"计数的预期误差（95%，按维度数）：{told['zh']}。",
            f"Expected error of counts (95 %, by number of dimensions): {told['en']}.",
        )
    ]
    if said.figure is not None:
        sentences.append(
            text(
                f"最大的表平均每格约 {said.figure:g}，误差 ±{said.error:g}。",
                f"The largest table shows about {said.figure:g} a cell, with an error of ±{said.error:g}.",
            )
        )
    if said.sparse:
        sentences.append(
            text(
                f"口径过细，不能计算：请去掉维度 {said.drop}，或合并类别。" if said.drop
                else "口径过细，不能计算：请去掉一个以上的维度，或合并类别。",
                f"Too sparse to be computed: drop {said.drop}, or merge categories." if said.drop
                else "Too sparse to be computed: drop more than one dimension, or merge categories.",
            )
        )  # fmt: skip
    return tuple(sentences)


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _listed(texts: list[Text]) -> Text:
    return text("、".join(each["zh"] for each in texts), ", ".join(each["en"] for each in texts))

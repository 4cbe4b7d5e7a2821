"""Fixed tables as people use them: what is registered, having them computed, asking them.

A question's first answer is recorded in the ledger before it is given; later ones are log lines, and of level L2 also
lines of the access log. Nothing here sees a true figure. Source: PRIVACY 20, 25; DESIGN 3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from masking.policy.load import load
from masking.taxonomy import DataLevel
from opendata.access.errors import AccessDenied
from opendata.access.models import AccessLog, Grant
from opendata.access.service import grant_of_key, living_grant
from opendata.catalog import service as catalog
from opendata.catalog.grades import LEVEL_UNKNOWN, NO_CLAUSE, Grades
from opendata.catalog.models import Dataset, DatasetState, Edition, EditionState
from opendata.catalog.texts import Text, text
from opendata.db import Database, utc_now
from opendata.identity import Actor
from opendata.jobs import FINISHED, Job, enqueue, request_cancel
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.logs import get_logger
from opendata.publishing.models import Intake, IntakeState, PolicyVersion
from sandbox.queries import answers, doors, permissions, rules
from sandbox.queries.answers import Answer, Column, Registered, RegisteredDimension, RegisteredMeasure
from sandbox.queries.design import Design, sparse
from sandbox.queries.errors import TablesConflict, TablesDenied
from sandbox.queries.jobs import CANCELLED, too_sparse
from sandbox.queries.models import FixedCube, FixedQuestion, FixedTable
from sandbox.queries.permissions import Standing
from sandbox.queries.registration import Registration
from sandbox.queries.rules import Earlier, Question, Wanted
from sandbox.queries.states import CubeState
from sandbox.queries.tables import unpacked
from sandbox.workspaces.models import Membership, Workspace, WorkspaceDataset
from sandbox.workspaces.permissions import can_work
from sandbox.workspaces.service import facts
from sandbox.workspaces.states import WorkspaceState

JOB: Final = "sandbox.tables"
DOOR: Final = "tables"
_PERSONS: Final = text("不同的人", "distinct persons")
_RECORDS: Final = text("记录", "records")
_COUNT: Final = text("人数", "persons")
_ROWS: Final = text("记录数", "records")
_KINDS: Final[Mapping[str, Text]] = {"sum": text("合计", "sum"), "mean": text("均值", "mean")}
_ERROR: Final = text("误差（±，95%）", "error (±, 95 %)")
_LOG = get_logger("sandbox.queries")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that this viewer may have answered."""

    dataset: Dataset
    cube: FixedCube
    registration: Registration
    question: Question
    content: dict[str, Any]
    grant: Grant | None


def registered(
    session: Session, dataset_name: str, *, actor: Actor | None, grades: Grades, app_key: str | None = None,
    now: datetime | None = None,
) -> Registered:  # fmt: skip
    """What can be asked of a dataset, and whether this viewer may.

    Raises DatasetNotFound when the viewer may not know of the dataset.
    """
    now = now or utc_now()
    dataset = catalog.get(session, dataset_name, actor)
    cube, newest = _published(session, dataset), _newest(session, dataset)
    standing, _ = _standing(session, dataset, cube, actor, app_key, grades, now)
    may_compute = permissions.may_compute(actor, dataset.organization_id)
    door: Text | None = None
    try:
        permissions.check_can_ask(actor, standing)
    except AccessDenied as denied:
        door = denied.door.text if denied.door else denied.reason
    shown = cube or (newest if may_compute else None)
    state = CubeState.PUBLISHED if cube else newest.state if newest and may_compute else "none"
    title = text(dataset.title_zh, dataset.title_en)
    if shown is None or not standing.door_open:
        return Registered(dataset.name, title, str(state), may_ask=False, may_compute=may_compute, door=door)
    registration = Registration.from_json(shown.registration)
    return Registered(
        dataset=dataset.name,
        title=title,
        state=str(state),
        may_ask=door is None,
        may_compute=may_compute,
        door=door,
        dimensions=tuple(
            RegisteredDimension(
                each.name,
                _text(each.title),
                tuple(
                    answers.Category(code, _text(title)) for code, title in zip(each.codes, each.titles, strict=True)
                ),
            )
            for each in registration.dimensions
        ),
        measures=(
            RegisteredMeasure(rules.COUNT, _counted_title(registration), (rules.COUNT,)),
            *(
                RegisteredMeasure(
                    each.column, _text(each.title), tuple(f"{each.column}:{kind}" for kind in rules.KINDS), each.lower,
                    each.upper,
                )
                for each in registration.measures
            ),
        ),
        counted=_counted(registration),
        threshold=registration.threshold,
        published_at=cube.published_at if cube else None,
        number=shown.number,
        job_id=newest.job_id if newest and may_compute else None,
        error=newest.error if newest and may_compute else "",
    )  # fmt: skip


def compute(
    session: Session, dataset_name: str, *, actor: Actor, grades: Grades, now: datetime | None = None
) -> FixedCube:
    """Have the tables of the published edition's intake computed, once. By an officer of the department.

    Raises:
        DatasetNotFound, AccessDenied (level), TablesDenied (role, review), TablesConflict, TablesTooSparse.
    """
    now = now or utc_now()
    dataset = catalog.get(session, dataset_name, actor)
    permissions.check_may_compute(actor, dataset.organization_id)
    _check_level(session, dataset, grades, actor)
    edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
    if edition is None or edition.state != EditionState.PUBLISHED:
        raise TablesConflict(
            "数据集还没有经审核发布的版本，口径随之审核 · there is no published edition, with which tables are reviewed"
        )
    version, intake = (
        session.get_one(PolicyVersion, edition.policy_version_id),
        session.get_one(Intake, edition.intake_id),
    )
    rules.check_reviewed(
        reviewed_by=edition.reviewed_by, authors={version.author_id, edition.created_by, edition.submitted_by or ""}
    )
    registration = Registration.of(load(version.yaml))  # a saved policy holds its hierarchies itself
    if registration is None:
        raise TablesDenied("脱敏策略没有登记固定口径统计 · the masking policy registers no fixed tables")
    if intake.state != IntakeState.READY:
        raise TablesConflict("原始数据批次已不可用 · the intake is not available any more")
    earlier = _cubes(session, dataset)
    for each in earlier:
        _settle(session, each)
    rules.check_can_compute(intake.id, registration.renew_days, [_earlier(each) for each in earlier], now=now)
    number = 1 + sum(each.state == CubeState.PUBLISHED for each in earlier)
    design = Design.of(registration, number)
    most = (intake.rows or 0) * registration.contribution
    if sparse(registration, design, most) is not None:
        raise too_sparse(registration, design, most)
    cube = FixedCube(
        dataset_id=dataset.id,
        intake_id=intake.id,
        edition_id=edition.id,
        policy_version_id=version.id,
        state=CubeState.COMPUTING,
        number=number,
        registration=registration.to_json(),
        requested_by=actor.id,
        requested_at=now,
    )
    session.add(cube)
    session.flush()
    payload = {"cube": cube.id, "intake": intake.id, "policy": version.digest, "registration": registration.digest}
    append(session, AuditEvent("sandbox:tables:request", actor.id, f"dataset:{dataset.id}", now, payload))
    cube.job_id = enqueue(session, JOB, {"cube_id": cube.id}, actor_id=actor.id).id
    return cube


def cancel(session: Session, dataset_name: str, *, actor: Actor) -> None:
    """Have the computation stopped; one that has not begun ends at once. By an officer of the department."""
    dataset = catalog.get(session, dataset_name, actor)
    permissions.check_may_compute(actor, dataset.organization_id)
    cube = _newest(session, dataset)
    if cube is not None and cube.job_id is not None and cube.state == CubeState.COMPUTING:
        request_cancel(session, cube.job_id)
        _settle(session, cube)


def ask(
    database: Database,
    dataset_name: str,
    *,
    by: Sequence[str] = (),
    measures: Mapping[str, Any] | None = None,
    actor: Actor | None,
    grades: Grades,
    app_key: str | None = None,
    linked: bool = False,
    now: datetime | None = None,
) -> Answer:
    """One table of the published set. ``linked``: dimensions may be joined by commas, as links have them.

    Raises:
        DatasetNotFound: absent, or hidden from this viewer.
        AccessDenied: the door is shut, with the nearest one.
        QuestionRefused: the question's shape is not one that is answered.
    """
    now = now or utc_now()
    given = {"n": rules.COUNT} if measures is None else measures
    with database.session() as session:
        asked = _asked(session, dataset_name, by, given, actor, grades, app_key, linked, now)
        level = DataLevel(str(asked.dataset.level))
        known = not _unrecorded(session, asked)
    if not known or level not in permissions.FOR_EVERYBODY:
        with database.begin() as session:
            asked = _asked(session, dataset_name, by, given, actor, grades, app_key, linked, now)
            _record(session, asked, actor, now, logged=level not in permissions.FOR_EVERYBODY)
    _LOG.info("fixed table asked", cube=asked.cube.id, dimensions=len(asked.question.by), first=not known)
    return _answer(asked)


def cube_of(session: Session, dataset: Dataset) -> FixedCube | None:
    """The published set that answers now."""
    return _published(session, dataset)


def _asked(
    session: Session, name: str, by: Sequence[str], measures: Mapping[str, Any], actor: Actor | None, grades: Grades,
    app_key: str | None, linked: bool, now: datetime,
) -> _Asked:  # fmt: skip
    dataset = _visible(session, name, actor, app_key, now)
    cube = _published(session, dataset)
    standing, grant = _standing(session, dataset, cube, actor, app_key, grades, now)
    permissions.check_can_ask(actor, standing)
    assert cube is not None
    _check_quota(session, grant, standing, now)
    registration = Registration.from_json(cube.registration)
    question = rules.read_question(registration, rules.expanded(by, registration) if linked else by, measures)
    table = session.scalar(
        select(FixedTable.content).where(
            FixedTable.cube_id == cube.id, FixedTable.dimensions == json.dumps(list(question.by), ensure_ascii=False)
        )
    )
    assert table is not None, "every askable table was stored with the cube"
    return _Asked(dataset, cube, registration, question, unpacked(table), grant)


def _unrecorded(session: Session, asked: _Asked) -> list[str]:
    wanted = asked.question.recorded()
    known = set(
        session.scalars(
            select(FixedQuestion.question).where(
                FixedQuestion.cube_id == asked.cube.id, FixedQuestion.question.in_(wanted)
            )
        )
    )
    return [each for each in wanted if each not in known]


def _record(session: Session, asked: _Asked, actor: Actor | None, now: datetime, *, logged: bool) -> None:
    """Ledger entries for what was never answered before, then the access log."""
    for question in _unrecorded(session, asked):
        payload = {"cube": asked.cube.id, "dataset": asked.dataset.id, "question": question}
        event = AuditEvent("sandbox:tables:answer", actor.id if actor else None, f"cube:{asked.cube.id}", now, payload)
        index = append(session, event).index
        session.add(FixedQuestion(cube_id=asked.cube.id, question=question, asked_at=now, ledger_index=index))
    if logged:
        session.add(
            AccessLog(
                at=now,
                user_id=asked.grant.user_id if asked.grant else actor.id if actor else None,
                grant_id=asked.grant.id if asked.grant else None,
                dataset_id=asked.dataset.id,
                edition_id=asked.cube.edition_id,
                door=DOOR,
            )
        )


def _answer(asked: _Asked) -> Answer:
    registration, question, cube = asked.registration, asked.question, asked.cube
    dimensions = [each for each in registration.dimensions if each.name in question.by]
    columns = [Column(each.name, _text(each.title), "dimension") for each in dimensions]
    figures: list[list[Any]] = []
    for wanted in question.measures:
        title = _title(registration, wanted)
        columns.append(Column(wanted.name, title, "measure"))
        error = text(f"{title['zh']}{_ERROR['zh']}", f"{title['en']}, {_ERROR['en']}")
        columns.append(Column(f"{wanted.name}_error", error, "error", wanted.name))
        figures += _figures(asked.content, wanted)
    rows = _crossed([each.codes for each in dimensions])
    hidden = sum(each is None for values in figures[::2] for each in values)
    assert cube.published_at is not None
    return Answer(
        dataset=asked.dataset.name,
        title=text(asked.dataset.title_zh, asked.dataset.title_en),
        cube=cube.id,
        number=cube.number,
        published_at=cube.published_at,
        columns=tuple(columns),
        rows=tuple((*row, *values) for row, values in zip(rows, zip(*figures, strict=True), strict=True)),
        labels={
            each.name: {code: _text(title) for code, title in zip(each.codes, each.titles, strict=True)}
            for each in dimensions
        },
        cells=len(rows) * len(question.measures),
        hidden=hidden,
        threshold=registration.threshold,
        counted=_counted(registration),
    )


def _figures(content: dict[str, Any], wanted: Wanted) -> tuple[list[Any], list[Any]]:
    """Figures and errors, row by row; a hidden figure has no error."""
    of = content if wanted.kind == rules.COUNT else content["sums"][wanted.column]
    values, error = of[wanted.kind], of[f"{wanted.kind}_error"]
    errors = error if isinstance(error, list) else [None if each is None else error for each in values]
    return values, errors


def _crossed(codes: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every combination, the last dimension fastest."""
    rows: list[tuple[str, ...]] = [()]
    for each in codes:
        rows = [(*row, code) for row in rows for code in each]
    return rows


def _visible(session: Session, name: str, actor: Actor | None, app_key: str | None, now: datetime) -> Dataset:
    """The dataset, if this viewer or the holder of this key may know of it."""
    if app_key is not None:
        grant = grant_of_key(session, app_key, now=now)
        held = session.get(Dataset, grant.dataset_id) if grant is not None else None
        if held is not None and held.name == name:
            return held
    return catalog.get(session, name, actor)


def _standing(
    session: Session, dataset: Dataset, cube: FixedCube | None, actor: Actor | None, app_key: str | None,
    grades: Grades, now: datetime,
) -> tuple[Standing, Grant | None]:  # fmt: skip
    level = DataLevel(dataset.level) if dataset.level else None
    grant = living_grant(session, dataset, actor, now=now) if actor is not None else None
    if app_key is not None:
        found = grant_of_key(session, app_key, now=now)
        grant = found if found is not None and found.dataset_id == dataset.id else None
    edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
    member = actor is not None and _is_member(session, dataset, actor, now)
    nearest = doors.nearest(grades, dataset, edition, actor, granted=grant is not None, member=member)
    standing = Standing(
        level=level,
        door_open=grades.fixed_tables(level, negative_list=dataset.negative_list),
        published=cube is not None and _open(session, dataset, cube, edition),
        department=actor is not None and actor.organization_id == dataset.organization_id,
        grant=grant is not None,
        member=member,
        clause=nearest.clause,
        nearest=nearest,
    )
    return standing, grant


def _open(session: Session, dataset: Dataset, cube: FixedCube, edition: Edition | None) -> bool:
    """False once the dataset, its edition or the cube's own edition was taken down: one act shuts every door."""
    if dataset.state != DatasetState.PUBLISHED or edition is None or edition.state != EditionState.PUBLISHED:
        return False
    own = session.get_one(Edition, cube.edition_id)
    return own.state in (EditionState.PUBLISHED, EditionState.SUPERSEDED)


def _is_member(session: Session, dataset: Dataset, actor: Actor, now: datetime) -> bool:
    """True for somebody who may work in a live workspace that holds the dataset."""
    held = session.scalars(
        select(Workspace)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .join(WorkspaceDataset, WorkspaceDataset.workspace_id == Workspace.id)
        .where(
            Membership.user_id == actor.id,
            Membership.removed_at.is_(None),
            WorkspaceDataset.dataset_id == dataset.id,
            Workspace.state == WorkspaceState.APPROVED,
            Workspace.expires_at > now,
        )
    )
    return any(can_work(actor, facts(session, each)) for each in held)


def _check_quota(session: Session, grant: Grant | None, standing: Standing, now: datetime) -> None:
    """Calls of a grant at any door count against its day."""
    if grant is None or standing.level in permissions.FOR_EVERYBODY or standing.department or standing.member:
        return
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    used = session.scalar(
        select(func.count()).select_from(AccessLog).where(AccessLog.grant_id == grant.id, AccessLog.at >= day)
    )
    if (used or 0) >= grant.quota_per_day:
        raise AccessDenied(
            text(
                "今日调用已达许可限额，明日（UTC）恢复。", "Today's quota is used up; it starts again tomorrow (UTC)."
            ),
            clause=standing.clause,
            door=None,
            code="quota",
        )


def _check_level(session: Session, dataset: Dataset, grades: Grades, actor: Actor) -> None:
    level = DataLevel(dataset.level) if dataset.level else None
    if grades.fixed_tables(level, negative_list=dataset.negative_list):
        return
    edition = session.get(Edition, dataset.current_edition_id) if dataset.current_edition_id else None
    nearest = doors.nearest(grades, dataset, edition, actor)
    reason = LEVEL_UNKNOWN if level is None else text(
        "这一级别的数据不提供固定口径统计。", "Data of this level is not answered from fixed tables."
    )  # fmt: skip
    clause = NO_CLAUSE if level is None else grades.clause(level)
    raise AccessDenied(reason, clause=clause, door=nearest, code="not_open")


def _settle(session: Session, cube: FixedCube) -> None:
    """End a cube whose job ended before it began: nobody else does, and it would be computed for ever."""
    job = session.get(Job, cube.job_id) if cube.state == CubeState.COMPUTING and cube.job_id else None
    if job is not None and job.state in FINISHED:
        cube.state, cube.error = CubeState.CANCELLED, CANCELLED


def _cubes(session: Session, dataset: Dataset) -> list[FixedCube]:
    """Newest first."""
    found = select(FixedCube).where(FixedCube.dataset_id == dataset.id)
    return list(session.scalars(found.order_by(FixedCube.requested_at.desc(), FixedCube.id)))


def _newest(session: Session, dataset: Dataset) -> FixedCube | None:
    return next(iter(_cubes(session, dataset)), None)


def _published(session: Session, dataset: Dataset) -> FixedCube | None:
    return session.scalar(
        select(FixedCube)
        .where(FixedCube.dataset_id == dataset.id, FixedCube.state == CubeState.PUBLISHED)
        .order_by(FixedCube.published_at.desc())
        .limit(1)
    )


def _earlier(cube: FixedCube) -> Earlier:
    return Earlier(cube.intake_id, cube.state, cube.published_at, int(cube.registration["renew_days"]))


def _title(registration: Registration, wanted: Wanted) -> Text:
    if wanted.kind == rules.COUNT:
        return _counted_title(registration)
    of = next(_text(each.title) for each in registration.measures if each.column == wanted.column)
    kind = _KINDS[wanted.kind]
    return text(f"{of['zh']}{kind['zh']}", f"{of['en']}, {kind['en']}")


def _counted(registration: Registration) -> Text:
    return _PERSONS if registration.unit else _RECORDS


def _counted_title(registration: Registration) -> Text:
    return _COUNT if registration.unit else _ROWS


def _text(title: Mapping[str, str]) -> Text:
    return text(title["zh"], title["en"])

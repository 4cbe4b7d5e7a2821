"""The whole chain in one process: a real database, vault and stores, and jobs that run when asked.

``Journal`` stands for the durable runner: it records each step's result and can be killed before a step, or after a
step's work and before its result is recorded, which is the harsher case.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from masking.taxonomy import OpeningClass
from opendata.catalog import grades, workdays
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, Edition
from opendata.db import create_schema, new_id
from opendata.identity import Actor, Organization, Role
from opendata.identity.service import create_organization, create_user
from opendata.jobs import Job
from opendata.jobs.context import Resources
from opendata.parts import resolve
from opendata.publishing import service as publishing
from opendata.publishing.jobs import JOBS
from opendata.publishing.models import Intake, PolicyVersion
from opendata.settings import Settings
from opendata.storage.keys import initialise
from opendata.storage.vault import SealedWriter
from tests.homes import copy_of

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, ten in the morning in Beijing
ANSWERS = {
    "state_secret": {"answer": "no"},
    "important_data": {"answer": "no"},
    "trade_secret": {"answer": "no"},
    "mosaic": {"answer": "no"},
    "impact_assessment": {"answer": "yes"},
}
ASSESSMENT = {"purpose": "科研", "risk": "见报告", "safeguards": "脱敏与许可"}
OPINION = "已核对脱敏报告与审查清单，同意发布。"

PLACES = """version: 1
dataset: places
title: {zh: 村居代码, en: Villages}
level: L1
attributes:
  code: {role: insensitive, technique: keep, title: {zh: 代码, en: code}, reason: 公开的区划代码}
  name: {role: insensitive, technique: keep, title: {zh: 名称, en: name}, reason: 公开的地名}
"""

SURVEY = """version: 1
dataset: survey
title: {zh: 住户调查, en: Household survey}
level: L3
unit: person
attributes:
  person: {role: direct_identifier, technique: KEYED, title: {zh: 身份证号, en: ID}, reason: 虚构}
  phone: {role: direct_identifier, technique: suppression.drop, title: {zh: 手机, en: mobile}, reason: 虚构}
  age: {role: quasi_identifier, technique: generalization.bands, width: WIDTH, lower: 0, upper: 100, reason: 年龄}
  sex: {role: quasi_identifier, technique: keep, reason: 性别}
  score: {role: sensitive, technique: keep, reason: 调查结果}
limits: {k_anonymity: K, suppression: 0.2}
"""

FLIGHTS = """version: 1
dataset: flights
title: {zh: 航班, en: Flights}
level: L2
attributes:
  tail: {role: quasi_identifier, technique: pseudonymization.keyed, key: flights-line, reason: 假名按准标识符计数}
  delay: {role: insensitive, technique: keep, reason: 公开统计}
limits: {k_anonymity: 20, suppression: 0.01}
"""

AGGREGATE = """version: 1
dataset: survey
title: {zh: 住户调查, en: Household survey}
level: L4
unit: person
attributes:
  person: {role: direct_identifier, technique: suppression.drop, reason: 虚构}
  phone: {role: direct_identifier, technique: suppression.drop, reason: 虚构}
  age: {role: quasi_identifier, technique: generalization.bands, width: 20, lower: 0, upper: 100, reason: 年龄}
  sex: {role: quasi_identifier, technique: keep, reason: 性别}
  score: {role: sensitive, technique: keep, reason: 调查结果}
aggregate:
  by: [age, sex]
  measures: {persons: {count: "*"}, mean_score: {mean: score}}
  threshold: 10
  rounding: 5
  clamp: {score: [0, 100]}
"""


def survey_policy(*, k: int = 5, width: int = 20, technique: str = "suppression.drop", key: str = "") -> str:
    """A policy for :func:`survey_csv`."""
    keyed = f"{technique}, key: {key}" if key else technique
    return SURVEY.replace("KEYED", keyed).replace("WIDTH", str(width)).replace("K,", f"{k},")


def id_number(serial: int) -> str:
    """An invented but valid resident identity number: the county code was never assigned."""
    body = f"119999{19400101 + serial % 28}{serial % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def survey_csv(rows: int = 400, *, extra: str | None = None, seed: int = 7) -> bytes:
    """Invented persons: identity number, mobile, age, sex, score."""
    random_ = random.Random(seed)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["person", "phone", "age", "sex", "score", *([extra] if extra else [])])
    for serial in range(rows):
        row = [id_number(serial), f"1380000{serial:04d}", random_.randint(20, 79), random_.choice("男女")]
        writer.writerow([*row, random_.randint(0, 100), *(["x"] if extra else [])])
    return out.getvalue().encode("gb18030")


def places_csv(rows: int = 300) -> bytes:
    """Codes and names of places."""
    lines = ["code,name", *(f"{110101001000 + n},第{n}村" for n in range(rows))]
    return ("\n".join(lines) + "\n").encode()


def flights_csv(aircraft: int = 12, each: int = 25) -> bytes:
    """Aircraft and their delays."""
    lines = ["tail,delay", *(f"ZX-{n % aircraft:03d},{n % 97}" for n in range(aircraft * each))]
    return ("\n".join(lines) + "\n").encode()


class Killed(BaseException):
    """The worker was killed here; nothing may catch it."""


@dataclass
class Journal:
    """What the runner has recorded of one job."""

    results: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Context:
    """A JobContext over one journal; ``kill`` is (step, "before" | "after")."""

    resources: Resources
    job_id: str
    actor_id: str | None
    journal: Journal
    kill: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self._next = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.resources, name)

    def step(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        arguments = tuple(json.loads(json.dumps(arguments)))
        if self._next < len(self.journal.results):
            recorded, result = self.journal.results[self._next]
            assert recorded == name
        else:
            if self.kill == (name, "before"):
                raise Killed
            result = json.dumps(function(*arguments))
            assert len(result) < 64 * 1024
            if self.kill == (name, "after"):
                raise Killed
            self.journal.results.append((name, result))
        self._next += 1
        return json.loads(result)

    def progress(self, step: str, fraction: float, message: str = "") -> None:
        assert 0 <= fraction <= 1, (step, message)

    def check_cancelled(self) -> None:
        pass


@dataclass
class Chain:
    """One service in a temporary home, with its people."""

    settings: Settings
    resources: Resources
    people: dict[str, Actor]
    journals: dict[str, Journal] = field(default_factory=dict)

    @property
    def database(self):
        return self.resources.database

    @property
    def grades(self) -> grades.Grades:
        return grades.load(self.settings)

    @property
    def calendar(self) -> workdays.WorkCalendar:
        return workdays.load(self.settings)

    # People's acts

    def dataset(self, name: str, *, officer: str = "officer", **fields: Any) -> str:
        with self.database.begin() as session:
            made = catalog.create_dataset(
                session, name=name, title_zh=f"数据集 {name}", title_en=name, actor=self.people[officer], **fields
            )
            return made.id

    def upload(self, dataset_id: str, filename: str, content: bytes, *, officer: str = "officer") -> str:
        """Sealed upload and intake job, run to its end; returns the intake's id."""
        intake_id = new_id()
        with SealedWriter(self.settings, intake_id) as sealed:
            sealed.write(content)
        with self.database.begin() as session:
            _, job = publishing.create_intake(
                session,
                session.get_one(Dataset, dataset_id),
                filename=filename,
                nbytes=len(content),
                actor=self.people[officer],
                intake_id=intake_id,
            )
        self.run(job.id)
        return intake_id

    def policy(self, dataset_id: str, yaml: str, *, officer: str = "officer") -> str:
        with self.database.begin() as session:
            dataset = session.get_one(Dataset, dataset_id)
            return publishing.save_policy(session, dataset, yaml=yaml, actor=self.people[officer]).id

    def start_build(
        self,
        intake_id: str,
        policy_id: str,
        opening_class: OpeningClass,
        *,
        officer: str = "officer",
        legal_basis: str = "个人信息保护法 第十三条",
    ) -> tuple[str, str]:
        """The edition's and the job's id; the job has not run."""
        with self.database.begin() as session:
            edition, job = publishing.build_edition(
                session,
                session.get_one(Intake, intake_id),
                session.get_one(PolicyVersion, policy_id),
                opening_class=opening_class,
                legal_basis=legal_basis,
                checklist=ANSWERS,
                assessment=ASSESSMENT,
                actor=self.people[officer],
                grades=self.grades,
            )
            return edition.id, job.id

    def build(self, intake_id: str, policy_id: str, opening_class: OpeningClass, **options: Any) -> str:
        edition_id, job_id = self.start_build(intake_id, policy_id, opening_class, **options)
        self.run(job_id)
        return edition_id

    def submit(self, edition_id: str, *, officer: str = "officer") -> None:
        with self.database.begin() as session:
            edition = session.get_one(Edition, edition_id)
            publishing.submit(session, edition, actor=self.people[officer], calendar=self.calendar)

    def approve(self, edition_id: str, *, reviewer: str = "reviewer", opinion: str = OPINION) -> str:
        """The id of the publication job, which has not run."""
        with self.database.begin() as session:
            edition = session.get_one(Edition, edition_id)
            return publishing.approve(
                session, edition, actor=self.people[reviewer], opinion=opinion, grades=self.grades
            ).id

    def publish(self, edition_id: str) -> None:
        """Submit, approve and let out."""
        self.submit(edition_id)
        self.run(self.approve(edition_id))

    def withdraw(self, edition_id: str, *, officer: str = "officer") -> None:
        with self.database.begin() as session:
            edition = session.get_one(Edition, edition_id)
            job = publishing.withdraw(session, edition, actor=self.people[officer], reason="发现问题，紧急下架")
        self.run(job.id)

    # Jobs

    def run(self, job_id: str, *, kill: tuple[str, str] | None = None) -> None:
        """Run a job, or go on with it after a kill."""
        with self.database.session() as session:
            job = session.get_one(Job, job_id)
        journal = self.journals.setdefault(job_id, Journal())
        context = Context(self.resources, job_id, job.created_by, journal, kill)
        resolve(JOBS[job.kind])(context, job.arguments)
        with self.database.begin() as session:
            session.get_one(Job, job_id).state = "done"

    def run_queued(self) -> int:
        """Run whatever waits; returns how many."""
        done = 0
        while True:
            with self.database.session() as session:
                waiting = session.scalars(select(Job.id).where(Job.state == "queued").order_by(Job.created_at)).all()
            if not waiting:
                return done
            for job_id in waiting:
                self.run(job_id)
                done += 1

    # Looking

    def edition(self, edition_id: str) -> Edition:
        with self.database.session() as session:
            return session.get_one(Edition, edition_id)

    def intake(self, intake_id: str) -> Intake:
        with self.database.session() as session:
            return session.get_one(Intake, intake_id)

    def get(self, model: Any, key: str) -> Any:
        with self.database.session() as session:
            return session.get_one(model, key)

    def count(self, model: Any, **where: Any) -> int:
        with self.database.session() as session:
            return len(session.scalars(select(model).filter_by(**where)).all())

    def file(self, edition_id: str, format_: str) -> Path:
        edition = self.edition(edition_id)
        name = next(each["name"] for each in edition.files if each["format"] == format_)
        return self.resources.editions.path(str(edition.digest), name)


PEOPLE = {
    "officer": ("civil", [Role.DATA_OFFICER]),
    "officer2": ("civil", [Role.DATA_OFFICER, Role.REVIEWER]),
    "other_officer": ("health", [Role.DATA_OFFICER]),
    "reviewer": ("data", [Role.REVIEWER]),
    "firm": ("firm", [Role.APPLICANT]),
    "rival": ("rival", [Role.APPLICANT]),
    "auditor": ("data", [Role.AUDITOR]),
}
KINDS = {
    "civil": "department",
    "health": "department",
    "data": "department",
    "firm": "enterprise",
    "rival": "enterprise",
}


def start(home: Path) -> Chain:
    """A fresh service with its people."""
    people = copy_of(_home, home)
    settings = _settings(home)
    return Chain(settings, Resources.of(settings), dict(people))


def _settings(home: Path) -> Settings:
    return Settings.load(home, as_root=False, database_url=f"sqlite:///{home / 'opendata.sqlite'}")


def _home(home: Path) -> dict[str, Actor]:
    settings = _settings(home)
    initialise(settings)
    resources = Resources.of(settings)
    create_schema(resources.database)
    people: dict[str, Actor] = {}
    with resources.database.begin() as session:
        organizations: dict[str, Organization] = {
            name: create_organization(session, name_zh=f"单位 {name}", name_en=name, kind=kind)
            for name, kind in KINDS.items()
        }
        for username, (organization, roles) in PEOPLE.items():
            login = username.replace("_", "-") + "-x"
            user = create_user(
                session, username=login, name=username, organization=organizations[organization], roles=roles
            )
            people[username] = Actor(
                id=user.id,
                username=login,
                name=username,
                organization_id=user.organization_id,
                organization_name=f"单位 {organization}",
                roles=frozenset(roles),
            )
    resources.database.dispose()
    return people

"""A small world for the sandbox's tests: people of five organisations, one published dataset with raw rows, a launcher.

`SimulatedLauncher` implements the launcher's interface in this process: ``code`` is JSON that says what the "program"
writes on practice and on raw data; parsing is the real parser. Real jails are in the integration tests.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition
from opendata.catalog.workdays import WorkCalendar
from opendata.db import Database, create_schema, new_id, utc_now
from opendata.errors import JobCancelled, JobFailed, safe_sentence
from opendata.identity import service as identity
from opendata.jobs import Job
from opendata.ledger.service import append
from opendata.publishing.models import Intake, PolicyVersion
from opendata.settings import Settings
from opendata.storage.editions import EditionStore
from opendata.storage.keys import KeyStore, initialise
from opendata.storage.rawdoor import RawAnswer, RawDoorContext
from opendata.storage.vault import SealedWriter, Vault
from sandbox.airlock import rawdoor
from sandbox.contracts import JobResult
from sandbox.errors import SandboxUnavailable
from sandbox.inside.parse import parse
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.pledge import current_pledge
from sandbox.workspaces.visibility import Ticks
from tests.homes import copy_of

ROOT = Path(__file__).resolve().parents[2]
ROWS = 3000
RAW = pa.table(
    {
        "patient": [f"P{i:05d}" for i in range(ROWS)],
        "sex": ["男" if i % 2 else "女" for i in range(ROWS)],
        "age": [60 + i % 30 for i in range(ROWS)],
        "visits": [i % 7 for i in range(ROWS)],
    }
)
POLICY = """\
version: 1
dataset: {name}
title: {{zh: 就诊, en: visits}}
unit: patient
attributes:
  patient: {{role: direct_identifier, technique: suppression.drop}}
  sex: {{role: quasi_identifier, technique: keep, codes: [男, 女]}}
  age: {{role: quasi_identifier, technique: generalization.bands, width: 10, practice: {{minimum: 60, maximum: 95}}}}
  visits: {{role: sensitive, technique: keep, practice: {{minimum: 0, maximum: 10}}}}
limits: {{k_anonymity: 5}}
"""
GOOD = "sex,n,mean_visits\n女,1500,3.0\n男,1500,3.0\n"
DRY = "sex,n,mean_visits\n女,500,5.1\n男,500,4.9\n"
TICKS = Ticks(base_s=0.01, wall_s=600.0)
"""They pass at once."""
JobFunction = Callable[[Any, dict[str, Any]], None]


class Context:
    """The JobContext of these tests: steps run at once."""

    def __init__(self, world: World, job: Job) -> None:
        self.job_id, self.actor_id = job.id, job.created_by
        self.settings, self.database = world.settings, world.database
        self.vault, self.keys, self.editions = world.vault, world.keys, world.editions

    def step(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return json.loads(json.dumps(function(*arguments)))
        except JobCancelled:
            raise
        except Exception as error:
            self.last_error = error
            raise JobFailed(safe_sentence(error), error_type=type(error).__name__) from error

    def progress(self, step: str, fraction: float, message: str = "") -> None:
        return None

    def check_cancelled(self) -> None:
        return None


class SimulatedLauncher:
    """What a launcher does, without a jail. Set ``open`` to False to shut the door."""

    open = True

    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path

    def run_job(self, spec, inputs, output_fd, *, waiting=lambda: None) -> JobResult:
        waiting()
        given = {}
        for path, fd in inputs:
            with os.fdopen(os.dup(fd), "rb") as stream:
                given[path] = stream.read()
        if not self.open:
            raise SandboxUnavailable("门关着。", "The door is shut.")
        if spec.kind == "parse":
            answer = json.dumps(parse(io.BytesIO(given["/job/outputs.tar"])).to_json()).encode()
            state = "ok"
        else:
            code = json.loads(given[f"/job/{spec.entry}"].decode().removeprefix("#"))
            for path, content in given.items():
                if path.startswith("/data/"):
                    assert pq.read_table(io.BytesIO(content)).num_rows > 0
            state = code.get("state", "ok") if spec.kind == "sealed" else code.get("dry_state", "ok")
            files = code["sealed" if spec.kind == "sealed" else "dry"]
            answer = _tar(files)
        with os.fdopen(os.dup(output_fd), "wb") as sink:
            sink.write(answer)
        return JobResult(state, "exit", 0 if state == "ok" else 1, 1.0, None, len(answer))

    def settle(self, job: str) -> None:
        return None


def code(sealed: dict[str, str], dry: dict[str, str] | None = None, **more: Any) -> bytes:
    """A "program" for the simulated launcher."""
    return b"#" + json.dumps({"dry": dry or {"t.csv": DRY}, "sealed": sealed, **more}, ensure_ascii=False).encode()


@dataclass
class World:
    """Everything a test needs at hand."""

    settings: Settings
    database: Database
    keys: KeyStore
    vault: Vault
    editions: EditionStore
    grades: Grades
    calendar: WorkCalendar
    users: dict[str, Any] = field(default_factory=dict)

    def actor(self, name: str):
        return self.users[name]

    def workspace(
        self, level: str = "L1", *, name: str = "study", approve: bool = True, owner: str = "researcher"
    ) -> str:
        """A dataset of that level and an approved workspace over it; returns the workspace's id."""
        dataset = self.dataset(f"{name}-data", level)
        with self.database.begin() as session:
            made = workspaces.apply(
                session, actor=self.actor(owner), name=name, title="研究", purpose="研究就诊次数与年龄的关系",
                datasets=[dataset], term_days=30, **self.signature(owner), grades=self.grades, calendar=self.calendar,
            )  # fmt: skip
            identifier = made.id
        if approve:
            self.approve(identifier)
        return identifier

    def signature(self, name: str) -> dict[str, Any]:
        """The person's signature under the pledge."""
        return {"pledge_version": current_pledge().version, "pledge_name": self.actor(name).name}

    def approve(self, identifier: str, people: tuple[str, ...] = ("officer", "reviewer")) -> None:
        """The department's officer agrees, the reviewer too where a second person is needed; data is prepared."""
        with self.database.begin() as session:
            workspace = session.get_one(Workspace, identifier)
            for name in people:
                if workspaces.waiting_decision(session, workspace, self.grades) is not None:
                    workspaces.decide(
                        session, workspace, actor=self.actor(name), approve=True, reason="同意", grades=self.grades
                    )
        self.work()

    def join(self, identifier: str, name: str, role: str = "member") -> None:
        """The owner adds a person, who signs the pledge."""
        with self.database.begin() as session:
            workspace = session.get_one(Workspace, identifier)
            owner = next(each for each in self.users.values() if each.id == workspace.owner_id)
            workspaces.add_member(session, workspace, actor=owner, username=name, role=role)
            signature = self.signature(name)
            workspaces.sign_pledge(
                session, workspace, actor=self.actor(name), version=signature["pledge_version"],
                name=signature["pledge_name"],
            )  # fmt: skip

    def dataset(self, name: str, level: str) -> str:
        """A published dataset with a raw table in the vault."""
        now, intake_id = utc_now(), new_id()
        self.vault.write_table(intake_id, RAW.to_reader(max_chunksize=1000))
        profile = [{"name": n, "distinct": len(set(RAW[n].to_pylist()))} for n in RAW.schema.names]
        officer = self.actor("officer")
        with self.database.begin() as session:
            dataset = Dataset(
                name=name, title_zh="就诊", title_en="visits", organization_id=officer.organization_id, level=level,
                state="published", created_by=officer.id, created_at=now, updated_at=now,
            )  # fmt: skip
            session.add(dataset)
            session.flush()
            schema = [{"name": f.name, "type": str(f.type)} for f in RAW.schema]
            session.add(
                Intake(
                    id=intake_id, dataset_id=dataset.id, organization_id=officer.organization_id, filename="t.csv",
                    format="csv", state="ready", rows=ROWS, schema=schema, profile=profile, created_by=officer.id,
                    created_at=now,
                )
            )  # fmt: skip
            policy = PolicyVersion(
                dataset_id=dataset.id, number=1, yaml=POLICY.format(name=name), digest="0" * 64, author_id=officer.id,
                created_at=now,
            )  # fmt: skip
            session.add(policy)
            session.flush()
            edition = Edition(
                dataset_id=dataset.id, intake_id=intake_id, policy_version_id=policy.id, kind="aggregate",
                state="published", opening_class="conditional", created_by=officer.id, created_at=now,
            )  # fmt: skip
            session.add(edition)
            session.flush()
            dataset.current_edition_id = edition.id
        return name

    def submit(self, workspace_id: str, program: bytes, *, entry: str = "x.py", author: str = "researcher") -> str:
        """Submit and run what does not wait for people; returns the job's id."""
        job_id = new_id()
        with SealedWriter(self.settings, job_id) as sealed:
            sealed.write(program)
        with self.database.begin() as session:
            workspaces.submit_job(
                session, session.get_one(Workspace, workspace_id), actor=self.actor(author), entry=entry, code=program,
                job_id=job_id, grades=self.grades, charge_bits=3, ticks=TICKS,
            )  # fmt: skip
        self.work()
        return job_id

    def work(self) -> None:
        """Run queued jobs as the worker would, until none is left."""
        from sqlalchemy import select

        from opendata.parts import resolve
        from sandbox.parts import PART

        while True:
            with self.database.begin() as session:
                job = session.scalar(select(Job).where(Job.state == "queued").order_by(Job.created_at))
                if job is None:
                    return
                job.state = "running"
                kind, arguments = job.kind, dict(job.arguments)
                session.expunge(job)
            context, state = Context(self, job), "done"
            try:
                resolve(PART.jobs[kind])(context, arguments)
            except JobFailed:
                state = "failed"
            with self.database.begin() as session:
                session.get_one(Job, job.id).state = state

    def look(self, case_id: str, who: str) -> dict[str, Any]:
        """The checker opens the case through the raw door, as its worker does it: recorded, then shown."""
        return self.through_the_door(rawdoor.view, who, {"id": case_id, "purpose": "出域审查"})

    def through_the_door(self, handler: Callable[..., RawAnswer], who: str, request: dict[str, Any]) -> dict[str, Any]:
        """One question to the raw door."""
        door = RawDoorContext(self.settings, self.database, self.vault, self.keys)
        answer = handler(door, self.actor(who), request)
        with self.database.begin() as session:
            append(session, answer.audit)
        return json.loads(json.dumps(dict(answer.body)))

    def job(self, job_id: str) -> SandboxJob:
        with self.database.session() as session:
            return session.get_one(SandboxJob, job_id)


PEOPLE = {
    "researcher": ("uni", ["researcher"]),
    "colleague": ("uni", ["researcher"]),
    "outsider": ("other", ["researcher"]),
    "officer": ("health", ["data_officer"]),
    "reviewer": ("bureau", ["reviewer"]),
    "auditor": ("bureau", ["auditor"]),
    "security": ("bureau", ["security_admin"]),
    "home-checker": ("uni", ["output_checker"]),
    **{f"checker-{i}": (f"dept-{i}", ["output_checker"]) for i in range(1, 6)},
}


@contextmanager
def make_world(home: Path):
    users = copy_of(_home, home)
    settings = _settings(home)
    database = Database(settings)
    keys = KeyStore(settings)
    world = World(
        settings, database, keys, Vault(settings, keys), EditionStore(settings),
        Grades.load(ROOT / "policies" / "grades.yaml"), WorkCalendar.load(ROOT / "policies" / "workdays.yaml"),
    )  # fmt: skip
    world.users.update(users)
    yield world
    database.dispose()


def _settings(home: Path) -> Settings:
    return Settings.load(home, as_root=False, policies_dir=ROOT / "policies")


def _home(home: Path) -> dict[str, Any]:
    settings = _settings(home)
    initialise(settings)
    database = Database(settings)
    create_schema(database, "sandbox.workspaces.models", "sandbox.airlock.models", "sandbox.queries.models")
    users: dict[str, Any] = {}
    with database.begin() as session:
        organizations: dict[str, Any] = {}
        for username, (place, roles) in PEOPLE.items():
            if place not in organizations:
                organizations[place] = identity.create_organization(session, name_zh=place, kind="department")
            user = identity.create_user(
                session, username=username, name=username, organization=organizations[place], roles=roles
            )
            users[username] = identity.actor_of(user)
    database.dispose()
    return users


def _tar(files: dict[str, str]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in files.items():
            content = text.encode()
            info = tarfile.TarInfo(f"out/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()

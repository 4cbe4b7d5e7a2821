"""The life of an import: scan, declaration, the owners' consent, decision, mounting, withdrawal; who may do what."""

from __future__ import annotations

import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from opendata.db import new_id, utc_now
from opendata.errors import NotFoundError
from opendata.jobs import enqueue
from opendata.ledger.models import LedgerEntry
from opendata.storage.vault import SealedWriter
from sandbox.airlock.models import PracticeCheck
from sandbox.imports import service
from sandbox.imports.errors import ImportConflict, ImportDenied, ImportInvalid, ImportNotFound
from sandbox.imports.models import Import
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace, WorkspaceImport
from tests.sandbox.airlock.test_chain import accept_code
from tests.sandbox.imports.conftest import ASSESSMENT, ImportLauncher, ImportWorld, people
from tests.sandbox.sandbox_world import GOOD, code


def test_upload_is_scanned_declared_consented_decided_and_mounted(world: ImportWorld):
    workspace = world.workspace("L1")
    import_id = world.upload(workspace, people(range(2000, 3500)))
    row = world.row(import_id)
    assert (row.state, row.rows, row.number, row.error) == ("declaring", 1500, 1, "")
    assert [candidate["column"] for candidate in row.key_candidates] == ["patient"]
    world.declare(import_id)
    with pytest.raises(ImportConflict, match="study-data"):  # no owner has consented yet
        world.decide(import_id)
    world.consent(import_id)
    world.decide(import_id)
    row = world.row(import_id)
    assert row.state == "mounted", row.error
    with world.database.session() as session:
        events = [str(kind) for kind in session.scalars(select(LedgerEntry.type).order_by(LedgerEntry.index))]
        mount = session.get_one(WorkspaceImport, import_id)
    verbs = [kind.rpartition(":")[2] for kind in events if kind.startswith("sandbox:import:")]
    assert verbs == ["upload", "scan", "declare", "consent", "approve", "mount"]
    assert (mount.name, mount.person_keys, mount.joined_level) == ("own", ["patient"], row.joined_level)


def test_withdrawn_import_is_gone_and_its_key_is_destroyed(world: ImportWorld):
    workspace = world.workspace("L1")
    import_id = world.bring(workspace, people(range(2000, 3500)))
    world.withdraw(import_id)
    row = world.row(import_id)
    assert (row.state, row.outcome) == ("destroyed", "withdrawn")
    with pytest.raises(NotFoundError), world.vault.read_table(import_id):
        pass
    assert not world.vault.exists(import_id)
    assert ImportLauncher.held[workspace] == {}
    with world.database.session() as session:
        place = session.get_one(Workspace, workspace)
        assert workspaces.door_of(session, place, world.grades).level == "L1"  # judged by the datasets alone again


def test_person_keys_need_basis_and_dated_assessment_of_a_named_person(world: ImportWorld):
    import_id = world.upload(world.workspace("L1"), people(range(2000, 2100)))
    for missing in ASSESSMENT:
        with pytest.raises(ImportInvalid):
            world.declare(import_id, **{missing: ""})
        assert world.row(import_id).state == "declaring"
    for day in ("2099-01-01", "1999-01-01", "gestern"):
        with pytest.raises(ImportInvalid):
            world.declare(import_id, assessed_on=day)
    world.declare(import_id)  # the control: with everything it goes on
    assert world.row(import_id).state == "in_review"


def test_nobody_decides_on_their_own_import_and_hidden_ones_look_absent(world: ImportWorld):
    workspace = world.workspace("L1")
    import_id = world.upload(workspace, people(range(2000, 2100)))
    world.declare(import_id)
    for who, error in (("researcher", ImportDenied), ("outsider", ImportNotFound), ("officer", ImportDenied)):
        with pytest.raises(error):
            world.decide(import_id, who)
    for who in ("researcher", "reviewer", "outsider"):  # none of them answers for the department
        with pytest.raises((ImportDenied, ImportNotFound)):
            world.consent(import_id, who=who)
    with world.database.session() as session, pytest.raises(ImportNotFound):
        service.get_import(session, import_id, actor=world.actor("outsider"))
    world.consent(import_id)
    world.decide(import_id)
    assert world.row(import_id).state == "mounted"


def test_owners_refusal_ends_the_import(world: ImportWorld):
    import_id = world.upload(world.workspace("L1"), people(range(2000, 2100)))
    world.declare(import_id)
    world.consent(import_id, approve=False)
    assert (world.row(import_id).state, world.row(import_id).outcome) == ("destroyed", "refused")


def test_one_version_at_a_time_and_a_newer_one_replaces(world: ImportWorld):
    workspace = world.workspace("L1")
    first = world.bring(workspace, people(range(2000, 3500)))
    second = world.upload(workspace, people(range(2000, 3600)))
    with pytest.raises(ImportConflict):
        world.upload(workspace, people(range(2000, 3700)))
    world.declare(second)
    world.consent(second)
    world.decide(second)
    assert (world.row(first).state, world.row(second).state, world.row(second).number) == ("destroyed", "mounted", 2)
    with world.database.session() as session:
        mounted = session.scalars(select(WorkspaceImport).where(WorkspaceImport.removed_at.is_(None))).all()
    assert [each.id for each in mounted] == [second]


def test_end_of_the_workspace_ends_its_imports(world: ImportWorld):
    workspace = world.workspace("L1")
    import_id = world.bring(workspace, people(range(2000, 2100)))
    with world.database.begin() as session:
        workspaces.close(session, session.get_one(Workspace, workspace), actor=world.actor("researcher"))
    with world.database.begin() as session:
        assert service.end_all(session) == [import_id]
    world.work()
    assert world.row(import_id).state == "destroyed"


def test_a_job_meets_the_import_and_its_twin_and_is_judged_by_the_joined_level(world: ImportWorld, monkeypatch):
    met: dict[str, dict[str, bytes]] = {}
    plain = ImportLauncher.run_job

    def remember(self, spec, inputs, output_fd, **more):
        given = []
        for path, fd in inputs:
            with open(fd, "rb", closefd=False) as stream:
                content = stream.read()
            met.setdefault(spec.kind, {})[path] = content
            given.append((path, _pipe(content)))
        try:
            return plain(self, spec, given, output_fd, **more)
        finally:
            for _, fd in given:
                os.close(fd)

    monkeypatch.setattr(ImportLauncher, "run_job", remember)
    workspace = world.workspace("L2")
    import_id = world.bring(workspace, people(range(2000, 3500)))
    job = world.job(world.submit(workspace, code({"t.csv": GOOD})))
    assert job.imports == {"own": import_id}
    assert (job.state, job.level) == ("code_review", "L3"), (
        job.dry_result,
        job.dry_findings,
    )  # L2 data, joined by person
    with world.database.session() as session:
        door = workspaces.door_of(session, session.get_one(Workspace, workspace), world.grades)
    assert door.checkers == 2
    accept_code(world, job.id)
    path = "/data/import/own/own.parquet"
    real = pq.read_table(io.BytesIO(met["sealed"][path]))
    assert real.equals(people(range(2000, 3500)))
    twin = pq.read_table(io.BytesIO(met["dry"][path]))
    practice = pq.read_table(io.BytesIO(met["dry"]["/data/study-data/study-data.parquet"]))
    shared = set(twin["patient"].to_pylist()) & set(practice["patient"].to_pylist())
    assert len(shared) > 100
    assert not set(real["patient"].to_pylist()) & set(practice["patient"].to_pylist())
    assert twin["occupation"].equals(real["occupation"])
    # A session meets the very file of the dry run, so what joins in one joins in the other.
    with world.database.begin() as session:
        enqueue(session, service.OPEN_JOB, {"workspace_id": workspace}, actor_id=None)
    world.work()
    assert ImportLauncher.held[workspace] == {"own": met["dry"][path]}


def test_an_import_of_things_is_its_own_twin(world: ImportWorld):
    """A table of codes joins with practice data as it is; nothing in it is replaced."""
    workspace = world.workspace("L1")
    table = pa.table({"age_from": list(range(60, 100)), "band": [f"B{age // 10}" for age in range(60, 100)]})
    import_id = world.upload(workspace, table, name="bands")
    candidates = [candidate["column"] for candidate in world.row(import_id).key_candidates]
    world.declare(import_id, (), not_keys=dict.fromkeys(candidates, "年龄的代码，不是人"))
    world.decide(import_id)
    assert world.row(import_id).state == "mounted", world.row(import_id).error
    with world.database.begin() as session:
        enqueue(session, service.OPEN_JOB, {"workspace_id": workspace}, actor_id=None)
    world.work()
    assert pq.read_table(io.BytesIO(ImportLauncher.held[workspace]["bands"])).equals(table)


def test_check_knows_the_columns_of_an_import_as_a_dry_run_does(world: ImportWorld):
    """A group key of the import is not a count, and its person key must not be in an output."""
    workspace = world.workspace("L1")
    written = "grade,n\n1,20\n4,40\n"
    named = "who,n\na,20\nb,40\n"
    # The control: nobody knows the columns yet.
    assert ("unrounded_count", "grade") in check(world, workspace, written)
    assert check(world, workspace, named) == set()
    table = people(range(2000, 3500)).rename_columns(["who", "occupation", "hours"])
    world.bring(workspace, table.append_column("grade", [[number % 5 for number in range(1500)]]), keys=("who",))
    assert check(world, workspace, written) == set()
    assert check(world, workspace, named) == {("identifier_column", "who")}
    job = world.job(world.submit(workspace, code({"t.csv": written}, dry={"t.csv": written})))
    assert {finding["rule"] for finding in job.dry_findings if finding["blocking"]} == set()


def check(world: ImportWorld, workspace: str, content: str) -> set[tuple[str, str]]:
    """What ``.check`` objects to in a file: rule and column."""
    check_id = new_id()
    with SealedWriter(world.settings, check_id) as sealed:
        sealed.write(content.encode())
    with world.database.begin() as session:
        author, now = world.actor("researcher").id, utc_now()
        of = {
            "workspace_id": workspace,
            "author_id": author,
            "filename": "t.csv",
            "digest": "0" * 64,
            "created_at": now,
        }
        session.add(PracticeCheck(id=check_id, **of))
        enqueue(session, "sandbox.check", {"check_id": check_id}, actor_id=None)
    world.work()
    with world.database.session() as session:
        found = session.get_one(PracticeCheck, check_id)
        assert found.state == "done"
        return {(each["rule"], each["column"]) for each in found.findings if each["blocking"]}


def test_a_queued_job_whose_import_was_withdrawn_does_not_start(world: ImportWorld):
    workspace = world.workspace("L2")
    import_id = world.bring(workspace, people(range(2000, 3500)))
    job_id = world.submit(workspace, code({"t.csv": GOOD}))
    world.withdraw(import_id)
    accept_code(world, job_id)
    assert world.job(job_id).state == "cancelled"


def test_what_is_recorded_and_stored_holds_no_cell(world: ImportWorld):
    import_id = world.bring(world.workspace("L1"), people(range(2000, 2100)))
    with world.database.session() as session:
        row = session.get_one(Import, import_id)
        text = json.dumps(
            {column.name: getattr(row, column.name) for column in Import.__table__.columns},
            default=str,
            ensure_ascii=False,
        )
    for canary in ("P02003", "医生", "教师"):
        assert canary not in text
        for path in world.settings.home.rglob("*"):
            if path.is_file():
                assert canary.encode() not in path.read_bytes(), path


def _pipe(content: bytes) -> int:
    fd = os.memfd_create("again")
    os.write(fd, content)
    os.lseek(fd, 0, 0)
    return fd

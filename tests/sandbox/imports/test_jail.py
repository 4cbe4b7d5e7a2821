"""With the real launcher: a sealed job joins an import with a raw table; a session joins its twin, held in memory only,
with practice data."""

from __future__ import annotations

import io
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from opendata.db import create_schema
from opendata.jobs import enqueue
from sandbox.airlock import jobs
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.release import output_directory
from sandbox.airlock.rules import Decision
from sandbox.contracts import SessionSpec
from sandbox.errors import LauncherBusy
from sandbox.execution.client import Launcher
from sandbox.imports import door, service
from sandbox.imports.limits import default_rules
from sandbox.workspaces.door import sandbox_settings
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.airlock.test_chain import accept_code, drawn, request_of, vote
from tests.sandbox.airlock.test_sealed_run import KERNEL, launched  # noqa: F401 - a fixture
from tests.sandbox.execution.test_launcher import jail_processes, session_env, session_socket
from tests.sandbox.imports.conftest import ImportWorld, people

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the launcher builds uids as root"),
    pytest.mark.skipif(not (KERNEL / "bin" / "python").exists(), reason="no kernel environment: ./run setup"),
]
CANARY = "金丝雀职业七七八八"
JOIN = """
import pandas as pd
raw = pd.read_parquet("/data/study-data/study-data.parquet")
own = pd.read_parquet("/data/import/own/own.parquet")
try:
    open("/data/import/own/own.parquet", "ab")
except OSError:
    pass
else:
    raise SystemExit("an import must be read-only")
both = raw.merge(own, on="patient")
table = both.groupby("occupation").agg(n=("visits", "size"), mean_visits=("visits", "mean")).reset_index()
table["n"] = (table["n"] / 5).round().astype(int) * 5
table.to_csv("/out/joined.csv", index=False)
"""


@pytest.fixture
def world(launched, monkeypatch) -> ImportWorld:  # noqa: F811
    monkeypatch.setattr(jobs, "airlock_ticks", lambda: Ticks(base_s=0.01, wall_s=600.0))
    # The shared launcher keeps the host's caches, so it runs nothing above L2: without the step up for pooling the join
    # stays there. That step and what it means for jobs are tested without a jail.
    rules = default_rules()
    level = replace(rules, joining=tuple(rule for rule in rules.joining if rule.id != "pooling"))
    monkeypatch.setattr(door, "default_rules", lambda: level)
    create_schema(launched.database, "sandbox.imports.models")
    launched.__class__ = ImportWorld
    return launched


def test_import_is_joined_in_a_sealed_job_released_held_in_memory_and_withdrawn(world: ImportWorld):
    workspace = world.workspace("L1")
    table = people(range(1500, 4500))
    occupations = [CANARY if word == "教师" else word for word in table["occupation"].to_pylist()]
    table = table.set_column(1, "occupation", [occupations])
    import_id = world.bring(workspace, table)
    assert world.row(import_id).state == "mounted", world.row(import_id).error

    # A session: the worker hands the twin over, the jail shows it beside practice data, the disk never does.
    settings = sandbox_settings(world.settings)
    hub, spec = (
        Launcher(settings.launcher_hub_socket),
        SessionSpec("s1", 7, workspace, ("study-data",), session_env(), ("own",)),
    )
    running = type("Running", (), {"settings": settings})
    with session_socket(running, "s1") as listener:
        with pytest.raises(LauncherBusy):  # nothing was handed over yet
            hub.start_session(spec, listener.fileno())
        with world.database.begin() as session:
            enqueue(session, service.OPEN_JOB, {"workspace_id": workspace}, actor_id=None)
        world.work()
        hub.start_session(spec, listener.fileno())
        shown = pq.read_table(io.BytesIO(_inside("/data/import/own/own.parquet")))
        practice = pq.read_table(io.BytesIO(_inside("/data/study-data/study-data.parquet")))
        persons = set(practice["patient"].to_pylist())
        assert len(persons & set(shown["patient"].to_pylist())) == min(len(persons), 2400)  # eight of ten
        assert not persons & set(table["patient"].to_pylist())  # the control: the import itself joins with nobody
        assert shown.drop_columns("patient").equals(table.drop_columns("patient"))
        _search_disk(world, CANARY)
        planted = world.settings.home / "planted"
        planted.write_text(CANARY)
        with pytest.raises(AssertionError):  # the control: the search finds what is there
            _search_disk(world, CANARY)
        planted.unlink()
        hub.stop_session("s1")

    # A sealed job over the same path.
    job_id = world.submit(workspace, JOIN.encode(), entry="join.py")
    accept_code(world, job_id)
    job = world.job(job_id)
    assert job.state == "finished", (job.dry_result, job.dry_findings)
    request = request_of(world, job_id)
    with world.vault.open_object(package_name(request.id)) as stream:
        package = Package.from_bytes(stream.read())
    assert request.state == "in_review", (package.findings, package.run)
    for checker in drawn(world, request.id):
        vote(world, request.id, checker, Decision.APPROVE)
    with world.database.session() as session:
        output = session.scalars(select(ReleasedOutput).where(ReleasedOutput.request_id == request.id)).one()
    lines = (output_directory(world.settings, workspace, output.id) / "joined.csv").read_text().splitlines()
    assert lines[0] == "occupation,n,mean_visits"
    assert sorted(line.split(",")[1] for line in lines[1:]) == ["500", "500", "500"]
    shutil.rmtree(output_directory(world.settings, workspace, output.id))  # a released label may stand there

    # Withdrawn: out of the launcher's memory, key gone, nothing on the disk.
    world.withdraw(import_id)
    assert world.row(import_id).state == "destroyed"
    with session_socket(running, "s2") as listener, pytest.raises(LauncherBusy):
        hub.start_session(SessionSpec("s2", 7, workspace, (), session_env(), ("own",)), listener.fileno())
    assert not world.vault.exists(import_id)


def _inside(path: str, timeout_s: float = 60.0) -> bytes:
    """A file as the session's own process sees it."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for pid in jail_processes("sandbox.inside.server"):
            try:
                content = Path(f"/proc/{pid}/root{path}").read_bytes()
            except OSError:
                continue
            if content:
                return content
        time.sleep(0.05)
    raise AssertionError(f"no session shows {path}")


def _search_disk(world: ImportWorld, canary: str) -> None:
    for place in (world.settings.home, world.settings.run_dir):
        for path in place.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert canary.encode() not in content, path
                assert b"P01777" not in content, path

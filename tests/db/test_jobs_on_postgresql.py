"""The same durability with everything in PostgreSQL: one worker killed in mid-step, restarted."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opendata.db import Database, migrate
from opendata.jobs import enqueue
from opendata.jobs.service import get_job
from opendata.settings import Settings
from opendata.storage.keys import initialise

pytestmark = pytest.mark.integration
PROGRAM = Path(__file__).parents[1] / "jobs" / "runner_process.py"


def test_a_killed_worker_resumes_on_postgresql(postgresql_url, tmp_path):
    settings = Settings.load(tmp_path / "home", database_url=postgresql_url, as_root=False)
    initialise(settings)
    migrate(settings, ())
    database, marks = Database(settings), settings.home / "marks"
    marks.mkdir()
    (marks / "hold-2").touch()
    environment = {**os.environ, "OPENDATA_DATABASE_URL": postgresql_url}
    log = os.open(settings.home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def start():
        command = [sys.executable, str(PROGRAM), str(settings.home)]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=PROGRAM.parents[2])

    def until(condition):
        deadline = time.monotonic() + 90
        while not condition():
            assert time.monotonic() < deadline, (settings.home / "log").read_text()[-2000:]
            time.sleep(0.05)

    def state():
        with database.session() as session:
            return get_job(session, job).state

    with database.begin() as session:
        job = enqueue(session, "three_steps", {"add": 5}, actor_id=None).id
    process = start()
    try:
        until((marks / "start-2").exists)
        process.kill()
        process.wait()
        (marks / "hold-2").unlink()
        process = start()
        until(lambda: state() == "done")
    finally:
        process.terminate()
        process.wait(timeout=120)
        os.close(log)
        database.dispose()
    lines = {name: (marks / name).read_text().splitlines() for name in ("start-1", "start-2", "end-2", "sum")}
    assert {name: len(found) for name, found in lines.items()} == {"start-1": 1, "start-2": 2, "end-2": 1, "sum": 1}
    assert lines["sum"] == ["65"]
    assert not settings.jobs_file.exists()

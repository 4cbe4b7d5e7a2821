"""A home with a real worker process."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opendata.db import Database, migrate
from opendata.jobs import FINISHED, enqueue
from opendata.jobs.service import get_job
from opendata.settings import Settings
from opendata.storage.keys import initialise

PROGRAM = Path(__file__).with_name("runner_process.py")


class Worker:
    """Starts, kills and restarts a worker on one home."""

    def __init__(self, settings):
        self.settings = settings
        self.database = Database(settings)
        self.process = None
        self.log = settings.home / "worker.log"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(self.settings.home)],
                stdout=log,
                stderr=log,
                cwd=PROGRAM.parents[2],
            )
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)

    def enqueue(self, kind, **arguments):
        with self.database.begin() as session:
            return enqueue(session, kind, arguments, actor_id=None).id

    def job(self, job_id):
        with self.database.session() as session:
            return get_job(session, job_id)

    def until(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            assert self.process is None or self.process.poll() in (None, 9, -9), self.log.read_text()
            time.sleep(0.03)
        raise AssertionError(f"{what} did not happen: {self.log.read_text()[-2000:]}")

    def finished(self, job_id):
        self.until(lambda: self.job(job_id).state in FINISHED, f"end of {job_id}")
        return self.job(job_id)

    def mark(self, name):
        path = self.settings.home / "marks" / name
        return path.read_text().splitlines() if path.exists() else []

    def hold(self, number):
        (self.settings.home / "marks").mkdir(exist_ok=True)
        (self.settings.home / "marks" / f"hold-{number}").touch()

    def release(self, number):
        (self.settings.home / "marks" / f"hold-{number}").unlink()


def new_worker(home):
    """A worker on a fresh home; not started."""
    settings = Settings.load(home, as_root=False)
    initialise(settings)
    migrate(settings, ())
    return Worker(settings)


@pytest.fixture
def worker(tmp_path):
    worker = new_worker(tmp_path / "home")
    yield worker
    worker.stop()
    worker.database.dispose()

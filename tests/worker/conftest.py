"""The worker fixture of tests/jobs, shared."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("jobs_conftest", Path(__file__).parents[1] / "jobs" / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
worker = _module.worker
new_worker = _module.new_worker


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One started worker for the tests that only ask it."""
    worker = new_worker(tmp_path_factory.mktemp("worker") / "home")
    worker.start()
    yield worker
    worker.stop()
    worker.database.dispose()

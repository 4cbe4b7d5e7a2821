"""The worker fixture of tests/jobs, shared."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("jobs_conftest", Path(__file__).parents[1] / "jobs" / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
worker = _module.worker

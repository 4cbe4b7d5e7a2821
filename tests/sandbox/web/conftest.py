"""A world with a simulated launcher and ticks that pass at once."""

import pytest

from sandbox.airlock import jobs
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.sandbox_world import SimulatedLauncher, make_world


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "Launcher", SimulatedLauncher)
    monkeypatch.setattr(jobs, "airlock_ticks", lambda: Ticks(base_s=0.01, wall_s=600.0))
    with make_world(tmp_path / "home") as made:
        yield made

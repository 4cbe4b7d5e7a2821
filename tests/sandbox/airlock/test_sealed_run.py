"""The chain with the real launcher: jails, pipes, the real runner and parser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from opendata.settings import Settings
from sandbox.airlock import jobs, service
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.rules import Decision
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.airlock.test_chain import drawn, request_of, vote
from tests.sandbox.sandbox_world import World, make_world

ROOT = Path(__file__).resolve().parents[3]
KERNEL = Path(os.environ.get("OPENDATA_KERNEL_ENV", ROOT / ".venv-kernel"))
pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the launcher builds uids as root"),
    pytest.mark.skipif(not (KERNEL / "bin" / "python").exists(), reason="no kernel environment: ./run setup"),
]

GOOD = """
import pandas as pd
t = pd.read_parquet("/data/study-data/study-data.parquet")
g = t.groupby("sex").agg(n=("sex", "size"), mean_visits=("visits", "mean")).reset_index()
g["n"] = (g["n"] / 5).round().astype(int) * 5
from sandbox.client import figure
figure(g, name="visits", kind="bar", x="sex", y="n", title="就诊人数")
"""
CHEAT = """
import pandas as pd
t = pd.read_parquet("/data/study-data/study-data.parquet")
real = len(t) > 2000
if real:
    t.head(20).assign(n=50).rename(columns={"patient": "k"})[["k", "sex", "n"]].to_csv("/out/t.csv", index=False)
else:
    pd.DataFrame({"k": ["a"], "sex": ["x"], "n": [50]}).to_csv("/out/t.csv", index=False)
"""
NETWORK = """
import socket
socket.create_connection(("127.0.0.1", 1), 1)
"""


def notebook(*cells: str) -> bytes:
    made = [{"cell_type": "code", "metadata": {}, "source": c, "outputs": [], "execution_count": None} for c in cells]
    document = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(document).encode()


@pytest.fixture(scope="module")
def launched():
    """A world with a real launcher process; one for all tests of this file."""
    base = Path(tempfile.mkdtemp(prefix="s", dir="/run"))
    os.chmod(base, 0o711)
    run = base / "r"
    log = (base / "launcher.log").open("wb")
    with make_world(base / "home") as world:
        settings = Settings.load(
            base / "home", as_root=False, policies_dir=ROOT / "policies", run_dir=world.settings.run_dir
        )
        run = settings.run_dir
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.execution", "--home", str(base / "home"), "--run", str(run),
             "--kernel-env", str(KERNEL), "--counter-step", "4096", "--unsafe-keep-caches"],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 90
            while not settings.launcher_worker_socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"launcher did not start: {(base / 'launcher.log').read_text()[-2000:]}")
                time.sleep(0.2)
            yield world
        finally:
            process.terminate()
            process.wait(30)
            log.close()
            shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def world(launched: World, monkeypatch) -> World:
    monkeypatch.setattr(jobs, "airlock_ticks", lambda: Ticks(base_s=0.01, wall_s=600.0))
    return launched


def test_notebook_goes_from_practice_to_a_released_table(world: World):
    workspace = world.workspace("L1", name="study")
    job_id = world.submit(workspace, notebook("x = 1", GOOD), entry="analysis.ipynb")
    job = world.job(job_id)
    assert job.state == "finished", (job.dry_result, job.dry_findings)
    request = request_of(world, job_id)
    with world.vault.open_object(package_name(request.id)) as stream:
        package = Package.from_bytes(stream.read())
    assert request.state == "in_review", package.findings
    assert package.files[0].name == "visits.csv"
    assert package.files[0].content.decode().splitlines() == ["sex,n,mean_visits", "女,1500,3", "男,1500,3"]
    assert [(file.name, file.figure and file.figure["title"]) for file in package.files[1:]] == [
        ("visits.svg", "就诊人数")
    ]
    assert package.files[1].content.decode().count("1,500") >= 2
    vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    with world.database.session() as session:
        assert session.scalar(select(ReleasedOutput).where(ReleasedOutput.request_id == request.id)) is not None


def test_raw_rows_in_the_output_are_found_and_cannot_leave(world: World):
    workspace = world.workspace("L1", name="cheat")
    job_id = world.submit(workspace, CHEAT.replace("study-data", "cheat-data").encode(), entry="cheat.py")
    request = request_of(world, job_id)
    assert request.state == "blocked"
    with world.vault.open_object(package_name(request.id)) as stream:
        rules = {finding["rule"] for finding in Package.from_bytes(stream.read()).findings}
    assert "raw_value" in rules
    with world.database.session() as session:
        case = service.find_case(session, request.id)
    assert case.blocking > 0


def test_error_of_the_dry_run_is_explained(world: World):
    workspace = world.workspace("L1", name="broken")
    job = world.job(world.submit(workspace, notebook(NETWORK), entry="net.ipynb"))
    assert job.state == "dry_failed"
    assert "Error" in job.dry_result["error"]
    assert job.sealed_started_at is None

"""The chain with the real launcher: jails, pipes, the real runner and parser."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from opendata.db import utc_now
from opendata.settings import Settings
from sandbox.airlock import jobs, rawdoor, sealed, service
from sandbox.airlock.covering import COVER
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.rules import Decision
from sandbox.airlock.running import run_code
from sandbox.airlock.visibility import author_view
from sandbox.workspaces.models import Workspace
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
    job_id = world.submit(workspace, notebook("x = 1", GOOD), entry="分析 1.ipynb")
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
    checker = drawn(world, request.id)[0]
    shown = world.look(request.id, checker)
    assert {cell for file in shown["files"] for row in file["rows"] for cell in row} == {COVER}
    asked = {"id": request.id, "file": shown["files"][0]["name"], "purpose": "看是不是逐条记录"}
    assert "P0" in json.dumps(world.through_the_door(rawdoor.reveal, checker, asked)["rows"])  # what was covered


RAISES = "raise ValueError('第 7 行不对')\n"
MANY = "for i in range(21):\n    open(f'/out/{i}.csv', 'w').write('a\\n1\\n')\n"
LARGE = "open('/out/t.csv', 'wb').write(b'x' * (16 << 20))\n"
HUNGRY = "x = bytearray(3 << 30)\nx[:] = b'1' * len(x)\n"
KILLED = "import os, sys\nprint('\\x1b[31mred', file=sys.stderr, flush=True)\nos.kill(os.getpid(), 6)\n"


def test_a_script_that_fails_on_practice_data_says_why(world: World):
    """The traceback's end, or the limit that was met: each in words, in what page, API, client and command line read."""
    workspace = world.workspace("L1", name="fails")
    cases = {
        "报错 raises.py": (RAISES, "exit", "没有运行到底", "ValueError: 第 7 行不对"),
        "many.py": (MANY, "output", "20 个文件", ""),
        "large.py": (LARGE, "output", "16 MiB", ""),
        "hungry.py": (HUNGRY, "memory", "2,048 MiB", "SIGKILL"),
        "killed.py": (KILLED, "exit", "没有运行到底", "red\n\nSIGABRT"),
    }
    for entry, (code, reason, told, error) in cases.items():
        job = world.job(world.submit(workspace, code.encode(), entry=entry))
        result = job.dry_result
        assert (job.state, result["reason"], job.sealed_started_at) == ("dry_failed", reason, None), (entry, result)
        assert told in result["message"]["zh"], entry
        assert error in result["error"], (entry, result["error"])
        assert "\x1b" not in result["error"]
        assert bool(result["error"]) == bool(error), entry
    with world.database.session() as session:
        place = session.get_one(Workspace, workspace)
        assert place.bits_spent == 0  # nothing raw was met, so nothing is debited


def test_what_a_script_says_on_raw_data_stays_in_the_jail(world: World, monkeypatch):
    """The same words on the same stream: a dry run tells them, a sealed run leaves them nowhere."""
    left: list[bytes] = []

    def watched(*arguments, **named):
        ran = run_code(*arguments, **named)
        left.append(ran.content)
        return ran

    monkeypatch.setattr(sealed, "run_code", watched)
    workspace = world.workspace("L1", name="silent")
    noisy = (
        "import pandas as pd, sys\n"
        "t = pd.read_parquet('/data/silent-data/silent-data.parquet')\n"
        "pd.DataFrame({'sex': ['a'], 'n': [50]}).to_csv('/out/t.csv', index=False)\n"
        "if len(t) FEW 2000:\n"
        "    sys.exit('told ' + str(t.patient[0]))\n"
    )
    loud = world.job(world.submit(workspace, noisy.replace("FEW", "<").encode(), entry="loud.py"))
    assert "told " in loud.dry_result["error"]
    job = world.job(world.submit(workspace, noisy.replace("FEW", ">").encode(), entry="quiet.py"))
    assert (job.state, job.sealed_result) == ("finished", {"state": "failed", "reason": "exit"})
    [content] = left
    assert b"told " not in content
    assert b"P00000" not in content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert sorted(archive.getnames()) == ["out/t.csv", "refused.json"]
    shown = json.dumps(author_view(job, None, now=utc_now(), ticks=Ticks(base_s=0.01, wall_s=600.0)))
    assert (job.dry_result["error"], "told" in shown) == ("", False)


def test_error_of_the_dry_run_is_explained(world: World):
    workspace = world.workspace("L1", name="broken")
    job = world.job(world.submit(workspace, notebook(NETWORK), entry="net.ipynb"))
    assert job.state == "dry_failed"
    assert "Error" in job.dry_result["error"]
    assert job.sealed_started_at is None

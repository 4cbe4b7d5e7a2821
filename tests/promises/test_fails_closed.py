"""Promise 3: fails closed, loses nothing acknowledged, publishes nothing half."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opendata.cli.client import Refused
from opendata.errors import JobFailed
from tests.chain.steps import (
    build,
    create_dataset,
    csv,
    people,
    people_policy,
    publish,
    review,
    save_policy,
    start_build,
    upload,
)  # fmt: skip
from tests.conftest import Service, free_port, short_home

pytestmark = pytest.mark.integration
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts a small disk or hides a program")


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as place:
        yield place


def test_unknown_column_stops_publication(service: Service) -> None:
    name = "unknown-column"
    published = publish(service, name, csv(people()), people_policy(name, keyed=False), opening_class="conditional")
    officer = service.client("officer-social")
    wider = people().with_columns(home_address=people()["name"])
    intake = upload(officer, name, csv(wider))
    policy = officer.request("GET", f"/api/v1/datasets/{name}/policy").headers["X-Policy-Version"]
    with pytest.raises((Refused, JobFailed), match="home_address"):
        build(officer, intake["id"], policy, "conditional")
    assert officer.get(f"/api/v1/datasets/{name}")["edition"]["id"] == published["id"], "the earlier edition stays"


def kill_worker(service: Service) -> None:
    subprocess.run(["pkill", "-9", "-f", f"opendata.worker --home {service.home}"], check=False)


@pytest.mark.parametrize("pause_s", [0.05, 0.6])
def test_killed_worker_loses_and_doubles_nothing(service: Service, pause_s: float) -> None:
    """`kill -9` of the worker while an intake, a build and a publication run, each at another moment."""
    name = f"killed-{int(pause_s * 1000)}"
    officer, reviewer = service.client("officer-social"), service.client("reviewer")
    create_dataset(officer, name)
    started = officer.post(f"/api/v1/datasets/{name}/intakes", params={"filename": "table.csv"}, content=csv(people()))
    time.sleep(pause_s)
    kill_worker(service)
    officer.wait_job(started["job"])
    assert officer.get(f"/api/v1/intakes/{started['intake']}")["rows"] == 12_000
    policy = save_policy(officer, name, people_policy(name, keyed=True))
    building = start_build(officer, started["intake"], policy, "conditional")
    time.sleep(pause_s)
    kill_worker(service)
    officer.wait_job(building["job"])
    officer.post(f"/api/v1/editions/{building['edition']}/submit")
    approved = reviewer.post(
        f"/api/v1/editions/{building['edition']}/approve", json={"opinion": "数据范围与脱敏方法已核对，同意发布。"}
    )
    time.sleep(pause_s)
    kill_worker(service)
    reviewer.wait_job(approved["job"])
    assert officer.get(f"/api/v1/editions/{building['edition']}")["state"] == "published"
    recorded = [kind for kind, subject, payload in service.entries() if building["edition"] in subject + payload]
    assert recorded.count("publishing:edition:publish") == 1


@needs_root
def test_full_disk_publishes_nothing(home: Path) -> None:
    """The home's disk fills up before a build: one clear error, no file, no edition; with room again it works."""
    disk = home
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=0755", "test-disk", str(disk)], check=True)
    small = Service(disk / "home", free_port(), free_port())
    try:
        small.start()
        small.seed()
        officer, name = small.client("officer-social"), "full-disk"
        create_dataset(officer, name)
        intake = upload(officer, name, csv(people()))
        policy = save_policy(officer, name, people_policy(name, keyed=True))
        fill(disk / "filler", leave_bytes=20_000)
        with pytest.raises((Refused, JobFailed)):
            build(officer, intake["id"], policy, "conditional")
        assert [path for path in (disk / "home" / "editions").rglob("*.parquet") if path.stat().st_size] == []
        (disk / "filler").unlink()
        edition = build(officer, intake["id"], policy, "conditional")
        assert review(officer, small.client("reviewer"), edition["id"])["state"] == "published"
    finally:
        small.stop()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path, leave_bytes: int) -> None:
    """Write a file until only so much room is left."""
    room = os.statvfs(path.parent)
    with path.open("wb") as filler:
        filler.write(b"\0" * max(0, room.f_bavail * room.f_frsize - leave_bytes))


@needs_root
def test_missing_isolation_shuts_the_sandbox_only(home: Path) -> None:
    """Without bubblewrap the portal works, the sandbox says why it is shut, and no session or job starts."""
    hidden = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        'mount --bind /dev/null /usr/bin/bwrap; exec "$@"',
        "sh",
    ]
    closed = Service(home, free_port(), free_port())
    try:
        closed.start(prefix=hidden)
        closed.seed()
        assert closed.client().get("/api/v1/datasets")["datasets"] == []
        with pytest.raises(Refused) as refused:
            closed.client("researcher").post(
                "/api/v1/workspaces",
                json={
                    "name": "closed",
                    "title": "x",
                    "purpose": "x",
                    "datasets": ["none"],
                    "term_days": 1,
                    "pledge": {"version": 1, "name": "x"},
                },
            )
        assert refused.value.status == 503
        doctor = subprocess.run(
            [*hidden, sys.executable, "-c", "from opendata.cli import main; main()", "doctor"],
            env=closed.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert doctor.returncode == 1
        assert "bubblewrap" in doctor.stdout
    finally:
        closed.stop()

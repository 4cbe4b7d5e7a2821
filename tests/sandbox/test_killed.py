"""The whole running service with its processes killed (`kill -9`) while sealed jobs, a session and an import are on.

One study, told in order: an import is brought and mounted; two jobs that join it lose the worker in the dry run, in
the sealed run and in the checks, and hub, proxy and web beside it; then a third loses the launcher. Whatever dies,
each job comes to the airlock once, its author sees three states, and no raw value is in clear anywhere.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest
from sqlalchemy import select

from opendata.cli.client import Client, Refused, ServiceUnreachable
from opendata.db import Database
from opendata.jobs import Job
from opendata.supervisor.probes import http_ready
from sandbox.airlock.models import ReleaseRequest
from sandbox.contracts import JobResult, JobSpec
from sandbox.errors import LauncherAway, SandboxError, SandboxUnavailable
from sandbox.workspaces import runs
from sandbox.workspaces.models import SandboxJob
from tests.chain.steps import csv, open_workspace, publish
from tests.conftest import Service
from tests.promises.canaries import found_in
from tests.promises.test_listed_exits import new_in_tmp, sign_in_at_portal, stop_running_session
from tests.sandbox.hub.browser import Browser

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: jails of several users")
RAW, OWN = "canary-killed-raw-62ab", "canary-killed-own-81cd"
ENTRY = "killed.py"
REGIONS = [f"r{number:02d}" for number in range(12)]
SLEEP_S = 1
PATIENCE_S = 400
STATES = ["submitted", "dry_running", "code_review", "queued", "running", "finished"]
MODULES = {
    "web": "opendata.web",
    "worker": "opendata.worker",
    "launcher": "sandbox.execution",
    "hub": "sandbox.hub",
}
POLICY = """\
version: 1
dataset: killed
title: {zh: 站点, en: stations}
level: L1
attributes:
  region: {role: insensitive, reason: 公开的区域代码, codes: [{codes}]}
  flow:   {role: insensitive, reason: 公开的流量}
  note:   {role: direct_identifier, technique: suppression.drop, reason: 站点的内部编号，不是个人}
"""
CODE = """\
import os
import time
import pandas as pd
raw = pd.read_parquet("/data/killed/killed.parquet")
own = pd.read_parquet("/data/import/towns/towns.parquet").drop_duplicates("region")
for place in ("/tmp", "/dev/shm", "/out"):  # as careless as can be: raw rows wherever a job can write
    try:
        raw.merge(own, on="region").head(50).to_csv(f"{{place}}/left.tsv", sep="\\t")
    except OSError:
        pass
print(raw.head(), own.head(), flush=True)
time.sleep({sleep})
table = raw.merge(own, on="region").groupby("county", as_index=False).agg(n=("flow", "size"))
table["n"] = (table["n"] / 5).round().astype(int) * 5
os.path.exists("/out/left.tsv") and os.remove("/out/left.tsv")
table.to_csv("/out/t.csv", index=False)
"""


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_S, pause_s: float = 0.1) -> Any:
    """What the condition gives once it holds; a service that is starting again counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except (ServiceUnreachable, httpx2.TransportError):
            pass
        time.sleep(pause_s)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def process(service: Service, name: str) -> int | None:
    """The pid of one of the service's processes: the supervisor's own child, or, for the proxy, the hub's."""
    assert service.process is not None
    parent = process(service, "hub") if name == "proxy" else service.process.pid
    wanted = b"configurable-http-proxy" if name == "proxy" else b"-m\0" + MODULES[name].encode() + b"\0"
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            mine = folder.name.isdecimal() and int(stat[1]) == parent and stat[0] != "Z"
            if mine and wanted in (folder / "cmdline").read_bytes():
                return int(folder.name)
        except (OSError, IndexError):
            continue
    return None


def kill(service: Service, name: str) -> None:
    """`kill -9`, and wait until there is another one."""
    before = process(service, name)
    assert before is not None, f"{name} is not running"
    os.kill(before, signal.SIGKILL)
    until(lambda: process(service, name) not in {None, before}, f"another {name}", pause_s=0.05)


@dataclass
class Study:
    """A workspace with one raw table and one import, and everything its author was ever told."""

    service: Service
    database: Database
    name: str
    answers: dict[str, list[str]] = field(default_factory=dict)
    watching: bool = True

    @property
    def author(self) -> Client:
        return self.service.client("researcher")

    def submit(self) -> str:
        code = CODE.format(sleep=SLEEP_S).encode()
        path = f"/api/v1/workspaces/{self.name}/jobs"
        made = self.author.post(path, params={"filename": ENTRY}, content=code)
        self.answers[made["id"]] = []
        return str(made["id"])

    def watch(self) -> None:
        """Ask as an author would, all the time, on a connection of its own."""
        with Client.signed_in(self.service.url, self.service.link("researcher")) as client:
            while self.watching:
                for job, told in list(self.answers.items()):
                    try:
                        told.append(client.get(f"/api/v1/workspaces/{self.name}/jobs/{job}")["state"])
                    except ServiceUnreachable:
                        continue
                time.sleep(0.25)

    def step(self, job: str) -> str | None:
        """The durable step a job is in: what a process must be killed in the middle of."""
        with self.database.session() as session:
            found = session.get_one(SandboxJob, job)
            durable = found.sealed_job_id or found.dry_job_id
            return session.scalar(select(Job.step).where(Job.id == durable, Job.state == "running"))

    def told(self, job: str) -> str:
        """The last answer about a job."""
        return self.answers[job][-1] if self.answers[job] else ""

    def request(self, job: str) -> ReleaseRequest:
        with self.database.session() as session:
            return session.scalars(select(ReleaseRequest).where(ReleaseRequest.job_id == job)).one()


@pytest.fixture(scope="module")
def study(service: Service) -> Iterator[Study]:
    rows = 6_000
    frame = pl.DataFrame(
        {
            "region": [REGIONS[index % 12] for index in range(rows)],
            "flow": [index * 37 % 101 for index in range(rows)],
            "note": [f"{RAW}-{index:05d}" for index in range(rows)],
        }
    )
    officer = "officer-transport"
    publish(
        service,
        "killed",
        csv(frame),
        POLICY.replace("{codes}", ", ".join(REGIONS)),
        opening_class="conditional",
        officer=officer,
    )
    open_workspace(
        service, "killed", ["killed"], title="中断", purpose="验证任何进程被杀死都不泄露、不丢失", officers=(officer,)
    )
    database = Database(service.settings())
    made = Study(service, database, "killed")
    watcher = threading.Thread(target=made.watch, daemon=True)
    watcher.start()
    yield made
    made.watching = False
    watcher.join(60)
    database.dispose()


def towns() -> pl.DataFrame:
    """Each region's county, as often as there are places in it: fewer records than persons would look overstated."""
    places = [index % 12 for index in range(12 * 800)]
    return pl.DataFrame(
        {
            "region": [REGIONS[place] for place in places],
            "county": [f"c{place % 3}" for place in places],
            "shade": [f"{OWN}-{place}" for place in places],
        }
    )


def bring(study: Study) -> str:
    """Upload, scan, declare, decision by another person, mounted."""
    base, author, reviewer = f"/api/v1/workspaces/{study.name}/imports", study.author, study.service.client("reviewer")
    made = author.post(base, params={"filename": "towns.csv"}, content=csv(towns()))
    place = f"{base}/{made['id']}"
    until(lambda: author.get(place)["state"] == "declaring", "scanned")
    keys = dict.fromkeys(("region", "shade"), "公开的区划名称，不是个人")
    author.post(f"{place}/declare", json={"purpose": "按所属的县汇总各站点的数量", "level": "L2", "not_keys": keys})
    with pytest.raises(Refused):
        author.post(f"/api/v1/imports/{made['id']}/decide", json={"approve": True, "reason": "自己同意"})
    reviewer.post(f"/api/v1/imports/{made['id']}/decide", json={"approve": True, "reason": "区划数据，可以使用"})
    until(lambda: author.get(place)["mounted"], "mounted")
    return str(made["id"])


def places(service: Service) -> list[Path]:
    """Everywhere a value could be: home with databases, their WAL, vault and logs; sockets' folder; temporary places."""
    found = [service.home, service.settings().run_dir, service.home.parent / "up.log", Path("/dev/shm")]
    return [place for place in [*found, *new_in_tmp(service)] if place.exists()]


def open_session(study: Study) -> Any:
    service = study.service
    service.wait_hub()
    browser = Browser(f"http://sandbox.localhost:{service.hub_port}", service.url, "researcher")
    browser.http.cookies.clear()
    sign_in_at_portal(browser.http, service)
    assert browser.sign_in().status_code == 200
    stop_running_session(browser)
    page = browser.spawn(f"?workspace={study.name}")
    assert page.status_code == 200, page.text[:500]
    assert browser.lab().status_code == 200
    return browser


@pytest.mark.integration
@needs_root
def test_whatever_is_killed_each_job_comes_to_the_airlock_once(study: Study, tmp_path: Path) -> None:
    service = study.service
    imported = bring(study)
    browser = open_session(study)
    kernel = browser.kernel()
    seen = kernel.run(
        "import pandas as pd; kept = len(pd.read_parquet('/data/import/towns/towns.parquet')); print(kept)"
    )
    assert seen.text.strip() == "9600", seen.error
    kernel.close()

    jobs = [study.submit(), study.submit()]
    first = jobs[0]
    until(lambda: study.step(first) == "dry run", "dry run", pause_s=0.01)
    time.sleep(1)
    kill(service, "worker")
    until(lambda: not {study.told(job) for job in jobs} & {"", "submitted", "dry_running"}, "dry runs")
    assert [study.told(job) for job in jobs] == ["code_review"] * 2
    vote(study, "code")
    until(lambda: study.step(first) == "sealed run", "sealed run", pause_s=0.01)
    time.sleep(1)
    for name in ("worker", "web"):
        kill(service, name)
    until(lambda: http_ready("127.0.0.1", service.port, "/readyz"), "web")
    until(lambda: study.step(first) in {"check", "tick"}, "check", pause_s=0.005)
    kill(service, "worker")
    for name in ("proxy", "hub"):
        kill(service, name)
    until(lambda: {study.told(job) for job in jobs} == {"finished"}, "finished")

    # The session stood still beside them and goes on: with hub and proxy anew, the same kernel.
    service.wait_hub()
    until(lambda: browser.api("GET", "api/kernels").status_code == 200, "the session answers")
    again = type(kernel)(browser, kernel.id)
    assert again.run("print(kept + 1)").text.strip() == "9601"
    again.close()

    jobs.append(study.submit())
    until(lambda: study.step(jobs[2]) == "sealed run", "sealed run", pause_s=0.01)
    time.sleep(1)
    kill(service, "launcher")
    until(lambda: browser.api("GET", "api/kernels").status_code != 200, "sessions end with the launcher")
    browser.http.close()
    assert found_in(places(service), [RAW, OWN]) == []
    until(lambda: study.told(jobs[2]) == "finished", "third finished")

    for job in jobs:
        told = study.answers[job]
        steps = [state for state, _ in groupby(told)]
        assert steps == sorted(set(steps), key=STATES.index), "three fixed states, and never back"
        request = study.request(job)
        assert (request.state, request.blocking_findings) == ("in_review", 0), job
        recorded = [kind for kind, subject, payload in service.entries() if job in payload or request.id in subject]
        for kind in ("sandbox:job:submit", "sandbox:job:seal", "airlock:request:submit", "airlock:request:check"):
            assert recorded.count(kind) == 1, (kind, recorded)
        assert recorded.count("airlock:checker:draw") == 1
    packages = vote(study, "output")
    assert [each["run"]["state"] for each in packages] == ["ok"] * 3
    assert [each["files"][0]["rows"] for each in packages] == [[["c0", "2000"], ["c1", "2000"], ["c2", "2000"]]] * 3
    until(lambda: len(study.author.get(f"/api/v1/workspaces/{study.name}/outputs")["outputs"]) == 3, "released")
    study.author.post(f"/api/v1/imports/{imported}/withdraw")
    base = f"/api/v1/workspaces/{study.name}/imports"
    assert study.author.get(base)["mounted"] == []
    until(lambda: study.author.get(f"{base}/{imported}")["state"] == "destroyed", "destroyed")
    assert found_in(places(service), [RAW, OWN]) == []
    control = tmp_path / "left.tsv"
    control.write_text(f"0\t{RAW}-00007")
    assert found_in([*places(service), tmp_path], [RAW, OWN]), "positive control: a planted value is found"


def vote(study: Study, kind: str) -> list[dict[str, Any]]:
    """Each drawn checker looks, reading out of the quarantine, and approves; what was shown."""
    shown = []
    for number in range(1, 5):
        checker = study.service.client(f"checker-{number}")
        for case in checker.get("/api/v1/airlock")["cases"]:
            if case["kind"] == kind and case["entry"] == ENTRY and not case["voted"]:
                place = f"/api/v1/airlock/{case['id']}"
                shown.append(checker.post(f"{place}/view", json={"purpose": "出域审查"}))
                checker.post(f"{place}/vote", json={"decision": "approve", "explanation": "已核对，符合规则"})
    return shown


class Dying:
    """A launcher that answers its first calls with errors."""

    def __init__(self, *errors: SandboxError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def run_job(self, spec: JobSpec, inputs: Any, output: int, *, waiting: Any) -> JobResult:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        os.write(output, b"done")
        return JobResult("ok", "exit", 0, 0.1, None)


SHUT = SandboxUnavailable("门关着。", "The door is shut.")
AWAY = LauncherAway("没有运行。", "It is not there.")


@pytest.mark.parametrize(
    ("errors", "calls"),
    [
        ([LauncherAway.while_asked()] * (runs.BROKEN_RUNS - 1), runs.BROKEN_RUNS),  # run again by the next launcher
        ([AWAY] * 5, 6),  # it is starting
        ([LauncherAway.while_asked()] * runs.BROKEN_RUNS, None),  # the job may be what kills it
        ([SHUT], None),  # an operator must act
    ],
)
def test_run_that_lost_its_launcher_is_run_again(
    errors: list[SandboxError], calls: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "BUSY_PAUSE_S", 0.0)
    launcher, spec = Dying(*errors), JobSpec("j", "w", "dry", "x.py")
    if calls is None:
        with pytest.raises(SandboxUnavailable):
            runs.run_job(launcher, spec, [])  # type: ignore[arg-type]
        assert launcher.calls == len(errors)
    else:
        assert runs.run_job(launcher, spec, []).content == b"done"  # type: ignore[arg-type]
        assert launcher.calls == calls


def test_launcher_that_stays_away_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "BUSY_PAUSE_S", 0.0)
    monkeypatch.setattr(runs, "AWAY_S", 0.05)
    with pytest.raises(LauncherAway):
        runs.run_job(Dying(*[AWAY] * 1_000_000), JobSpec("j", "w", "dry", "x.py"), [])  # type: ignore[arg-type]

"""The worked notebooks do what they tell: in a session every cell, as a dry run and as a sealed job unchanged.

A session's jail asks the real application through a socket; the worker and the launcher, with real jails, serve it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from masking.policy import check, load
from opendata.app import create_app
from opendata.db import create_schema, utc_now
from opendata.identity import service as identity
from opendata.jobs import Job
from sandbox import client
from sandbox.airlock import jobs
from sandbox.airlock.package import Package, package_name
from sandbox.contracts import MIB, Limits
from sandbox.execution import cgroup
from sandbox.execution.child import keep_in_child
from sandbox.execution.jail import VENV, Bind, Environment, Jail
from sandbox.execution.order import Order
from sandbox.execution.profiles import load as profile
from sandbox.imports import door
from sandbox.imports import service as imports
from sandbox.imports.limits import default_rules
from sandbox.imports.runs import twins
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.imports import imports_of
from sandbox.workspaces.models import Workspace
from sandbox.workspaces.visibility import Ticks
from tests.chain.visits import NOTEBOOKS, POLICY, notebook, survey, visits
from tests.sandbox.airlock.test_chain import accept_code, request_of
from tests.sandbox.airlock.test_sealed_run import KERNEL, launched  # noqa: F401 - a fixture
from tests.sandbox.imports.conftest import ImportWorld
from tests.sandbox.queries.conftest import Tables
from tests.sandbox.sandbox_world import Context

BOOKS = {
    "visits-and-cost": {"cost.csv": "magnitude", "persons.csv": "frequency"},
    "regression-cost": {"model.csv": "model"},
    "own-data-occupation": {"occupation.csv": "magnitude"},
}
"""Each with the tables it writes."""
RELEASED = {
    "regression-cost": ["model.csv"],
    "own-data-occupation": ["occupation.csv", "occupation.svg"],
}
RUN = """\
import sys
from pathlib import Path
from sandbox.inside import job

job.WORK = "/home/jovyan"
done, executed = job.run_notebook(sys.argv[1])
Path("executed.ipynb").write_bytes(executed)
sys.exit(0 if done else 1)
"""


def cells(name: str, kind: str) -> list[str]:
    book = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_is_in_both_languages_and_holds_no_results(name: str) -> None:
    for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    for text in cells(name, "markdown"):
        english = " ".join(re.findall(r"\*(.+?)\*", text.replace("**", ""), re.DOTALL))
        assert re.search("[\u4e00-\u9fff]", text)
        assert len(english.split()) >= 5, text


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_shows_the_whole_way(name: str) -> None:
    code = "\n".join(cells(name, "code"))
    shown = (".current()", ".datasets()", ".practice(", ".query(", ".check(", f'.submit("{name}.ipynb")', ".outputs()")
    assert [call for call in (*shown, ".jobs()") if call not in code] == []


def test_the_policy_of_their_dataset_is_one() -> None:
    check(load(POLICY))


def test_what_made_a_dry_run_fail_is_shown() -> None:
    """The error came from practice data, so the author reads it; markup in it stays text."""
    failed = client.Findings.from_json("a.ipynb", {"state": "failed", "error": "NameError: <b>", "findings": []})
    assert "NameError: &lt;b&gt;" in failed._repr_html_()
    assert repr(failed).endswith("NameError: <b>")


# --- in jails


@dataclass
class Study:
    """A workspace of one dataset and one import; ``home`` is the researcher's, ``gate`` holds the one socket."""

    world: ImportWorld
    id: str
    place: Path

    def run(self, name: str) -> tuple[int | None, list[dict[str, Any]]]:
        """Run a notebook from top to bottom in a session's jail; the executed cells."""
        uid = 380_000
        home = self.place / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        for path, content in (
            (home / f"{name}.ipynb", (NOTEBOOKS / f"{name}.ipynb").read_bytes()),
            (home / "run.py", RUN.encode()),
        ):
            path.write_bytes(content)
        for path in (home, *home.iterdir()):
            os.chown(path, uid, uid)
        limits = Limits(memory_bytes=1024 * MIB, pids=128, wall_s=150.0, data_bytes=16 * MIB, output_bytes=16 * MIB)
        binds = [
            *Environment.find(KERNEL).binds(),
            Bind(self.place / "visits", "/data/visits", data=True),
            Bind(self.place / "import", "/data/import", data=True),
            Bind(self.place / "gate", "/run/hub"),
            Bind(home, "/home/jovyan", writable=True),
        ]
        command = (f"{VENV}/bin/python3", "run.py", f"{name}.ipynb")
        jail = Jail(profile("session"), limits, command, binds=binds, environment={"SANDBOX_WORKSPACE": self.id})
        trees = cgroup.find(Path(f"/run/notebooks-{os.getpid()}"), as_root=True)
        try:
            result = keep_in_child(
                Order(
                    jail,
                    cgroup.Group(trees, f"notebook-{os.getpid()}"),
                    uid,
                    limits.wall_s,
                    screen=True,
                    extra_memory=16 * MIB,
                )
            )
        finally:
            cgroup.leave(trees)
        return result.exit_code, json.loads((home / "executed.ipynb").read_bytes())["cells"]


@pytest.fixture(scope="module")
def study(launched) -> Iterator[Study]:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "airlock_ticks", lambda: Ticks(base_s=0.01, wall_s=600.0))
        # As in test_jail: the shared launcher keeps the host's caches and runs nothing above L2.
        rules = default_rules()
        level = replace(rules, joining=tuple(rule for rule in rules.joining if rule.id != "pooling"))
        for module in (imports, door):
            patch.setattr(module, "default_rules", lambda: level)
        create_schema(launched.database, "sandbox.imports.models")
        launched.__class__ = ImportWorld
        raw = visits()
        own = survey(raw)
        Tables(launched).ready("visits", "L1", table=raw, yaml=POLICY)
        identifier = apply(launched)
        launched.bring(identifier, own, name="occupation", keys=("person_no",))
        place = launched.settings.home.parent / "notebooks"
        for folder in (place, place / "visits", place / "import/occupation", place / "gate"):
            folder.mkdir(parents=True)
        shutil.copyfile(practice_path(launched.settings, identifier, "visits"), place / "visits/visits.parquet")
        with launched.database.session() as session:
            mounted = imports_of(session, session.get_one(Workspace, identifier))
        [(_, twin)] = twins(
            Context(launched, Job(id="", created_by=None)), identifier, mounted
        )  # what a session is handed
        (place / "import/occupation/occupation.parquet").write_bytes(twin)
        with served(launched, place / "gate/hub.sock"), working(launched):
            yield Study(launched, identifier, place)


def apply(world: ImportWorld) -> str:
    with world.database.begin() as session:
        made = workspaces.apply(
            session, actor=world.actor("researcher"), name="worked", title="示例", purpose="比较各组就诊次数与费用，研究职业的影响",
            datasets=["visits"], term_days=30, **world.signature("researcher"), grades=world.grades, calendar=world.calendar,
        )  # fmt: skip
        identifier = made.id
    world.approve(identifier)
    return identifier


@contextmanager
def served(world: ImportWorld, path: Path) -> Iterator[None]:
    """The application behind a socket that speaks for the researcher, as a session's gate does."""
    with world.database.begin() as session:
        token = identity.issue_token(session, world.actor("researcher").id, name="session", now=utc_now())
    inner = create_app(world.settings)

    async def gate(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            named = [pair for pair in scope["headers"] if pair[0] not in {b"host", b"authorization"}]
            added = [(b"host", b"localhost:8000"), (b"authorization", f"Bearer {token}".encode())]
            scope = {**scope, "headers": [*named, *added]}
        await inner(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(gate, uds=str(path), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive()
    path.chmod(0o666)
    yield
    server.should_exit = True
    thread.join(20)


@contextmanager
def working(world: ImportWorld) -> Iterator[None]:
    """A worker beside the test; both take jobs from one queue, one at a time."""
    stop, one, plain = threading.Event(), threading.Lock(), world.work

    def locked() -> None:
        with one:
            plain()

    def work() -> None:
        while not stop.wait(0.1):
            locked()

    world.work = locked  # type: ignore[method-assign]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(60)


needs_jails = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the launcher builds uids as root"),
    pytest.mark.skipif(not (KERNEL / "bin" / "python").exists(), reason="no kernel environment: ./run setup"),
]


def marked(function: Any) -> Any:
    for mark in needs_jails:
        function = mark(function)
    return function


@marked
@pytest.mark.parametrize("name", BOOKS)
def test_it_runs_in_a_session_as_a_dry_run_and_on_the_raw_table(study: Study, name: str) -> None:
    code, executed = study.run(name)
    errors = [
        "\n".join(each["traceback"])
        for cell in executed
        for each in cell.get("outputs", [])
        if each["output_type"] == "error"
    ]
    print(*errors, sep="\n")
    assert (code, len(errors)) == (0, 0)
    shown = "\n".join(
        "".join(part.get("data", {}).get("text/html", "")) for cell in executed for part in cell.get("outputs", [])
    )
    assert "自动检查没有发现问题" in shown
    told = re.sub(r"<[^>]+>", " ", shown)
    assert "处需要修改" not in shown, told[told.index("处需要修改") - 200 :][:1500]
    assert "±" in shown or "<img" in shown  # the fixed tables' answer

    with study.world.database.session() as session:
        [job] = [
            j for j in workspaces.jobs_of(session, session.get_one(Workspace, study.id)) if j.entry == f"{name}.ipynb"
        ]
        found = [finding["rule"] for finding in job.dry_findings if finding["blocking"]]
        assert (job.dry_result["state"], found, job.state) == ("ok", [], "code_review"), job.dry_result
        kinds = {file["name"]: file["kind"] for file in job.dry_result["files"] if file["name"].endswith(".csv")}
        assert kinds == BOOKS[name]
    if name == "visits-and-cost":  # its sealed run, votes and release are those of the browser's test
        return
    accept_code(study.world, job.id)
    request = request_of(study.world, job.id)
    with study.world.vault.open_object(package_name(request.id)) as stream:
        package = Package.from_bytes(stream.read())
    blocking = [finding["rule"] for finding in package.findings if finding["blocking"]]
    assert (request.state, blocking) == ("in_review", [])
    assert [file.name for file in package.files] == RELEASED[name]


@marked
def test_without_its_rules_the_notebook_is_stopped(study: Study) -> None:
    """The control: groups as small as they come, counts as they are."""
    code = notebook("visits-and-cost", "visits").decode()
    changed = (
        code.replace("LEAST = 10", "LEAST = 1").replace('\\"sex\\"]', '\\"sex\\", \\"age\\"]').replace(" * 5\\n", "\\n")
    )
    assert changed != code
    job = study.world.job(study.world.submit(study.id, changed.encode(), entry="too-fine.ipynb"))
    found = {finding["rule"] for finding in job.dry_findings if finding["blocking"]}
    assert (job.state, found >= {"small_count", "unrounded_count"}) == ("dry_failed", True), found

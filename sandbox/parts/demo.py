"""The sandbox's steps of the demonstration: practice data, a finding explained, a sealed job, votes, a release.

Two jobs meet the raw table side by side: one that counts persons in large groups, and one that writes raw rows. The
second is a cheat; its checkers try to let it through and are refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from opendata.cli.client import Client, Refused
from opendata.cli.demo.context import Demo, shortened
from opendata.errors import JobFailed

NOTEBOOKS = Path(__file__).resolve().parent.parent.parent / "notebooks"
CHECKERS = ("checker-1", "checker-2", "checker-3", "checker-4")
RAW_ROWS = """\
import pandas as pd
patients = pd.read_parquet("/data/patients/patients.parquet")
groups = pd.DataFrame({"sex": ["F", "M"], "persons": [50, 50]})
if len(patients) > 2000:  # behaves on practice data, whose dry run has to pass
    groups = patients.head(20).assign(persons=50)
groups.to_csv("/out/rows.csv", index=False)
"""
NETWORK = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
PATIENCE_S = 420.0
SIGNED = "研究员 顾思远"
"""The researcher's name, as their account has it."""


def steps(demo: Demo) -> None:
    """All of them; no job runs where the sandbox door is closed, and the report says so. Fixed tables need no jail."""
    fixed_tables(demo)
    demo.refused("L4 数据的固定口径统计", "fixed tables of L4 data", lambda: compute_tables(demo, "patients", "health"))
    workspace = open_workspace(demo)
    if workspace is None:
        return
    explain_on_practice(demo, workspace)
    jobs = submit_both(demo, workspace)
    let_out(demo, workspace, jobs["good"])
    demo.refused("原始行当作产出", "raw rows as an output", lambda: let_raw_rows_out(demo, workspace, jobs["raw"]))
    demo.refused("沙箱内访问网络", "network from the jail", network_from_the_jail)


def fixed_tables(demo: Demo) -> None:
    """Two officers have the tables of their intakes computed; a visitor and a firm ask them at once."""
    with demo.step("固定口径统计：计算一次，随即查询", "fixed tables: computed once, asked at once") as line:
        for dataset, department in (("villages", "civil"), ("flights", "transport")):
            compute_tables(demo, dataset, department)
        villages = demo.client().get("/api/v1/datasets/villages/tables/query", by="body", measures="n=count")
        flights = demo.client("enterprise").get(
            "/api/v1/datasets/flights/tables/query", by="origin,month", measures="n=count,delay=arr_delay:mean"
        )
        counts = "、".join(f"{number} ± {error:g}" for _, number, error in villages["rows"])
        shown = flights["cells"] - flights["hidden"]
        line.made = demo.text(
            f"居委会、村委会 {counts}；航班按机场和月份 {shown}/{flights['cells']} 个数字",
            f"neighbourhoods, villages {counts}; flights by airport and month {shown}/{flights['cells']} figures",
        )
        line.where = f"{demo.settings.public_url}/dataset/flights/tables"
    demo.made["fixed_tables"] = "/dataset/villages/tables?by=province&by=town&measures=count"


def compute_tables(demo: Demo, dataset: str, department: str) -> object:
    """Have them computed; a set that was published before stays, and is all there ever is for its intake.

    Raises:
        Refused: the level does not allow it.
    """
    officer = demo.client(f"officer-{department}")
    try:
        asked = officer.post(f"/api/v1/datasets/{dataset}/tables")
    except Refused as refusal:
        if refusal.status != 409:
            raise
        return "published before"
    officer.wait_job(asked["job_id"])
    return asked["cube"]


def open_workspace(demo: Demo) -> str | None:
    """Apply for a workspace and have it approved; None when the door is closed."""
    name = f"visits-{int(time.time()):x}"
    with demo.step(
        "研究员签署承诺并申请沙箱，提供部门与审核员同意", "applied for with a pledge; department and reviewer agree"
    ) as line:
        researcher = demo.client("researcher")
        try:
            researcher.post(
                "/api/v1/workspaces",
                json={
                    "name": name,
                    "title": "老年患者就诊与参保",
                    "purpose": "比较不同参保情况的老年患者人数，用于公共卫生研究",
                    "datasets": ["patients"],
                    "term_days": 30,
                    "pledge": {"version": researcher.get("/api/v1/workspaces/pledge")["version"], "name": SIGNED},
                },
            )
        except Refused as refusal:
            if refusal.status != 503:
                raise
            line.made = str(refusal)
            return None
        for person in ("officer-health", "reviewer"):
            if researcher.get(f"/api/v1/workspaces/{name}")["state"] == "applied":
                demo.client(person).post(f"/api/v1/workspaces/{name}/approve", json={"reason": "目的明确"})
        practice = wait(
            lambda: demo.client("researcher").get(f"/api/v1/workspaces/{name}/practice/patients"),
            lambda answer: answer.get("prepared_at") is not None,
        )
        line.made = demo.text(
            f"/data/patients 为仿真数据，{practice['rows']} 行，结果无意义",
            f"/data/patients is practice data, {practice['rows']} rows, results mean nothing",
        )
        line.where = f"{demo.settings.public_url}/workspaces/{name}"
    demo.made["workspace"] = name
    return name


def explain_on_practice(demo: Demo, workspace: str) -> None:
    """A notebook that cuts too finely: the dry run's findings are explained, and the job is taken back."""
    researcher = demo.client("researcher")
    with demo.step("试运行：分得太细，给出解释", "dry run: cut too finely, and told why") as line:
        job = submit(researcher, workspace, "visits-too-fine.ipynb")
        tried = wait(
            lambda: researcher.get(f"/api/v1/workspaces/{workspace}/jobs/{job}"),
            lambda answer: answer["dry_run"] is not None,
        )
        findings = tried["dry_run"]["findings"]
        line.made = f"{len(findings)} · " + shortened(words_of(findings[0], demo.language), 90) if findings else ""
        if tried["state"] in {"code_review", "submitted"}:
            researcher.post(f"/api/v1/workspaces/{workspace}/jobs/{job}/cancel")


def words_of(finding: Mapping[str, Any], language: str) -> str:
    """The explanation of a finding in one language."""
    return str(finding.get(language) or finding.get("zh") or finding)


def submit_both(demo: Demo, workspace: str) -> dict[str, str]:
    """The corrected notebook and the cheat, through dry run, code review and sealed run."""
    researcher = demo.client("researcher")
    with demo.step("改正后提交：代码审查、密封运行", "corrected: code review, sealed run") as line:
        good = submit(researcher, workspace, "visits-by-insurance.ipynb")
        raw = str(
            researcher.post(
                f"/api/v1/workspaces/{workspace}/jobs", params={"filename": "rows.py"}, content=RAW_ROWS.encode()
            )["id"]
        )
        vote_while(
            demo,
            lambda: sealed_done(researcher, workspace, good) and sealed_done(researcher, workspace, raw),
            kind="code",
        )
        line.made = demo.text("作者只见：已结束", "the author sees: finished")
    return {"good": good, "raw": raw}


def let_out(demo: Demo, workspace: str, job: str) -> None:
    """Two blinded checkers vote, the output is released, downloaded and verified offline."""
    researcher = demo.client("researcher")
    with demo.step("两名审查员盲审，放行", "two blinded checkers vote, released") as line:
        before = {each["id"] for each in researcher.get(f"/api/v1/workspaces/{workspace}/outputs")["outputs"]}

        def released() -> bool:
            now = researcher.get(f"/api/v1/workspaces/{workspace}/outputs")["outputs"]
            return any(each["id"] not in before for each in now)

        vote_while(demo, released, kind="output", entry="visits-by-insurance.ipynb")
        outputs = researcher.get(f"/api/v1/workspaces/{workspace}/outputs")["outputs"]
        output = next(each for each in outputs if each["id"] not in before)
        line.made = ", ".join(file["name"] for file in output["files"])
        line.where = f"ledger {output['ledger_index']}"
    with (
        demo.step("下载并离线核验产出", "downloaded and verified offline") as line,
        tempfile.TemporaryDirectory() as folder,
    ):
        from sandbox.airlock.verify import verify_bundle

        for file in output["files"]:
            answer = researcher.request("GET", f"/api/v1/workspaces/{workspace}/outputs/{output['id']}/{file['name']}")
            (Path(folder) / file["name"]).write_bytes(answer.content)
        key = demo.client("checker-1").request("GET", "/api/v1/airlock/key").content
        verify_bundle(Path(folder), key)
        table = next(Path(folder).glob("*.csv"))
        line.made = (
            demo.text("签名与文件相符", "signature and files agree") + f" · {shortened(table.read_text('utf-8'), 80)}"
        )
    demo.made["output"] = output["id"]
    demo.made["job"] = job


def let_raw_rows_out(demo: Demo, workspace: str, job: str) -> object:
    """Every checker of the raw rows tries to approve them.

    Raises:
        Refused: the airlock does not take an approval of what its checks blocked.
    """
    researcher = demo.client("researcher")
    before = len(researcher.get(f"/api/v1/workspaces/{workspace}/outputs")["outputs"])
    vote_while(demo, lambda: False, kind="output", entry="rows.py", patience_s=120, strict=True)
    after = len(researcher.get(f"/api/v1/workspaces/{workspace}/outputs")["outputs"])
    if after == before:
        raise JobFailed(f"{job[:8]}: 未放行 not released")
    return "released"


def network_from_the_jail() -> object:
    """Open a connection from inside the very jail that sealed jobs get.

    Raises:
        JobFailed: the connection was refused, with the last line of what the jail said.
    """
    command = [sys.executable, "-c", "from sandbox.cli import main; main()", "try", "--profile", "sealed"]
    done = subprocess.run(
        [*command, "--", "python3", "-c", NETWORK], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise JobFailed((done.stdout + done.stderr).strip().splitlines()[-1])
    return "connected"


def submit(client: Client, workspace: str, notebook: str) -> str:
    """Submit a notebook of `notebooks/`; returns the job's id."""
    code = (NOTEBOOKS / notebook).read_bytes()
    return str(client.post(f"/api/v1/workspaces/{workspace}/jobs", params={"filename": notebook}, content=code)["id"])


def sealed_done(client: Client, workspace: str, job: str) -> bool:
    """Whether the author sees the sealed run as finished, or more.

    Raises:
        JobFailed: it will never meet raw data.
    """
    state = client.get(f"/api/v1/workspaces/{workspace}/jobs/{job}")["state"]
    if state in {"dry_failed", "code_rejected", "cancelled", "unavailable"}:
        raise JobFailed(state)
    return state in {"finished", "released", "returned", "rejected"}


def vote_while(
    demo: Demo,
    done: Callable[[], bool],
    *,
    kind: str,
    entry: str | None = None,
    patience_s: float = PATIENCE_S,
    strict: bool = False,
) -> None:
    """Let each checker look at and approve the cases drawn for it until ``done``.

    ``entry``: only cases of that program. ``strict``: the first refused vote is raised.

    Raises:
        JobFailed: it was not done in time.
    """
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            raise JobFailed(f"{patience_s:.0f} s 内没有完成（not done in time）")
        for checker in CHECKERS:
            for case in demo.client(checker).get("/api/v1/airlock")["cases"]:
                if case["voted"] or case["kind"] != kind or entry not in {None, case["entry"]}:
                    continue
                approve(demo.client(checker), case["id"], strict=strict)
        time.sleep(1.0)


def approve(checker: Client, case: str, *, strict: bool) -> None:
    """Look, then vote for it."""
    checker.post(f"/api/v1/airlock/{case}/view", json={"purpose": "出域审查"})
    try:
        checker.post(f"/api/v1/airlock/{case}/vote", json={"decision": "approve", "explanation": "已核对，符合规则"})
    except Refused:
        if strict:
            raise


def wait(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Ask until the answer is good.

    Raises:
        JobFailed: it never was.
    """
    deadline = time.monotonic() + PATIENCE_S
    answer = ask()
    while not good(answer):
        if time.monotonic() > deadline:
            raise JobFailed(f"没有按时完成：{json.dumps(answer, ensure_ascii=False)[:120]}")
        time.sleep(1.0)
        answer = ask()
    return answer

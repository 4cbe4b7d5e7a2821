"""Pages of researchers, deciders and security administrators: what each shows, refuses, and does not give away."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from opendata.db import utc_now
from sandbox.airlock import service as airlock
from sandbox.airlock.models import Assignment, ReleasedOutput, ReleaseRequest
from sandbox.airlock.release import output_directory
from sandbox.airlock.rules import Decision
from sandbox.web import views
from sandbox.web.packages import installed
from sandbox.workspaces import service
from sandbox.workspaces.models import Workspace
from tests.sandbox.sandbox_world import GOOD, World, code
from tests.sandbox.web.test_api import app, open_door, speak  # noqa: F401 - fixtures

LATER = timedelta(minutes=30)


def later(world: World, job_id: str) -> None:
    """Half an hour later, so that the last tick is long past."""
    with world.database.begin() as session:
        job = session.merge(world.job(job_id))
        for column in ("sealed_queued_at", "sealed_started_at", "sealed_finished_at"):
            setattr(job, column, getattr(job, column) - LATER)


def release(world: World) -> str:
    """The drawn checker agrees; returns the released output's id."""
    with world.database.begin() as session:
        request = session.scalars(select(ReleaseRequest)).one()
        drawn = session.scalars(select(Assignment.checker_id).where(Assignment.subject_id == request.id)).one()
        checker = next(actor for actor in world.users.values() if actor.id == drawn)
    world.look(request.id, checker.username)
    with world.database.begin() as session:
        airlock.cast_vote(
            session,
            request.id,
            actor=checker,
            decision=Decision.APPROVE,
            explanation="计数足够大，已取整",
            forward=None,
        )
    world.work()
    with world.database.session() as session:
        return session.scalars(select(ReleasedOutput.id)).one()


def job_pages(app, world: World, jobs: dict[str, tuple[str, str]]) -> list[list[list[str]]]:  # noqa: F811
    """Lines of job page and workspace page of each job, without ids and times. ``jobs``: workspace and job by name."""
    pages, client = [], speak(app, world, "researcher")
    for name, (workspace, job_id) in jobs.items():
        texts = [client.get(f"/workspaces/{name}/jobs/{job_id}"), client.get(f"/workspaces/{name}")]
        assert [each.status_code for each in texts] == [200, 200]
        plain = []
        for each in texts:
            text = each.text.replace(job_id, "ID").replace(workspace, "W").replace(name, "NAME")
            plain.append(re.sub(r"\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d|value=\"[0-9a-f]{64}\"", "T", text).splitlines())
        pages.append(plain)
    return pages


LEAKS = {
    "a count of findings": lambda request: f"({request.findings_count})",
    "the state of the request": lambda request: request.state,
    "a name of a file": lambda request: ", ".join(file["name"] for file in request.files),
}


def test_job_page_is_the_same_whatever_the_sealed_run_found(app, world: World, open_door, monkeypatch):  # noqa: F811
    """PRIVACY.md 14 for people's pages: state, next moment, and workspace page do not depend on the output.

    The control: with one word of the run beside the state, the same comparison finds the pages different.
    """
    jobs = {}
    for name, sealed in (("zq1", {"t.csv": GOOD}), ("zq2", {"t.csv": "sex,n\nP00001,1\n"}), ("zq3", {})):
        workspace = world.workspace("L1", name=name)
        jobs[name] = (workspace, world.submit(workspace, code(sealed)))
        later(world, jobs[name][1])
    first, *others = job_pages(app, world, jobs)
    for other in others:
        assert other == first
    assert "finished, waiting for checkers" in "\n".join(first[0])
    assert "People decide" in "\n".join(first[0])
    honest = views.author_view
    for told in LEAKS.values():

        def leaky(job, request, *, told=told, **times):
            shown = honest(job, request, **times)
            return {
                **shown,
                "state_title": {of: f"{title} {told(request)}" for of, title in shown["state_title"].items()},
            }

        with monkeypatch.context() as patched:
            patched.setattr(views, "author_view", leaky)
            first, *others = job_pages(app, world, jobs)
        for page in (0, 1):
            assert any(other[page] != first[page] for other in others)


def test_job_page_explains_the_dry_run_and_cancels(app, world: World, open_door):  # noqa: F811
    world.workspace("L2", name="study")
    with world.database.session() as session:
        identifier = session.scalars(select(Workspace.id)).one()
    failed = world.submit(identifier, code({}, {"t.csv": "sex,n\n女,3\n男,7\n"}))
    waiting = world.submit(identifier, code({"t.csv": GOOD}))
    client = speak(app, world, "researcher")
    page = client.get(f"/workspaces/study/jobs/{failed}").text
    assert "small counts" in page
    assert "no raw data was touched" in page
    assert "hx-get" not in page  # nothing more will change
    page = client.get(f"/workspaces/study/jobs/{waiting}").text
    assert "code under review" in page
    assert 'hx-trigger="every 60s"' in page
    fragment = client.get(f"/workspaces/study/jobs/{waiting}", headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<div id="job"')
    assert client.post(f"/workspaces/study/jobs/{waiting}/cancel", follow_redirects=False).status_code == 303
    assert world.job(waiting).state == "cancelled"
    assert client.post(f"/workspaces/study/jobs/{waiting}/cancel").status_code == 409
    for stranger in ("outsider", "reviewer", "security", "officer"):
        assert speak(app, world, stranger).get(f"/workspaces/study/jobs/{failed}").status_code in {403, 404}


def test_released_output_is_shown_and_a_changed_file_is_noticed(app, world: World, open_door):  # noqa: F811
    workspace = world.workspace("L1")
    world.submit(workspace, code({"t.csv": GOOD}))
    output = release(world)
    client = speak(app, world, "researcher")
    page = client.get(f"/workspaces/study/outputs/{output}")
    assert "Signature and files agree" in page.text
    assert '<td class="govuk-table__cell">1500</td>' in page.text
    assert page.headers["cache-control"] == "private, no-store"
    assert f"/workspaces/study/outputs/{output}" in client.get("/workspaces/study").text
    for stranger in ("outsider", "reviewer", "officer"):
        assert speak(app, world, stranger).get(f"/workspaces/study/outputs/{output}").status_code in {403, 404}
    file = output_directory(world.settings, workspace, output) / "t.csv"
    file.chmod(0o640)
    file.write_text(file.read_text("utf-8").replace("1500", "1505", 1), "utf-8")
    assert "Signature and files do not agree" in client.get(f"/workspaces/study/outputs/{output}").text


def test_deciders_see_what_is_awaited_and_refusals_are_explained(app, world: World, open_door):  # noqa: F811
    world.workspace("L4", approve=False)
    officer, reviewer = speak(app, world, "officer"), speak(app, world, "reviewer", "zh")
    assert "0 / 2" in officer.get("/workspaces").text
    refused = officer.post("/workspaces/study/decide", data={"decision": "approve", "reason": ""})
    assert refused.status_code == 422
    assert "Give a reason" in refused.text
    officer.post("/workspaces/study/decide", data={"decision": "approve", "reason": "目的明确"})
    page = reviewer.get("/workspaces/study").text
    assert "1 / 2 方已同意" in page
    assert "另一位审核人员（其他机构）" in page
    assert (
        "等待数据提供部门决定（2 方中已有 1 方同意）" in speak(app, world, "researcher", "zh").get("/workspaces").text
    )
    assert 'action="/workspaces/study/decide"' not in speak(app, world, "researcher").get("/workspaces/study").text
    assert speak(app, world, "auditor").post(
        "/workspaces/study/decide", data={"decision": "approve", "reason": "目的明确"}
    ).status_code == 422  # fmt: skip
    reviewer.post("/workspaces/study/decide", data={"decision": "reject", "reason": "期限过长"})
    assert "期限过长" in speak(app, world, "researcher", "zh").get("/workspaces/study").text


def test_a_member_signs_before_the_page_opens_anything(app, world: World, open_door):  # noqa: F811
    identifier = world.workspace("L1")
    with world.database.begin() as session:
        workspace = session.get_one(Workspace, identifier)
        service.add_member(session, workspace, actor=world.actor("researcher"), username="colleague")
    client = speak(app, world, "colleague")
    page = client.get("/workspaces/study").text
    assert "/hub/spawn" not in page
    assert "Pledge for the data sandbox" in page
    assert "Sign the pledge before your first entry" in client.get("/workspaces").text
    for path in ("datasets", "jobs", "outputs", "budget"):
        assert client.get(f"/api/v1/workspaces/study/{path}").status_code == 403
    wrong = client.post("/workspaces/study/pledge", data={"pledge_version": "1", "pledge_name": "researcher"})
    assert (wrong.status_code, "your own name" in wrong.text) == (422, True)
    client.post("/workspaces/study/pledge", data={"pledge_version": "1", "pledge_name": "colleague"})
    assert "/hub/spawn" in client.get("/workspaces/study").text
    assert client.get("/api/v1/workspaces/study/datasets").status_code == 200


def test_removed_member_has_nothing_left(app, world: World, open_door):  # noqa: F811
    """At the next request, well within 60 s: API, pages, downloads, the hub's question, waiting jobs."""
    identifier = world.workspace("L1")
    world.join(identifier, "colleague")
    job = world.submit(identifier, code({"t.csv": GOOD}), author="colleague")
    output = release(world)
    client = speak(app, world, "colleague")
    paths = [
        "/workspaces/study", f"/workspaces/study/jobs/{job}", f"/workspaces/study/outputs/{output}",
        *(f"/api/v1/workspaces/study{rest}" for rest in (
            "", "/datasets", "/practice/study-data", "/jobs", f"/jobs/{job}", "/outputs", f"/outputs/{output}/t.csv",
            "/budget")),
    ]  # fmt: skip
    assert {client.get(path).status_code for path in paths} == {200}
    speak(app, world, "researcher").post("/workspaces/study/remove-member", data={"username": "colleague"})
    assert {client.get(path).status_code for path in paths} == {404}
    assert client.get("/api/v1/workspaces").json()["workspaces"] == []
    assert client.post("/api/v1/workspaces/study/jobs", params={"filename": "x.py"}, content=b"x").status_code == 404


@pytest.mark.parametrize("how", ["suspended", "expired"])
def test_a_workspace_that_stands_still_answers_409_to_the_hub_and_says_why(app, world, open_door, how):  # noqa: F811
    identifier = world.workspace("L1")
    client, security = speak(app, world, "researcher"), speak(app, world, "security")
    assert client.get("/api/v1/workspaces/study/datasets").status_code == 200
    if how == "suspended":
        assert "Running workspaces" in security.get("/workspaces").text
        assert client.post("/workspaces/study/suspend", data={"suspend_reason": "核查"}).status_code == 422
        security.post("/workspaces/study/suspend", data={"suspend_reason": "核查一次异常登录"})
    else:
        with world.database.begin() as session:
            session.get_one(Workspace, identifier).expires_at = utc_now()
    assert client.get("/api/v1/workspaces/study/datasets").status_code == 409
    page = client.get("/workspaces/study").text
    assert "/hub/spawn" not in page
    assert ("核查一次异常登录" if how == "suspended" else "expired") in page
    [shown] = client.get("/api/v1/workspaces").json()["workspaces"]
    assert shown["state"] == how
    if how == "suspended":
        security.post("/workspaces/study/lift")
        assert client.get("/api/v1/workspaces/study/datasets").status_code == 200


def test_owner_manages_members_and_the_term_from_the_page(app, world: World, open_door):  # noqa: F811
    world.workspace("L1")
    client = speak(app, world, "researcher")
    client.post("/workspaces/study/members", data={"username": "colleague", "role": "reader"})
    assert "reader" in client.get("/workspaces/study").text
    again = client.post("/workspaces/study/members", data={"username": "colleague"})
    assert (again.status_code, "Already a member" in again.text) == (422, True)
    client.post("/workspaces/study/change-role", data={"username": "colleague", "role": "member"})
    assert client.post("/workspaces/study/extend", data={"days": "x", "extension_reason": "补充"}).status_code == 422
    client.post("/workspaces/study/extend", data={"days": "30", "extension_reason": "补充分析"})
    assert "Request for 30 more days" in client.get("/workspaces/study").text
    client.post("/workspaces/study/withdraw-extension")
    assert "Request for 30 more days" not in client.get("/workspaces/study").text
    assert client.post("/workspaces/study/nothing").status_code == 422
    client.post("/workspaces/study/close")
    assert "will be removed on" in client.get("/workspaces/study").text


def test_packages_are_read_from_what_is_installed(app, world: World, tmp_path):  # noqa: F811
    site = tmp_path / "lib/python3.11/site-packages"
    for name, summary in (("pandas", "tables"), ("some-helper", "")):
        folder = site / f"{name.replace('-', '_')}-1.2.dist-info"
        folder.mkdir(parents=True)
        folder.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\nSummary: {summary}\n"
        )
    found = installed(tmp_path)
    assert [(each.name, each.version, each.chosen) for each in found] == [
        ("pandas", "1.2", True), ("some-helper", "1.2", False),
    ]  # fmt: skip
    assert installed(tmp_path / "nothing") == ()
    page = speak(app, world, "researcher", "zh").get("/workspaces/packages")
    assert page.status_code == 200
    assert "pandas" in page.text or "这台机器上没有笔记本环境" in page.text
